#include "emulated-host/cpu/float_operands.h"

namespace lethe::emulated {

RoundingMode FpcRounding(Cpu& cpu) {
  switch (cpu.fpc() & 7) {
    case 1:
      return RoundingMode::kTowardZero;
    case 2:
      return RoundingMode::kTowardPlus;
    case 3:
      return RoundingMode::kTowardMinus;
    case 7:
      return RoundingMode::kPrepareShorter;
    default:
      return RoundingMode::kNearestEven;
  }
}

RoundingMode ModifierRounding(Cpu& cpu, std::uint8_t modifier) {
  switch (modifier) {
    case 0:
      return FpcRounding(cpu);
    case 1:
      return RoundingMode::kNearestAway;
    case 3:
      cpu.SpecificationUnless(cpu.HasFacility(kFloatExtension));
      return RoundingMode::kPrepareShorter;
    case 4:
      return RoundingMode::kNearestEven;
    case 5:
      return RoundingMode::kTowardZero;
    case 6:
      return RoundingMode::kTowardPlus;
    case 7:
      return RoundingMode::kTowardMinus;
    default:
      cpu.Interrupt(ProgramCode::kSpecification);
  }
}

RoundingMode ExtensionRounding(Cpu& cpu, const Op& op) {
  return cpu.HasFacility(kFloatExtension) ? ModifierRounding(cpu, op.r3) : FpcRounding(cpu);
}

bool SuppressesInexact(Cpu& cpu, const Op& op) {
  return (op.x2 & 4) != 0 && cpu.HasFacility(kFloatExtension);
}

Completion NoteRounding(Cpu& cpu, const Rounded& rounded, bool suppress_inexact) {
  const std::uint8_t masks = IeeeMasks(cpu);
  const std::uint8_t inexact = !rounded.inexact      ? 0
                               : rounded.incremented ? kIeeeInexact | kIeeeIncremented
                                                     : kIeeeInexact;
  const bool underflow = rounded.tiny && (rounded.inexact || (masks & kIeeeUnderflow) != 0);
  const std::uint8_t range = rounded.overflow ? kIeeeOverflow : underflow ? kIeeeUnderflow : 0;
  if ((range & masks) != 0) return Completion(range | inexact);
  SetIeeeFlags(cpu, range);
  if (inexact == 0 || suppress_inexact) return Completion();
  if ((masks & kIeeeInexact) != 0) return Completion(inexact);
  SetIeeeFlags(cpu, kIeeeInexact);
  return Completion();
}

}  // namespace lethe::emulated
