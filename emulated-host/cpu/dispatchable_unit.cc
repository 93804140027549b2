#include "emulated-host/cpu/dispatchable_unit.h"

#include "emulated-host/cpu/control_authority.h"

namespace lethe::emulated {

void DispatchableUnit::RequireStores() const {
  constexpr std::uint64_t kProtectedBytes = 512;
  const bool is_low = real_ < 2 * kPageSize && real_ % kPageSize < kProtectedBytes;
  if ((cpu_.cr(0) & kLowAddressProtection) != 0 && is_low) {
    throw ProgramInterruption{.code = ProgramCode::kProtection,
                              .translation_exception = real_ & kPageMask};
  }
}

std::uint64_t WithEventControlsOf(std::uint64_t subspace, std::uint64_t before) {
  constexpr std::uint64_t kEventControls = Psw::Bit(56) | Psw::Bit(57);  // alteration, switch
  return (subspace & ~kEventControls) | (before & kEventControls);
}

SubspaceReplacement ReplaceBySubspace(Cpu& cpu, std::uint64_t aste_origin, std::uint64_t asce) {
  constexpr std::uint64_t kSubspaceGroup = Psw::Bit(54);
  constexpr std::uint32_t kInvalid = 0x8000'0000;
  if ((asce & kSubspaceGroup) == 0) return {.asce = asce};
  const DispatchableUnit unit(cpu);
  const auto base = unit.Load(DispatchableUnit::kBaseAste) & DispatchableUnit::kAsteOrigin;
  const auto subspace = unit.Load(DispatchableUnit::kSubspaceAste);
  if ((subspace & DispatchableUnit::kSubspaceActive) == 0 || base != aste_origin) {
    return {.asce = asce};
  }
  const std::uint64_t entry = cpu.AbsoluteOf(subspace & DispatchableUnit::kAsteOrigin);
  if ((cpu.LoadAbsolute<std::uint32_t>(entry) & kInvalid) != 0) {
    return {.exception = ProgramCode::kAsteValidity};
  }
  if (cpu.LoadAbsolute<std::uint32_t>(entry + 20) !=
      unit.Load(DispatchableUnit::kSubspaceSequence)) {
    return {.exception = ProgramCode::kAsteSequence};
  }
  return {.asce = WithEventControlsOf(cpu.LoadAbsolute<std::uint64_t>(entry + 8), asce)};
}

}  // namespace lethe::emulated
