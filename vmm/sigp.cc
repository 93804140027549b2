#include "vmm/sigp.h"

#include <algorithm>
#include <array>

#include "base/status_macros.h"
#include "vmm/store_status.h"

namespace lethe::vmm {
namespace {

constexpr unsigned kAccepted = 0;
constexpr unsigned kStatusStored = 1;
constexpr unsigned kBusy = 2;
constexpr unsigned kNotOperational = 3;

constexpr std::uint32_t kIncorrectState = 0x200;
constexpr std::uint32_t kInvalidParameter = 0x100;
constexpr std::uint32_t kInvalidOrder = 0x2;

// Stop-and-store-status puts the status into the target's assigned storage.
constexpr std::uint64_t kAssignedStatusArea = 0x1200;
constexpr std::uint64_t kPrefixAreaSize = 0x2000;

// What an order's execution on the target came to.
struct Answer {
  unsigned condition_code = kAccepted;
  std::uint32_t status = 0;  // with kStatusStored
};
Answer Refuse(std::uint32_t status) { return {kStatusStored, status}; }

struct Signal {
  VcpuThread& target;
  std::uint64_t parameter;
  Platform& platform;
};

// The kernel says EBUSY when an order of the kind is pending.
absl::StatusOr<Answer> AnswerOf(const absl::Status& injected) {
  if (absl::IsFailedPrecondition(injected)) return Answer{kBusy, 0};
  LETHE_RETURN_IF_ERROR(injected);
  return Answer{};
}

absl::StatusOr<Answer> StartCpu(const Signal& signal) {
  if (signal.target.activity() == Activity::kStopped)
    LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kOperating));
  return Answer{};
}

absl::StatusOr<Answer> StopCpu(const Signal& signal) {
  switch (signal.target.activity()) {
    case Activity::kStopped:
      break;
    case Activity::kDisabledWait:
      LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kStopped));
      break;
    case Activity::kOperating:
      return AnswerOf(signal.target.vcpu().InjectStop());
  }
  return Answer{};
}

absl::StatusOr<Answer> RestartCpu(const Signal& signal) {
  // Of a protected guest's stopped CPU the Ultravisor loads the restart PSW when it operates.
  if (signal.platform.operands->guest_is_protected() &&
      signal.target.activity() == Activity::kStopped)
    return StartCpu(signal);
  LETHE_ASSIGN_OR_RETURN(const Answer answer, AnswerOf(signal.target.vcpu().InjectRestart()));
  if (answer.condition_code == kAccepted)
    LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kOperating));
  return answer;
}

absl::StatusOr<Answer> StopAndStoreStatus(const Signal& signal) {
  // A protected CPU's registers are not ours to store.
  if (signal.platform.operands->guest_is_protected()) return Refuse(kInvalidOrder);
  kvm::Vcpu& vcpu = signal.target.vcpu();
  if (signal.target.activity() == Activity::kOperating)
    return AnswerOf(vcpu.InjectStop(/*store_status=*/true));
  LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kStopped));
  const GuestAddress area = GuestAddress(vcpu.registers().prefix).Plus(kAssignedStatusArea);
  if (!StoreStatus(vcpu, signal.platform.memory, area)) return Refuse(kInvalidParameter);
  return Answer{};
}

absl::StatusOr<Answer> StoreStatusAtAddress(const Signal& signal) {
  if (signal.platform.operands->guest_is_protected()) return Refuse(kInvalidOrder);
  if (signal.target.activity() != Activity::kStopped) return Refuse(kIncorrectState);
  const GuestAddress area(signal.parameter & 0x7ffffe00);
  if (!StoreStatus(signal.target.vcpu(), signal.platform.memory, area))
    return Refuse(kInvalidParameter);
  return Answer{};
}

absl::StatusOr<Answer> SetPrefix(const Signal& signal) {
  const std::uint64_t prefix = signal.parameter & 0x7fffe000;
  if (!signal.platform.memory.Contains(GuestAddress(prefix), kPrefixAreaSize))
    return Refuse(kInvalidParameter);
  if (signal.target.activity() != Activity::kStopped) return Refuse(kIncorrectState);
  signal.target.vcpu().registers().prefix = prefix;
  signal.target.vcpu().MarkDirty(abi::KVM_SYNC_PREFIX);
  return Answer{};
}

absl::StatusOr<Answer> InitialReset(const Signal& signal) {
  LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kStopped));
  LETHE_RETURN_IF_ERROR(signal.target.vcpu().InitialReset());
  signal.target.vcpu().registers().prefix = 0;  // a value set meanwhile must not come back
  return Answer{};
}

absl::StatusOr<Answer> Reset(const Signal& signal) {
  LETHE_RETURN_IF_ERROR(signal.target.SetActivity(Activity::kStopped));
  LETHE_RETURN_IF_ERROR(signal.target.vcpu().NormalReset());
  return Answer{};
}

// Executed on the target's thread.
using OrderHandler = absl::StatusOr<Answer> (*)(const Signal&);

struct Order {
  std::uint8_t number;
  absl::string_view name;
  OrderHandler handler;
};
constexpr std::array kOrders = {
    Order{4, "start", &StartCpu},
    Order{5, "stop", &StopCpu},
    Order{6, "restart", &RestartCpu},
    Order{9, "stop and store status", &StopAndStoreStatus},
    Order{11, "initial CPU reset", &InitialReset},
    Order{12, "CPU reset", &Reset},
    Order{13, "set prefix", &SetPrefix},
    Order{14, "store status at address", &StoreStatusAtAddress},
};
constexpr std::uint8_t kSetArchitecture = 18;

// The machine is always in z/Architecture mode; asking for it finds nothing to do.
Answer SetArchitecture(const Instruction& instruction) {
  for (const auto& cpu : instruction.platform.cpus.all()) {
    if (cpu.get() != &instruction.cpu && cpu->activity() != Activity::kStopped)
      return Refuse(kIncorrectState);
  }
  return Refuse(kInvalidParameter);
}

absl::StatusOr<Answer> Send(const Instruction& instruction, std::uint8_t order,
                            std::uint64_t parameter) {
  if (order == kSetArchitecture) return SetArchitecture(instruction);
  const auto address = static_cast<std::uint16_t>(instruction.gpr(instruction.text.rs_r3()));
  VcpuThread* const target = instruction.platform.cpus.Find(address);
  if (target == nullptr) return Answer{kNotOperational, 0};
  const auto row = std::find_if(kOrders.begin(), kOrders.end(),
                                [&](const Order& known) { return known.number == order; });
  if (row == kOrders.end()) return Refuse(kInvalidOrder);

  const Signal signal{*target, parameter, instruction.platform};
  absl::StatusOr<Answer> answer = Answer{};
  target->Execute([&] { answer = row->handler(signal); });
  return answer;
}

}  // namespace

absl::StatusOr<Completion> SignalProcessor(const Instruction& instruction) {
  // Two CPUs that signal each other would wait for each other.
  std::unique_lock lock(instruction.platform.cpus.signal_mutex(), std::try_to_lock);
  if (!lock.owns_lock()) return Completion::WithCode(kBusy);

  const unsigned r1 = instruction.text.rs_r1();
  const auto order = static_cast<std::uint8_t>(instruction.Address());
  const std::uint64_t parameter = instruction.gpr(r1 | 1);
  LETHE_ASSIGN_OR_RETURN(const Answer answer, Send(instruction, order, parameter));
  if (answer.condition_code == kStatusStored) {
    std::uint64_t& status = instruction.gpr(r1);
    status = (status & 0xffffffff00000000) | answer.status;
  }
  // A CPU that stopped the last operating one (itself) ends the machine.
  if (instruction.platform.cpus.operating() == 0) {
    instruction.platform.requests.Post(PowerOff{});
    return Completion::Parked();
  }
  return Completion::WithCode(answer.condition_code);
}

}  // namespace lethe::vmm
