#include "accel/kvm-s390/fault_injecting_kernel.h"

#include <utility>

#include "accel/kvm-s390/abi.h"

namespace lethe::kvm {
namespace {

bool Matches(const Fault& fault, const KernelCall& call) {
  if (fault.call) return *fault.call == call;
  if (call.kind != KernelCall::Kind::kIoctl || fault.request != call.request) return false;
  return !fault.pv_command || *fault.pv_command == call.subject;
}

bool IsMeant(const Fault& fault, unsigned seen) {
  return fault.occurrence == 0 || fault.occurrence == seen ||
         (fault.sticks && seen > fault.occurrence);
}

int ResultOf(const Fault& fault) { return fault.error != 0 ? -fault.error : fault.result; }

// The descriptor that a call has given out, or -1.
int NewDescriptor(unsigned long request, std::uintptr_t argument, int result) {
  if (result < 0) return -1;
  if (request == abi::KVM_CREATE_VM || request == abi::KVM_CREATE_VCPU) return result;
  if (request == abi::KVM_CREATE_DEVICE)
    return static_cast<int>(reinterpret_cast<const abi::kvm_create_device*>(argument)->fd);
  return -1;
}

}  // namespace

void FaultInjectingKernel::Inject(const Fault& fault) {
  std::lock_guard lock(mutex_);
  rules_.push_back({fault});
}

void FaultInjectingKernel::Clear() {
  std::lock_guard lock(mutex_);
  rules_.clear();
}

unsigned FaultInjectingKernel::injected() const {
  std::lock_guard lock(mutex_);
  return injected_;
}

void FaultInjectingKernel::StartRecording() {
  std::lock_guard lock(mutex_);
  recording_ = true;
}

std::vector<KernelCall> FaultInjectingKernel::recorded() const {
  std::lock_guard lock(mutex_);
  return recorded_;
}

unsigned FaultInjectingKernel::open_descriptors() const {
  std::lock_guard lock(mutex_);
  return static_cast<unsigned>(cpus_.size());
}

unsigned FaultInjectingKernel::mapped_areas() const {
  std::lock_guard lock(mutex_);
  return mapped_areas_;
}

int FaultInjectingKernel::CpuOf(int fd) const {
  std::lock_guard lock(mutex_);
  const auto found = cpus_.find(fd);
  return found == cpus_.end() ? kNoCpu : found->second;
}

std::optional<Fault> FaultInjectingKernel::Strike(const KernelCall& call) {
  std::lock_guard lock(mutex_);
  if (recording_) recorded_.push_back(call);
  for (Rule& rule : rules_) {
    if (!Matches(rule.fault, call)) continue;
    ++rule.seen;
    if (!IsMeant(rule.fault, rule.seen)) continue;
    ++injected_;
    return rule.fault;
  }
  return std::nullopt;
}

void FaultInjectingKernel::Keep(unsigned long request, std::uintptr_t argument, int result) {
  const int fd = NewDescriptor(request, argument, result);
  if (fd < 0) return;
  std::lock_guard lock(mutex_);
  cpus_[fd] = request == abi::KVM_CREATE_VCPU ? static_cast<int>(argument) : kNoCpu;
}

void FaultInjectingKernel::Drop(unsigned long request, std::uintptr_t argument, int result) {
  const int fd = NewDescriptor(request, argument, result);
  if (fd >= 0) wrapped_.Close(fd);
}

int FaultInjectingKernel::Open(const char* path, int flags) {
  if (const auto fault = Strike({.kind = KernelCall::Kind::kOpen})) return ResultOf(*fault);
  const int fd = wrapped_.Open(path, flags);
  if (fd < 0) return fd;
  std::lock_guard lock(mutex_);
  cpus_[fd] = kNoCpu;
  return fd;
}

int FaultInjectingKernel::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  const std::optional<Fault> fault = Strike(DescribeIoctl(request, argument, CpuOf(fd)));
  if (!fault) {
    const int result = wrapped_.Ioctl(fd, request, argument);
    Keep(request, argument, result);
    return result;
  }
  if (fault->made_first) Drop(request, argument, wrapped_.Ioctl(fd, request, argument));
  if (request == abi::KVM_S390_PV_COMMAND && (fault->rc != 0 || fault->rrc != 0)) {
    auto& command = *reinterpret_cast<abi::kvm_pv_cmd*>(argument);
    command.rc = fault->rc;
    command.rrc = fault->rrc;
  }
  return ResultOf(*fault);
}

std::intptr_t FaultInjectingKernel::Map(int fd, std::size_t length) {
  if (const auto fault = Strike({.kind = KernelCall::Kind::kMap, .cpu = CpuOf(fd)}))
    return ResultOf(*fault);
  const std::intptr_t address = wrapped_.Map(fd, length);
  std::lock_guard lock(mutex_);
  if (address >= 0 || address < -4095) ++mapped_areas_;
  return address;
}

int FaultInjectingKernel::Unmap(void* address, std::size_t length) {
  const int result = wrapped_.Unmap(address, length);
  std::lock_guard lock(mutex_);
  if (result == 0) --mapped_areas_;
  return result;
}

int FaultInjectingKernel::Close(int fd) {
  {
    // Before it is closed: its number may be given out again at once.
    std::lock_guard lock(mutex_);
    cpus_.erase(fd);
  }
  return wrapped_.Close(fd);
}

std::unique_ptr<Survivor> FaultInjectingKernel::MakeSurvivor(int vm_fd,
                                                             std::vector<RunArea> run_areas) {
  if (Strike({.kind = KernelCall::Kind::kMakeSurvivor})) return nullptr;
  std::unique_ptr<Survivor> survivor = wrapped_.MakeSurvivor(vm_fd, std::move(run_areas));
  if (survivor == nullptr || survivor_journal_ == nullptr) return survivor;
  return std::make_unique<FaultInjectingSurvivor>(std::move(survivor), FaultOfSurvivor(),
                                                  *survivor_journal_);
}

SurvivorFault FaultInjectingKernel::FaultOfSurvivor() const {
  std::lock_guard lock(mutex_);
  for (const auto& [fault, seen] : rules_) {
    if (!fault.call || fault.call->kind != KernelCall::Kind::kSurvivorCommand) continue;
    return {.command = static_cast<std::uint32_t>(fault.call->subject),
            .occurrence = fault.occurrence,
            .sticks = fault.sticks,
            .made_first = fault.made_first,
            .error = fault.error,
            .rc = fault.rc,
            .rrc = fault.rrc};
  }
  return {.occurrence = 0};
}

}  // namespace lethe::kvm
