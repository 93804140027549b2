// SIGNAL PROCESSOR (Principles of Operation, "CPU Signaling and Response") as far as KVM completes
// it; the rest is the user's.

#include <cerrno>

#include "emulated-host/kvm/intercepts.h"
#include "emulated-host/kvm/sync_registers.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Kind = InterruptionKind;

enum class Order : std::uint8_t {
  kSense = 1,
  kExternalCall = 2,
  kEmergencySignal = 3,
  kStart = 4,
  kStop = 5,
  kRestart = 6,
  kStopAndStoreStatus = 9,
  kInitialCpuReset = 11,
  kCpuReset = 12,
  kSetPrefix = 13,
  kStoreStatusAtAddress = 14,
  kSetArchitecture = 18,
  kConditionalEmergencySignal = 19,
  kSenseRunningStatus = 21,
};

constexpr std::uint32_t kInvalidOrder = 0x02;
constexpr std::uint32_t kStopped = 0x40;
constexpr std::uint32_t kExternalCallPending = 0x80;
constexpr std::uint32_t kInvalidParameter = 0x100;
constexpr std::uint32_t kIncorrectState = 0x200;
constexpr std::uint32_t kNotRunning = 0x400;

constexpr unsigned kSenseRunningFacility = 9;

// Condition code, or not ours.
struct Answer {
  bool forward = false;
  std::uint8_t cc = 0;
};
constexpr Answer kAccepted{false, 0};
constexpr Answer kBusy{false, 2};
constexpr Answer kNotOperational{false, 3};
constexpr Answer kForward{true, 0};

struct Signal {
  VirtualCpu& source;
  VirtualCpu* target;  // nullptr: there is no such CPU
  std::uint16_t target_address;
  std::uint64_t parameter;
  std::uint64_t& status;

  Answer StoreStatusBits(std::uint32_t bits) const {
    status = (status & ~std::uint64_t{0xffffffff}) | bits;
    return {false, 1};
  }
};

Answer Sense(const Signal& signal) {
  const bool external_call = signal.target->local().Has(Kind::kExternalCall);
  const std::uint32_t bits =
      (external_call ? kExternalCallPending : 0) | (signal.target->stopped() ? kStopped : 0);
  return bits == 0 ? kAccepted : signal.StoreStatusBits(bits);
}

Answer ExternalCall(const Signal& signal) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_EXTERNAL_CALL;
  irq.u.extcall.code = signal.source.address();
  if (signal.target->Inject(irq) == -EBUSY) return signal.StoreStatusBits(kExternalCallPending);
  return kAccepted;
}

Answer EmergencySignal(const Signal& signal) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_EMERGENCY;
  irq.u.emerg.code = signal.source.address();
  signal.target->Inject(irq);
  return kAccepted;
}

// Not needed if the target is stopped in a state in which it could do without (a wait for nothing,
// or in another address space with everything disabled).
Answer ConditionalEmergencySignal(const Signal& signal) {
  constexpr std::uint64_t kMasks = Psw::kInputOutput | Psw::kExternal;
  if (!signal.target->stopped()) return EmergencySignal(signal);
  const std::unique_lock lock(signal.target->mutex(), std::try_to_lock);
  if (!lock) return EmergencySignal(signal);
  const Registers& registers = signal.target->cpu().registers();
  const auto asn = static_cast<std::uint16_t>(signal.parameter);
  const bool waits = (registers.psw.mask & Psw::kWait) != 0;
  const bool same_space = asn == static_cast<std::uint16_t>(registers.control[4]) ||
                          asn == static_cast<std::uint16_t>(registers.control[3]);
  if ((registers.psw.mask & kMasks) != kMasks || (waits && registers.psw.address != 0) ||
      (!waits && same_space)) {
    return EmergencySignal(signal);
  }
  return signal.StoreStatusBits(kIncorrectState);
}

Answer InjectStop(const Signal& signal, std::uint32_t flags) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_SIGP_STOP;
  irq.u.stop.flags = flags;
  return signal.target->Inject(irq) == -EBUSY ? kBusy : kAccepted;
}

Answer Stop(const Signal& signal) { return InjectStop(signal, 0); }
Answer StopAndStoreStatus(const Signal& signal) {
  return InjectStop(signal, abi::KVM_S390_STOP_FLAG_STORE_STATUS);
}

Answer SetPrefix(const Signal& signal) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_SIGP_SET_PREFIX;
  irq.u.prefix.address = signal.parameter & 0x7fffe000;
  const GuestStorage& storage = signal.source.machine().storage();
  if (storage.Find(irq.u.prefix.address).bytes == nullptr ||
      storage.Find(irq.u.prefix.address + kPageSize).bytes == nullptr) {
    return signal.StoreStatusBits(kInvalidParameter);
  }
  if (signal.target->Inject(irq) == -EBUSY) return signal.StoreStatusBits(kIncorrectState);
  return kAccepted;
}

Answer StoreStatusAtAddress(const Signal& signal) {
  if (!signal.target->stopped()) return signal.StoreStatusBits(kIncorrectState);
  const std::unique_lock lock(signal.target->mutex(), std::try_to_lock);
  if (!lock) return kBusy;
  LoadInPlaceRegisters(signal.target->run_page(), signal.target->cpu());
  if (signal.target->StoreStatus(signal.parameter & 0x7ffffe00) != 0) {
    return signal.StoreStatusBits(kInvalidParameter);
  }
  return kAccepted;
}

Answer SenseRunningStatus(const Signal& signal) {
  if (!signal.source.cpu().HasFacility(kSenseRunningFacility)) {
    return signal.StoreStatusBits(kInvalidOrder);
  }
  return signal.target->running() ? kAccepted : signal.StoreStatusBits(kNotRunning);
}

Answer ForUser(const Signal&) { return kForward; }

struct Row {
  Order order;
  Answer (*handler)(const Signal&);
  bool in_kernel_always;  // also when the user wants to see SIGP
};
constexpr Row kRows[] = {
    {Order::kSense, &Sense, true},
    {Order::kExternalCall, &ExternalCall, true},
    {Order::kEmergencySignal, &EmergencySignal, true},
    {Order::kConditionalEmergencySignal, &ConditionalEmergencySignal, true},
    {Order::kSenseRunningStatus, &SenseRunningStatus, true},
    {Order::kStart, &ForUser, false},
    {Order::kRestart, &ForUser, false},
    {Order::kStop, &Stop, false},
    {Order::kStopAndStoreStatus, &StopAndStoreStatus, false},
    {Order::kSetPrefix, &SetPrefix, false},
    {Order::kStoreStatusAtAddress, &StoreStatusAtAddress, false},
};

const Row* FindRow(Order order) {
  for (const Row& row : kRows) {
    if (row.order == order) return &row;
  }
  return nullptr;
}

// A stop or restart takes effect later; until then the CPU answers busy to all but resets.
bool Busy(VirtualCpu& target, Order order) {
  if (order == Order::kInitialCpuReset || order == Order::kCpuReset) return false;
  const LocalInterrupts& local = target.local();
  return local.Has(Kind::kStop) || local.Has(Kind::kRestart);
}

Answer Handle(const Signal& signal, Order order) {
  const bool user_sigp = signal.source.machine().settings().user_sigp;
  const Row* row = FindRow(order);
  if (user_sigp && (row == nullptr || !row->in_kernel_always)) return kForward;
  // With CZAM there is no other architecture to set: the parameter is never valid.
  if (order == Order::kSetArchitecture) return signal.StoreStatusBits(kInvalidParameter);
  if (signal.target == nullptr) return kNotOperational;
  if (Busy(*signal.target, order)) return kBusy;
  return row == nullptr ? kForward : row->handler(signal);
}

}  // namespace

Disposition SignalProcessor(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  auto& general = cpu.general();
  const int r1 = instruction.r1();
  const auto target = static_cast<std::uint16_t>(general[instruction.r3()]);
  // The parameter is in the odd register of the pair.
  const Signal signal{cpu, cpu.machine().FindCpu(target), target, general[r1 | 1], general[r1]};
  const Answer answer = Handle(signal, static_cast<Order>(instruction.Address(cpu) & 0xff));
  if (answer.forward) return Disposition::Forward();
  cpu.SetConditionCode(answer.cc);
  return Disposition::Resume();
}

}  // namespace lethe::emulated
