#ifndef LETHE_EMULATED_HOST_CPU_CONTROL_AUTHORITY_H_
#define LETHE_EMULATED_HOST_CPU_CONTROL_AUTHORITY_H_

// What semiprivileged instructions ask before they act: bits of control registers 0 and 3 and of
// the PSW (Principles of Operation, "Control", authorization mechanisms).

#include <cstdint>
#include <optional>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/registers.h"

namespace lethe::emulated {

// Bits of control register 0, numbered as in the manual.
inline constexpr std::uint64_t kSsmSuppression = Psw::Bit(33);
inline constexpr std::uint64_t kLowAddressProtection = Psw::Bit(35);
inline constexpr std::uint64_t kExtractionAuthority = Psw::Bit(36);
inline constexpr std::uint64_t kSecondarySpaceControl = Psw::Bit(37);
inline constexpr std::uint64_t kFetchProtectionOverride = Psw::Bit(38);
inline constexpr std::uint64_t kStorageProtectionOverride = Psw::Bit(39);

inline bool DatIsOn(Cpu& cpu) { return (cpu.psw_mask() & Psw::kDat) != 0; }

inline AddressSpace CurrentSpace(Cpu& cpu) {
  return static_cast<AddressSpace>((cpu.psw_mask() & Psw::kAddressSpaceMask) >> 46);
}

inline std::uint8_t CurrentKey(Cpu& cpu) {
  return static_cast<std::uint8_t>((cpu.psw_mask() & Psw::kKeyMask) >> 52);
}

inline void SpecialOperationUnless(Cpu& cpu, bool condition) {
  if (!condition) cpu.Interrupt(ProgramCode::kSpecialOperation);
}

// IPK, EPAR, IAC ...: in the problem state, extraction authority is needed.
inline void RequireExtractionAuthority(Cpu& cpu) {
  if (cpu.ProblemState() && (cpu.cr(0) & kExtractionAuthority) == 0) {
    cpu.Interrupt(ProgramCode::kPrivilegedOperation);
  }
}

// May the program use access key `key`: in the problem state only those of the PSW-key mask.
inline bool KeyIsPermitted(Cpu& cpu, std::uint8_t key) {
  return !cpu.ProblemState() || ((cpu.cr(3) >> 16) & (0x8000u >> key)) != 0;
}

inline void RequireKey(Cpu& cpu, std::uint8_t key) {
  if (!KeyIsPermitted(cpu, key)) cpu.Interrupt(ProgramCode::kPrivilegedOperation);
}

// The space-switch event of an instruction that made the CPU enter or leave home-space mode and is
// complete, if one of the two spaces asks for it or a PER event is to be indicated. What is
// reported is the space that was left: its number (none for home space) and, in bit 32, whether it
// was the one that asked.
inline std::optional<ProgramInterruption> SpaceSwitchEvent(Cpu& cpu, AddressSpace from,
                                                           AddressSpace to) {
  constexpr std::uint64_t kEventControl = Psw::Bit(57);
  constexpr std::uint64_t kLeftSpaceAsked = Psw::Bit(32);
  const bool was_home = from == AddressSpace::kHome;
  if (was_home == (to == AddressSpace::kHome)) return std::nullopt;
  if (((cpu.cr(1) | cpu.cr(13)) & kEventControl) == 0 && !cpu.HasProgramEvent()) {
    return std::nullopt;
  }
  const bool asked = (cpu.cr(was_home ? 13 : 1) & kEventControl) != 0;
  const std::uint64_t left = was_home ? 0 : cpu.cr(4) & 0xffff;
  return ProgramInterruption{.code = ProgramCode::kSpaceSwitch,
                             .translation_exception = left | (asked ? kLeftSpaceAsked : 0)};
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CONTROL_AUTHORITY_H_
