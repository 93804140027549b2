#include "emulated-host/kvm/interruption.h"

namespace lethe::emulated {
namespace {

using Kind = InterruptionKind;

// Subclass masks of external interruptions in control register 0.
constexpr std::uint64_t kEmergencyMask = Psw::Bit(49);
constexpr std::uint64_t kExternalCallMask = Psw::Bit(50);
constexpr std::uint64_t kClockComparatorMask = Psw::Bit(52);
constexpr std::uint64_t kCpuTimerMask = Psw::Bit(53);
constexpr std::uint64_t kServiceMask = Psw::Bit(54);

struct ExternalKind {
  Kind kind;
  std::uint64_t mask;  // 0: none but that of the PSW
};
constexpr ExternalKind kExternalKinds[] = {
    {Kind::kEmergencySignal, kEmergencyMask},
    {Kind::kExternalCall, kExternalCallMask},
    {Kind::kClockComparator, kClockComparatorMask},
    {Kind::kCpuTimer, kCpuTimerMask},
    {Kind::kServiceEvent, kServiceMask},
    {Kind::kService, kServiceMask},
    {Kind::kPageFaultInitial, 0},
    {Kind::kPageFaultCompleted, 0},
    {Kind::kVirtio, 0},
};

// System damage and instruction-processing damage.
constexpr std::uint64_t kExigentDamage = Psw::Bit(0) | Psw::Bit(1);

constexpr std::uint32_t kMaxSixteenBits = 0xffff;

}  // namespace

InterruptionSet Admitted(const InterruptionMasks& masks, std::uint64_t machine_check_subclasses) {
  InterruptionSet set =
      SetOf(Kind::kProgram) | SetOf(Kind::kRestart) | SetOf(Kind::kSetPrefix) | SetOf(Kind::kStop);
  if (masks.psw & Psw::kMachineCheck) {
    set |= SetOf(Kind::kExigentMachineCheck);
    if (masks.control14 & machine_check_subclasses) set |= SetOf(Kind::kRepressibleMachineCheck);
  }
  if (masks.psw & Psw::kExternal) {
    for (const ExternalKind& row : kExternalKinds) {
      if ((masks.control0 & row.mask) == row.mask) set |= SetOf(row.kind);
    }
  }
  if (masks.psw & Psw::kInputOutput) {
    for (unsigned subclass = 0; subclass < 8; ++subclass) {
      if (masks.control6 & Psw::Bit(32 + static_cast<int>(subclass))) {
        set |= SetOf(InputOutputKind(subclass));
      }
    }
  }
  return set;
}

std::optional<InterruptionKind> KindOf(const abi::kvm_s390_irq& irq) {
  switch (irq.type) {
    case abi::KVM_S390_SIGP_STOP:
      return Kind::kStop;
    case abi::KVM_S390_PROGRAM_INT:
      return Kind::kProgram;
    case abi::KVM_S390_SIGP_SET_PREFIX:
      return Kind::kSetPrefix;
    case abi::KVM_S390_RESTART:
      return Kind::kRestart;
    case abi::KVM_S390_INT_PFAULT_INIT:
      return Kind::kPageFaultInitial;
    case abi::KVM_S390_INT_PFAULT_DONE:
      return Kind::kPageFaultCompleted;
    case abi::KVM_S390_MCHK:
      return irq.u.mchk.mcic & kExigentDamage ? Kind::kExigentMachineCheck
                                              : Kind::kRepressibleMachineCheck;
    case abi::KVM_S390_INT_CLOCK_COMP:
      return Kind::kClockComparator;
    case abi::KVM_S390_INT_CPU_TIMER:
      return Kind::kCpuTimer;
    case abi::KVM_S390_INT_VIRTIO:
      return Kind::kVirtio;
    case abi::KVM_S390_INT_SERVICE:
      return Kind::kService;
    case abi::KVM_S390_INT_EMERGENCY:
      return Kind::kEmergencySignal;
    case abi::KVM_S390_INT_EXTERNAL_CALL:
      return Kind::kExternalCall;
    default:
      break;
  }
  if (irq.type <= abi::KVM_S390_INT_IO_MAX) return InputOutputKind(Subclass(irq));
  return std::nullopt;
}

std::optional<abi::kvm_s390_irq> CpuInterruption(const abi::kvm_s390_interrupt& old) {
  abi::kvm_s390_irq irq{};
  irq.type = old.type;
  switch (old.type) {
    case abi::KVM_S390_PROGRAM_INT:
      if (old.parm > kMaxSixteenBits) return std::nullopt;
      irq.u.pgm.code = static_cast<std::uint16_t>(old.parm);
      return irq;
    case abi::KVM_S390_SIGP_SET_PREFIX:
      irq.u.prefix.address = old.parm;
      return irq;
    case abi::KVM_S390_SIGP_STOP:
      irq.u.stop.flags = old.parm;
      return irq;
    case abi::KVM_S390_INT_EXTERNAL_CALL:
      if (old.parm > kMaxSixteenBits) return std::nullopt;
      irq.u.extcall.code = static_cast<std::uint16_t>(old.parm);
      return irq;
    case abi::KVM_S390_INT_EMERGENCY:
      if (old.parm > kMaxSixteenBits) return std::nullopt;
      irq.u.emerg.code = static_cast<std::uint16_t>(old.parm);
      return irq;
    case abi::KVM_S390_MCHK:
      irq.u.mchk.mcic = old.parm64;
      return irq;
    case abi::KVM_S390_INT_PFAULT_INIT:
      irq.u.ext.ext_params = old.parm;
      irq.u.ext.ext_params2 = old.parm64;
      return irq;
    case abi::KVM_S390_RESTART:
    case abi::KVM_S390_INT_CLOCK_COMP:
    case abi::KVM_S390_INT_CPU_TIMER:
      return irq;
    default:
      return std::nullopt;
  }
}

std::optional<abi::kvm_s390_irq> FloatingInterruption(const abi::kvm_s390_interrupt& old) {
  abi::kvm_s390_irq irq{};
  irq.type = old.type;
  switch (old.type) {
    case abi::KVM_S390_INT_VIRTIO:
      irq.u.ext.ext_params = old.parm;
      irq.u.ext.ext_params2 = old.parm64;
      return irq;
    case abi::KVM_S390_INT_SERVICE:
      irq.u.ext.ext_params = old.parm;
      return irq;
    case abi::KVM_S390_INT_PFAULT_DONE:
      irq.u.ext.ext_params2 = old.parm64;
      return irq;
    case abi::KVM_S390_MCHK:
      irq.u.mchk.cr14 = old.parm;
      irq.u.mchk.mcic = old.parm64;
      return irq;
    default:
      break;
  }
  if (old.type > abi::KVM_S390_INT_IO_MAX) return std::nullopt;
  irq.u.io.subchannel_id = static_cast<std::uint16_t>(old.parm >> 16);
  irq.u.io.subchannel_nr = static_cast<std::uint16_t>(old.parm);
  irq.u.io.io_int_parm = static_cast<std::uint32_t>(old.parm64 >> 32);
  irq.u.io.io_int_word = static_cast<std::uint32_t>(old.parm64);
  return irq;
}

}  // namespace lethe::emulated
