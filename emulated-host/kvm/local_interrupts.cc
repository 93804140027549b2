#include "emulated-host/kvm/local_interrupts.h"

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace lethe::emulated {

using Kind = InterruptionKind;

int LocalInterrupts::Inject(const abi::kvm_s390_irq& irq) {
  const std::optional<Kind> kind = KindOf(irq);
  LETHE_CHECK(kind.has_value());
  const std::lock_guard lock(mutex_);
  switch (*kind) {
    case Kind::kExigentMachineCheck:
    case Kind::kRepressibleMachineCheck:
      InjectMachineCheck(irq);
      return 0;
    case Kind::kEmergencySignal:
      emergency_sources_.insert(irq.u.emerg.code);
      break;
    case Kind::kExternalCall:
    case Kind::kStop:
      if (pending_ & SetOf(*kind)) return -EBUSY;
      slot(*kind) = irq;
      break;
    case Kind::kProgram:
      InjectProgram(irq);
      break;
    default:
      slot(*kind) = irq;
      break;
  }
  Add(*kind);
  return 0;
}

// Repressible conditions may be reported together with exigent ones, so the masks and the code are
// combined; addresses and the logout area are those of the last check. A check of neither kind
// stays without effect until one comes.
void LocalInterrupts::InjectMachineCheck(const abi::kvm_s390_irq& irq) {
  constexpr std::uint64_t kExigent = Psw::Bit(0) | Psw::Bit(1);  // system, processing damage
  // External damage, degradation, warning.
  constexpr std::uint64_t kRepressible = Psw::Bit(5) | Psw::Bit(7) | Psw::Bit(8);
  abi::kvm_s390_irq& merged = slot(Kind::kExigentMachineCheck);
  const auto earlier = merged.u.mchk;
  merged = irq;
  merged.u.mchk.cr14 |= earlier.cr14;
  merged.u.mchk.mcic |= earlier.mcic;
  merged.u.mchk.ext_damage_code |= earlier.ext_damage_code;
  if (merged.u.mchk.mcic & kExigent) {
    Add(Kind::kExigentMachineCheck);
  } else if (merged.u.mchk.mcic & kRepressible) {
    Add(Kind::kRepressibleMachineCheck);
  }
}

// A program event is reported together with another interruption, whichever comes first.
void LocalInterrupts::InjectProgram(const abi::kvm_s390_irq& irq) {
  abi::kvm_s390_irq& merged = slot(Kind::kProgram);
  const abi::kvm_s390_pgm_info earlier = merged.u.pgm;
  const bool any = (pending_ & SetOf(Kind::kProgram)) != 0;
  const std::uint16_t code = irq.u.pgm.code;
  merged = irq;
  if (!any) return;
  const bool only_event = code == kProgramEvent;
  if (only_event) merged.u.pgm = earlier;
  if (only_event || (earlier.code & kProgramEvent & ~code) != 0) {
    const abi::kvm_s390_pgm_info& event = only_event ? irq.u.pgm : earlier;
    merged.u.pgm.code |= kProgramEvent;
    merged.u.pgm.per_code = event.per_code;
    merged.u.pgm.per_atmid = event.per_atmid;
    merged.u.pgm.per_address = event.per_address;
    merged.u.pgm.per_access_id = event.per_access_id;
  }
}

std::uint64_t LocalInterrupts::machine_check_subclasses() const {
  if ((pending() & kMachineCheckSet) == 0) return 0;
  const std::lock_guard lock(mutex_);
  if ((pending_ & kMachineCheckSet) == 0) return 0;
  return slots_[static_cast<int>(Kind::kExigentMachineCheck)].u.mchk.cr14;
}

std::optional<abi::kvm_s390_irq> LocalInterrupts::Take(InterruptionKind kind) {
  const std::lock_guard lock(mutex_);
  if ((pending_ & SetOf(kind)) == 0) return std::nullopt;
  if (kMachineCheckSet & SetOf(kind)) {
    pending_ &= ~kMachineCheckSet;
    return std::exchange(slot(Kind::kExigentMachineCheck), abi::kvm_s390_irq{});
  }
  if (kind != Kind::kEmergencySignal) {
    pending_ &= ~SetOf(kind);
    return slot(kind);
  }
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_EMERGENCY;
  irq.u.emerg.code = *emergency_sources_.begin();
  emergency_sources_.erase(emergency_sources_.begin());
  if (emergency_sources_.empty()) pending_ &= ~SetOf(kind);
  return irq;
}

void LocalInterrupts::Clear() {
  const std::lock_guard lock(mutex_);
  pending_ = 0;
  slots_ = {};
  emergency_sources_.clear();
}

std::vector<abi::kvm_s390_irq> LocalInterrupts::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<abi::kvm_s390_irq> list;
  if (pending_ & kMachineCheckSet) {
    list.push_back(slots_[static_cast<int>(Kind::kExigentMachineCheck)]);
  }
  for (int number = 0; number < kInterruptionKinds; ++number) {
    const auto kind = static_cast<Kind>(number);
    if ((pending_ & SetOf(kind) & ~kMachineCheckSet) == 0) continue;
    if (kind != Kind::kEmergencySignal) list.push_back(slots_[number]);
  }
  for (const std::uint16_t source : emergency_sources_) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EMERGENCY;
    irq.u.emerg.code = source;
    list.push_back(irq);
  }
  return list;
}

}  // namespace lethe::emulated
