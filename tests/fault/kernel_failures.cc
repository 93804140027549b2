#include "tests/fault/kernel_failures.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "accel/kvm-s390/abi.h"

namespace lethe::fault {
namespace {

using kvm::KernelCall;
using Errors = std::vector<int>;

constexpr Ending kGoesOn[] = {Ending::kGoesOn};
constexpr Ending kAnswered[] = {Ending::kAnswered};
// Attempted again when the guest that is being cleaned has gone.
constexpr Ending kGoesOnOrAnswered[] = {Ending::kGoesOn, Ending::kAnswered};
constexpr Ending kError[] = {Ending::kError};
constexpr Ending kGoesOnOrError[] = {Ending::kGoesOn, Ending::kError};
constexpr Ending kAnsweredOrError[] = {Ending::kAnswered, Ending::kError};
constexpr Ending kAny[] = {Ending::kGoesOn, Ending::kAnswered, Ending::kError};

// What the Ultravisor says that the kernel knows (arch/s390/include/asm/uv.h), and two of the many
// codes that it only passes on: no key slot for this host, a page that is not what it should be.
constexpr Refusal kRefusals[] = {{0x0002, 0}, {0x0003, 0},    {0x0005, 0},     {0x0007, 0},
                                 {0x8003, 0}, {0x0104, 0},    {0x0107, 0x0d},  {0x010a, 0},
                                 {0x0108, 5}, {0x0102, 0x1b}, {0xffff, 0xffff}};

// Of every ioctl of VM, vCPU and device descriptors: the caller's memory is not the VM's, or the VM
// was given up; a request that the kernel does not know.
constexpr int kOfEveryVm[] = {EIO, ENOTTY};

struct RequestRow {
  unsigned long request;
  Errors errors;
  Errors passing;
  absl::Span<const Ending> endings;
};

// KVM_RUN, resets and states wait for the vCPU's mutex: EINTR when a fatal signal ends that.
std::vector<RequestRow> Requests() {
  return {
      {abi::KVM_GET_API_VERSION, {EINVAL}, {}, kError},
      {abi::KVM_CREATE_VM, {EINVAL, ENOMEM, EMFILE, ENFILE}, {EINTR}, kError},
      {abi::KVM_GET_VCPU_MMAP_SIZE, {EINVAL}, {}, kError},
      {abi::KVM_CREATE_VCPU, {EINVAL, EEXIST, ENOMEM, EMFILE, ENFILE}, {}, kError},
      {abi::KVM_SET_USER_MEMORY_REGION, {EINVAL, EEXIST, ENOMEM, EFAULT}, {}, kError},
      {abi::KVM_ENABLE_CAP, {EINVAL, EBUSY, EFAULT}, {}, kError},
      {abi::KVM_CREATE_DEVICE, {ENODEV, EINVAL, EFAULT, ENOMEM, EMFILE}, {}, kError},
      {abi::KVM_SET_DEVICE_ATTR,
       {ENXIO, EINVAL, EBUSY, E2BIG, EFAULT, ENOMEM, EOPNOTSUPP},
       {},
       kError},
      {abi::KVM_S390_MEM_OP, {EINVAL, E2BIG, EFAULT, ENOMEM}, {EINTR}, kError},
      {abi::KVM_RUN, {EINVAL, EFAULT, ENOMEM}, {EINTR, EAGAIN}, kError},
      {abi::KVM_SET_MP_STATE, {EINVAL, ENXIO, EFAULT}, {EINTR}, kAnsweredOrError},
      {abi::KVM_S390_NORMAL_RESET, {EINVAL}, {EINTR}, kError},
      {abi::KVM_S390_INITIAL_RESET, {EINVAL}, {EINTR}, kError},
      {abi::KVM_S390_CLEAR_RESET, {EINVAL}, {EINTR}, kError},
      {abi::KVM_S390_IRQ, {EINVAL, EFAULT, ENOMEM}, {}, kError},
  };
}

struct PvRow {
  std::uint32_t command;
  Errors errors;   // for which the kernel itself is the reason
  Errors refused;  // for which the Ultravisor is, with its codes
  Errors passing;
  absl::Span<const Ending> endings;
};

std::vector<PvRow> PvCommands() {
  return {
      {abi::KVM_PV_ENABLE, {EINVAL, ENOMEM, EFAULT}, {EIO}, {EINTR}, kGoesOnOrAnswered},
      {abi::KVM_PV_SET_SEC_PARMS, {EINVAL, EFAULT, ENOMEM}, {EINVAL}, {}, kAnswered},
      {abi::KVM_PV_UNPACK, {EINVAL, EFAULT, EAGAIN}, {EINVAL}, {}, kAnswered},
      {abi::KVM_PV_VERIFY, {EINVAL}, {EINVAL}, {}, kAnswered},
      {abi::KVM_PV_UNSHARE_ALL, {EINVAL}, {EINVAL}, {}, kError},
      {abi::KVM_PV_PREP_RESET, {EINVAL}, {EINVAL}, {}, kError},
      {abi::KVM_PV_ASYNC_CLEANUP_PREPARE, {EINVAL, ENOMEM, EIO}, {EIO}, {}, kGoesOn},
      {abi::KVM_PV_ASYNC_CLEANUP_PERFORM, {EINVAL, EIO}, {EIO}, {}, kGoesOn},
      {abi::KVM_PV_DISABLE, {EINVAL, EIO}, {EIO}, {}, kError},
  };
}

void Add(std::vector<KernelFailure>& failures, absl::Span<const int> errors, bool passes = false) {
  for (const int error : errors) failures.push_back({.error = error, .passes = passes});
}

// The kernel copies an answer to the caller after it has done what was asked.
bool HasAnswer(const KernelCall& call) { return (call.request >> 31 & 1) != 0; }

FailingCall Complete(const KernelCall& call, std::vector<KernelFailure> failures,
                     absl::Span<const Ending> endings) {
  if (HasAnswer(call)) failures.push_back({.error = EFAULT, .afterwards = true});
  return {std::move(failures), endings};
}

std::optional<FailingCall> FailuresOfPvCommand(const KernelCall& call) {
  const std::vector<PvRow> rows = PvCommands();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const PvRow& one) { return one.command == call.subject; });
  if (row == rows.end()) return std::nullopt;
  std::vector<KernelFailure> failures;
  Add(failures, kOfEveryVm);
  Add(failures, row->errors);
  Add(failures, row->passing, true);
  for (const int error : row->refused)
    for (const Refusal& refusal : kRefusals)
      failures.push_back({.error = error, .refusal = refusal});
  // A fatal signal has ended it, which is no error.
  if (call.subject == abi::KVM_PV_ASYNC_CLEANUP_PERFORM)
    failures.push_back({.refusal = {0x0001, 42}});
  return Complete(call, std::move(failures), row->endings);
}

std::optional<FailingCall> FailuresOfIoctl(const KernelCall& call) {
  if (call.request == abi::KVM_S390_PV_COMMAND) return FailuresOfPvCommand(call);
  // An absent capability is no error: the answer is 0.
  if (call.request == abi::KVM_CHECK_EXTENSION) return FailingCall{{{.result = 0}}, kAny};
  const std::vector<RequestRow> rows = Requests();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const RequestRow& one) { return one.request == call.request; });
  if (row == rows.end()) return std::nullopt;
  std::vector<KernelFailure> failures;
  const bool of_system = call.request == abi::KVM_GET_API_VERSION ||
                         call.request == abi::KVM_CREATE_VM ||
                         call.request == abi::KVM_GET_VCPU_MMAP_SIZE;
  if (!of_system) Add(failures, kOfEveryVm);
  Add(failures, row->errors);
  Add(failures, row->passing, true);
  absl::Span<const Ending> endings = row->endings;
  switch (call.request) {
    case abi::KVM_GET_API_VERSION:
      failures.push_back({.result = abi::KVM_API_VERSION - 1});
      failures.push_back({.result = abi::KVM_API_VERSION + 1});
      break;
    case abi::KVM_GET_VCPU_MMAP_SIZE:
      failures.push_back({.result = 0});
      failures.push_back({.result = sizeof(abi::kvm_run) - 1});
      break;
    case abi::KVM_S390_IRQ:
      // One of the kind is pending: the guest's order finds the CPU busy, and is given again.
      if (call.subject == abi::KVM_S390_RESTART) {
        failures.push_back({.error = EBUSY});
        endings = kAny;
      }
      break;
    case abi::KVM_S390_MEM_OP:
      if (call.subject == abi::KVM_S390_MEMOP_SIDA_READ ||
          call.subject == abi::KVM_S390_MEMOP_SIDA_WRITE)
        break;
      // Protection and addressing exceptions, which are the guest's.
      failures.push_back({.result = 4});
      failures.push_back({.result = 5});
      endings = kAny;
      break;
    default:
      break;
  }
  return Complete(call, std::move(failures), endings);
}

// There is no guest any more that could notice, and nobody who could try again.
std::optional<FailingCall> FailuresOfSurvivor(const KernelCall& call) {
  std::optional<FailingCall> failing =
      FailuresOfPvCommand({.request = abi::KVM_S390_PV_COMMAND, .subject = call.subject});
  if (!failing) return std::nullopt;
  failing->endings = kGoesOn;
  std::erase_if(failing->failures,
                [](const KernelFailure& failure) { return failure.passes || failure.error == 0; });
  return failing;
}

FailingCall FailuresOfCreation(const Errors& errors, absl::Span<const Ending> endings) {
  std::vector<KernelFailure> failures;
  Add(failures, errors);
  return {std::move(failures), endings};
}

}  // namespace

FailingUvc FailuresOf(emulated::Uvc call) {
  using emulated::Uvc;
  using emulated::UvcResult;
  FailingUvc failing;
  failing.passing = {UvcResult::Busy(), UvcResult::Partial()};
  for (const Refusal& refusal : kRefusals)
    failing.refusals.push_back(UvcResult::Refused(refusal.rc, refusal.rrc));
  switch (call) {
    case Uvc::kCreateConfiguration:
    case Uvc::kCreateCpu:
      failing.endings = kGoesOnOrAnswered;
      break;
    case Uvc::kSetParameters:
    case Uvc::kUnpack:
    case Uvc::kVerify:
      failing.endings = kAnswered;
      break;
    case Uvc::kUnshareAll:
    case Uvc::kPrepareReset:
    case Uvc::kCpuReset:
    case Uvc::kCpuInitialReset:
    case Uvc::kCpuClearReset:
      failing.endings = kError;
      break;
    case Uvc::kSetCpuState:
      failing.endings = kAnsweredOrError;
      break;
    case Uvc::kDestroyConfigurationFast:
    case Uvc::kDestroyPage:
      failing.endings = kGoesOn;
      break;
    case Uvc::kDestroyCpu:
    case Uvc::kDestroyConfiguration:
      failing.endings = kGoesOnOrError;
      break;
    // Whoever touched the page gets SIGSEGV: cli/fault_report.h.
    case Uvc::kConvertToSecure:
    case Uvc::kConvertFromSecure:
    case Uvc::kPinShared:
    case Uvc::kUnpinShared:
      failing.refusals.clear();
      break;
    // The guest's own, and those of the kernel's start.
    case Uvc::kShare:
    case Uvc::kUnshare:
    case Uvc::kQuery:
    case Uvc::kInitialize:
      failing = {};
      break;
  }
  return failing;
}

std::optional<FailingCall> FailuresOf(const KernelCall& call) {
  switch (call.kind) {
    case KernelCall::Kind::kIoctl:
      return FailuresOfIoctl(call);
    case KernelCall::Kind::kOpen:
      return FailuresOfCreation(
          {ENOENT, EACCES, EPERM, ENODEV, ENXIO, EMFILE, ENFILE, ENOMEM, EBUSY}, kError);
    case KernelCall::Kind::kMap:
      return FailuresOfCreation({ENOMEM, EINVAL, EAGAIN, EPERM}, kError);
    case KernelCall::Kind::kSurvivorCommand:
      return FailuresOfSurvivor(call);
    case KernelCall::Kind::kMakeSurvivor:
      return FailuresOfCreation({ENOMEM}, kGoesOn);  // null, whatever the reason
  }
  return std::nullopt;
}

}  // namespace lethe::fault
