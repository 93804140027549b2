#ifndef LETHE_EMULATED_HOST_KVM_INTERRUPTION_H_
#define LETHE_EMULATED_HOST_KVM_INTERRUPTION_H_

#include <cstdint>
#include <optional>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/cpu/registers.h"

namespace lethe::emulated {

// Kinds of pending interruptions, highest priority first (Principles of Operation, "Interruptions",
// priority; within the classes the order of KVM).
enum class InterruptionKind : std::uint8_t {
  kExigentMachineCheck,
  kProgram,
  kRepressibleMachineCheck,
  kEmergencySignal,
  kExternalCall,
  kClockComparator,
  kCpuTimer,
  kServiceEvent,
  kService,
  kPageFaultInitial,
  kPageFaultCompleted,
  kVirtio,
  kInputOutput0,  // by interruption subclass, 0 to 7
  kInputOutput7 = kInputOutput0 + 7,
  kRestart,
  kSetPrefix,
  kStop,  // never delivered; makes the CPU leave
};
inline constexpr int kInterruptionKinds = static_cast<int>(InterruptionKind::kStop) + 1;

// In the code of a program interruption: program-event recording has found something.
inline constexpr std::uint16_t kProgramEvent = 0x80;

// A set of kinds; the lowest bit is the highest priority.
using InterruptionSet = std::uint32_t;
constexpr InterruptionSet SetOf(InterruptionKind kind) {
  return InterruptionSet{1} << static_cast<int>(kind);
}
constexpr InterruptionKind InputOutputKind(unsigned subclass) {
  return static_cast<InterruptionKind>(static_cast<unsigned>(InterruptionKind::kInputOutput0) +
                                       subclass);
}
inline constexpr InterruptionSet kInputOutputSet =
    InterruptionSet{0xff} << static_cast<int>(InterruptionKind::kInputOutput0);
inline constexpr InterruptionSet kMachineCheckSet =
    SetOf(InterruptionKind::kExigentMachineCheck) |
    SetOf(InterruptionKind::kRepressibleMachineCheck);

// What decides whether a CPU takes an interruption now.
struct InterruptionMasks {
  std::uint64_t psw = 0;
  std::uint64_t control0 = 0;
  std::uint64_t control6 = 0;
  std::uint64_t control14 = 0;
};
inline InterruptionMasks MasksOf(const Registers& registers) {
  return {registers.psw.mask, registers.control[0], registers.control[6], registers.control[14]};
}

// The kinds that `masks` admit. `machine_check_subclasses`: those of the pending repressible
// machine checks, as bits of control register 14.
InterruptionSet Admitted(const InterruptionMasks& masks, std::uint64_t machine_check_subclasses);

// Which kind an interruption is, by its KVM_S390_* type; nullopt: no such type.
std::optional<InterruptionKind> KindOf(const abi::kvm_s390_irq& irq);

// The interruption subclass of an I/O interruption.
inline unsigned Subclass(const abi::kvm_s390_irq& irq) { return (irq.u.io.io_int_word >> 27) & 7; }

// The older form of KVM_S390_INTERRUPT, in the terms of KVM_S390_IRQ. nullopt: EINVAL.
std::optional<abi::kvm_s390_irq> CpuInterruption(const abi::kvm_s390_interrupt& old);
std::optional<abi::kvm_s390_irq> FloatingInterruption(const abi::kvm_s390_interrupt& old);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_INTERRUPTION_H_
