// Control instructions on the linkage stack.

#include <array>
#include <cstdint>

#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/linkage_stack.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kModeBits = Psw::kExtendedAddressing | Psw::kBasicAddressing;
constexpr std::uint64_t kBit32 = 0x8000'0000;

void RequirePrimaryOrAccessRegisterMode(Cpu& cpu) {
  const AddressSpace space = CurrentSpace(cpu);
  SpecialOperationUnless(cpu, DatIsOn(cpu) && (space == AddressSpace::kPrimary ||
                                               space == AddressSpace::kAccessRegister));
}

void RequireModeForExtraction(Cpu& cpu) {
  SpecialOperationUnless(cpu, DatIsOn(cpu) && CurrentSpace(cpu) != AddressSpace::kSecondary);
}

// An address in a register that carries its addressing mode: bit 63 is one: 64 bits; otherwise bit
// 32 says 31 or 24.
Psw WithAddressAndMode(std::uint64_t mask, std::uint64_t value) {
  mask &= ~kModeBits;
  if ((value & 1) != 0) return {mask | kModeBits, value - 1};
  if ((value & kBit32) != 0) return {mask | Psw::kBasicAddressing, value & (kBit32 - 1)};
  return {mask, value & 0xff'ffff};
}

// The reverse, for an address of the present mode.
std::uint64_t AddressWithMode(Cpu& cpu, std::uint64_t address) {
  switch (cpu.AddressingBits()) {
    case 64:
      return address | 1;
    case 31:
      return address | kBit32;
    default:
      return address;
  }
}

const Op* BranchAndStack(Cpu& cpu, const Op& op) {
  RequirePrimaryOrAccessRegisterMode(cpu);
  const std::uint64_t next = cpu.NextAddress(op);
  const std::uint64_t target = op.r2 == 0 ? next : cpu.WrapAddress(cpu.gr(op.r2));
  const Psw back =
      op.r1 == 0 ? Psw{cpu.psw_mask(), next} : WithAddressAndMode(cpu.psw_mask(), cpu.gr(op.r1));
  LinkageStack(cpu).Push(LinkageStack::Type::kBranch, back, AddressWithMode(cpu, target));
  return op.r2 == 0 ? cpu.Resume(target) : cpu.BranchAndResume(target);
}

template <typename Take>
void ForEachRegister(const Op& op, Take take) {
  for (int i = op.r1;; i = (i + 1) & 15) {
    take(i);
    if (i == op.r2) return;
  }
}

struct StackedRegisters {
  std::array<std::uint64_t, 16> general;
  std::array<std::uint32_t, 16> access;
};

StackedRegisters TakeStackedRegisters(Cpu& cpu, const Op& op) {
  RequireModeForExtraction(cpu);
  const LinkageStack stack(cpu);
  const LinkageStack::StateEntry top = stack.Top(/*to_return=*/false);
  StackedRegisters taken;
  ForEachRegister(op, [&](int i) {
    taken.general[i] = stack.General(top, i);
    taken.access[i] = stack.Access(top, i);
  });
  return taken;
}

void ExtractStackedRegisters(Cpu& cpu, const Op& op) {
  const StackedRegisters taken = TakeStackedRegisters(cpu, op);
  ForEachRegister(op, [&](int i) {
    cpu.SetLow(i, static_cast<std::uint32_t>(taken.general[i]));
    cpu.ar(i) = taken.access[i];
  });
}

void ExtractStackedRegistersLong(Cpu& cpu, const Op& op) {
  const StackedRegisters taken = TakeStackedRegisters(cpu, op);
  ForEachRegister(op, [&](int i) {
    cpu.gr(i) = taken.general[i];
    cpu.ar(i) = taken.access[i];
  });
}

// The PSW in ESA/390 format; the rightmost bit tells of an address that does not fit.
std::uint64_t ShortFormat(const Psw& psw) {
  constexpr std::uint64_t kAddress = kBit32 - 1;
  const std::uint64_t address = psw.address > kAddress ? (psw.address & kAddress) | 1 : psw.address;
  return (psw.mask & ~std::uint64_t{kAddress}) | Psw::kShort | address;
}

void ExtractStackedState(Cpu& cpu, const Op& op) {
  RequireModeForExtraction(cpu);
  constexpr std::uint8_t kLongPsw = 4;
  const auto code = static_cast<std::uint8_t>(cpu.gr(op.r2));
  cpu.SpecificationUnless(op.r1 % 2 == 0 && code <= kLongPsw);
  const LinkageStack stack(cpu);
  const LinkageStack::StateEntry top = stack.Top(/*to_return=*/false);
  if (code == kLongPsw) {
    const Psw psw = stack.ReturnPsw(top);
    cpu.gr(op.r1) = psw.mask;
    cpu.gr(op.r1 + 1) = psw.address;
  } else {
    const std::uint64_t value = code == 0   ? stack.Authority(top)
                                : code == 1 ? ShortFormat(stack.ReturnPsw(top))
                                : code == 2 ? stack.Called(top)
                                            : stack.Modifiable(top);
    cpu.SetLow(op.r1, static_cast<std::uint32_t>(value >> 32));
    cpu.SetLow(op.r1 + 1, static_cast<std::uint32_t>(value));
  }
  cpu.SetCc(top.type == LinkageStack::Type::kBranch ? 0 : 1);
}

void ModifyStackedState(Cpu& cpu, const Op& op) {
  RequireModeForExtraction(cpu);
  cpu.SpecificationUnless(op.r1 % 2 == 0);
  const LinkageStack stack(cpu);
  const LinkageStack::StateEntry top = stack.Top(/*to_return=*/false);
  stack.SetModifiable(top, std::uint64_t{cpu.Low(op.r1)} << 32 | cpu.Low(op.r1 + 1));
}

constexpr Instruction kInstructions[] = {
    {0xb240, "BAKR", Format::kRRE, kBase, Branching<&BranchAndStack>},
    {0xb247, "MSTA", Format::kRRE, kBase, Straight<&ModifyStackedState>},
    {0xb249, "EREG", Format::kRRE, kBase, Straight<&ExtractStackedRegisters>},
    {0xb24a, "ESTA", Format::kRRE, kBase, Straight<&ExtractStackedState>},
    {0xb90e, "EREGG", Format::kRRE, kBase, Straight<&ExtractStackedRegistersLong>},
};

}  // namespace

absl::Span<const Instruction> LinkageInstructions() { return kInstructions; }

}  // namespace lethe::emulated
