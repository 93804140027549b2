// The floating-point-control register.

#include <cstdint>

#include "emulated-host/cpu/float_operands.h"
#include "emulated-host/cpu/float_tables.h"

namespace lethe::emulated {
namespace {

// Bits without a meaning. (The bits of decimal floating point are stored as they come.)
constexpr std::uint32_t kFpcReserved = 0x0303'0088;
constexpr std::uint32_t kFpcFlags = 0x00ff'0000;

bool IsRoundingMode(Cpu& cpu, std::uint32_t mode) {
  return mode <= 3 || (mode == 7 && cpu.HasFacility(kFloatExtension));
}

void RequireValidFpc(Cpu& cpu, std::uint32_t value) {
  cpu.SpecificationUnless((value & kFpcReserved) == 0 && IsRoundingMode(cpu, value & 7));
}

void ExtractFpc(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  cpu.SetLow(op.r1, cpu.fpc());
}

void StoreFpc(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  cpu.Store<std::uint32_t>(cpu.Operand2(op), cpu.fpc());
}

void SetFpc(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  const std::uint32_t value = cpu.Low(op.r1);
  RequireValidFpc(cpu, value);
  cpu.fpc() = value;
}

void LoadFpc(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  const auto value = cpu.Load<std::uint32_t>(cpu.Operand2(op));
  RequireValidFpc(cpu, value);
  cpu.fpc() = value;
}

// Of the flags that meet an enabled mask the one that counts, as data-exception code; 0 if none.
std::uint8_t SimulatedException(std::uint8_t signaled) {
  constexpr std::uint8_t kSimulated = 3;
  constexpr std::uint8_t kQuantum = 4;
  if (signaled == 0) return 0;
  for (const std::uint8_t alone : {kIeeeInvalid, kIeeeDivideByZero}) {
    if ((signaled & alone) != 0) return alone | kSimulated;
  }
  for (const std::uint8_t range : {kIeeeOverflow, kIeeeUnderflow}) {
    if ((signaled & range) != 0) return (signaled & (range | kIeeeInexact)) | kSimulated;
  }
  return (signaled & kIeeeInexact) != 0 ? kIeeeInexact | kSimulated : kQuantum | kSimulated;
}

// The new FPC register takes over the flags that were on; they "signal" if the new masks say so.
void SetFpcAndSignal(Cpu& cpu, std::uint32_t value) {
  RequireValidFpc(cpu, value);
  const std::uint32_t signaling = cpu.fpc();
  cpu.fpc() = value | (signaling & kFpcFlags);
  const auto signaled = static_cast<std::uint8_t>((signaling >> 16) & (value >> 24));
  const std::uint8_t data_exception = SimulatedException(signaled);
  if (data_exception != 0) cpu.DataException(data_exception);
}

void SetFpcAndSignalFromGr(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  SetFpcAndSignal(cpu, cpu.Low(op.r1));
}

void LoadFpcAndSignal(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  SetFpcAndSignal(cpu, cpu.Load<std::uint32_t>(cpu.Operand2(op)));
}

void SetBfpRounding(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  cpu.fpc() = (cpu.fpc() & ~7u) | (cpu.Address2(op) & 3);
}

void SetBfpRounding3Bit(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  const auto mode = static_cast<std::uint32_t>(cpu.Address2(op) & 0xff);
  cpu.SpecificationUnless(IsRoundingMode(cpu, mode));
  cpu.fpc() = (cpu.fpc() & ~7u) | mode;
}

void SetDfpRounding(Cpu& cpu, const Op& op) {
  constexpr std::uint32_t kMode = 0x70;
  RequireBfp(cpu);
  cpu.fpc() = (cpu.fpc() & ~kMode) | static_cast<std::uint32_t>(cpu.Address2(op) & 7) << 4;
}

constexpr Instruction kInstructions[] = {
    {0xb299, "SRNM", Format::kS, kBase, Straight<&SetBfpRounding>},
    {0xb29c, "STFPC", Format::kS, kBase, Straight<&StoreFpc>},
    {0xb29d, "LFPC", Format::kS, kBase, Straight<&LoadFpc>},
    {0xb2b8, "SRNMB", Format::kS, kFloatExtension, Straight<&SetBfpRounding3Bit>},
    {0xb2b9, "SRNMT", Format::kS, kFloatSupport, Straight<&SetDfpRounding>},
    {0xb2bd, "LFAS", Format::kS, kFloatSupport, Straight<&LoadFpcAndSignal>},
    {0xb384, "SFPC", Format::kRRE, kBase, Straight<&SetFpc>},
    {0xb385, "SFASR", Format::kRRE, kFloatSupport, Straight<&SetFpcAndSignalFromGr>},
    {0xb38c, "EFPC", Format::kRRE, kBase, Straight<&ExtractFpc>},
};

}  // namespace

absl::Span<const Instruction> FloatControlInstructions() { return kInstructions; }

}  // namespace lethe::emulated
