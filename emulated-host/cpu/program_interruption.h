#ifndef LETHE_EMULATED_HOST_CPU_PROGRAM_INTERRUPTION_H_
#define LETHE_EMULATED_HOST_CPU_PROGRAM_INTERRUPTION_H_

#include <cstdint>

namespace lethe::emulated {

// Program-interruption codes (Principles of Operation, "Interruptions", figure of codes).
enum class ProgramCode : std::uint16_t {
  kNone = 0,
  kOperation = 0x01,
  kPrivilegedOperation = 0x02,
  kExecute = 0x03,
  kProtection = 0x04,
  kAddressing = 0x05,
  kSpecification = 0x06,
  kData = 0x07,
  kFixedPointOverflow = 0x08,
  kFixedPointDivide = 0x09,
  kDecimalOverflow = 0x0a,
  kDecimalDivide = 0x0b,
  kHfpExponentOverflow = 0x0c,
  kHfpExponentUnderflow = 0x0d,
  kHfpSignificance = 0x0e,
  kHfpDivide = 0x0f,
  kSegmentTranslation = 0x10,
  kPageTranslation = 0x11,
  kTranslationSpecification = 0x12,
  kSpecialOperation = 0x13,
  kOperand = 0x15,
  kTraceTable = 0x16,
  kSpaceSwitch = 0x1c,
  kHfpSquareRoot = 0x1d,
  kPcTranslationSpecification = 0x1f,
  kAfxTranslation = 0x20,
  kAsxTranslation = 0x21,
  kLxTranslation = 0x22,
  kExTranslation = 0x23,
  kPrimaryAuthority = 0x24,
  kSecondaryAuthority = 0x25,
  kAletSpecification = 0x28,
  kAlenTranslation = 0x29,
  kAleSequence = 0x2a,
  kAsteValidity = 0x2b,
  kAsteSequence = 0x2c,
  kExtendedAuthority = 0x2d,
  kStackFull = 0x30,
  kStackEmpty = 0x31,
  kStackSpecification = 0x32,
  kStackType = 0x33,
  kStackOperation = 0x34,
  kAsceType = 0x38,
  kRegionFirstTranslation = 0x39,
  kRegionSecondTranslation = 0x3a,
  kRegionThirdTranslation = 0x3b,
  kMonitorEvent = 0x40,
  kPer = 0x80,
};

// Thrown by instruction functions and by storage access; caught in Cpu::Run only and turned into a
// program interruption. Never leaves emulated-host/cpu (docs/decisions say why an exception: the
// accessors' fast path then carries no check, and instruction functions read like the manual).
struct ProgramInterruption {
  ProgramCode code = ProgramCode::kNone;
  // Translation-exception identification as stored at real location 168; meaningful for protection
  // and translation exceptions.
  std::uint64_t translation_exception = 0;
  std::uint8_t exception_access = 0;  // real location 160: access register number
  std::uint8_t operand_access = 0;    // real location 162: R1 and R2 of MOVE PAGE
  std::uint32_t data_exception = 0;   // DXC, real location 147
  std::uint16_t monitor_class = 0;    // real location 148
  std::uint64_t monitor_code = 0;     // real location 176
  // Suppressed and nullified instructions differ in the old PSW: nullification points at the
  // instruction, everything else behind it. Completion (e.g. fixed-point overflow) has stored its
  // results before it throws.
  bool nullifies = false;
};

// Does the manual's figure of interruption codes say "nullified" for this code?
constexpr bool Nullifies(ProgramCode code) {
  switch (code) {
    case ProgramCode::kSegmentTranslation:
    case ProgramCode::kPageTranslation:
    case ProgramCode::kTraceTable:
    case ProgramCode::kAfxTranslation:
    case ProgramCode::kAsxTranslation:
    case ProgramCode::kLxTranslation:
    case ProgramCode::kExTranslation:
    case ProgramCode::kPrimaryAuthority:
    case ProgramCode::kSecondaryAuthority:
    case ProgramCode::kAlenTranslation:
    case ProgramCode::kAleSequence:
    case ProgramCode::kAsteValidity:
    case ProgramCode::kAsteSequence:
    case ProgramCode::kExtendedAuthority:
    case ProgramCode::kStackFull:
    case ProgramCode::kStackEmpty:
    case ProgramCode::kStackSpecification:
    case ProgramCode::kStackType:
    case ProgramCode::kStackOperation:
    case ProgramCode::kAsceType:
    case ProgramCode::kRegionFirstTranslation:
    case ProgramCode::kRegionSecondTranslation:
    case ProgramCode::kRegionThirdTranslation:
      return true;
    default:
      return false;
  }
}

// Thrown when the current instruction must be executed anew from its start although nothing is
// wrong with it: a page changed hands while it was being resolved, or the CPU was called out.
struct RestartInstruction {};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_PROGRAM_INTERRUPTION_H_
