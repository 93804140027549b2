// PROGRAM CALL, PROGRAM TRANSFER and PROGRAM RETURN.

#include <array>
#include <cstdint>

#include "emulated-host/cpu/address_spaces.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/entry_table.h"
#include "emulated-host/cpu/linkage_stack.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kModeBits = Psw::kExtendedAddressing | Psw::kBasicAddressing;
constexpr std::uint64_t kBit32 = 0x8000'0000;
constexpr std::uint64_t kPsw24BitAddress = 0xff'ffff;

bool InAccessRegisterMode(Cpu& cpu) { return CurrentSpace(cpu) == AddressSpace::kAccessRegister; }

void RequirePrimaryMode(Cpu& cpu, bool or_access_register_mode) {
  SpecialOperationUnless(cpu,
                         DatIsOn(cpu) && (CurrentSpace(cpu) == AddressSpace::kPrimary ||
                                          (or_access_register_mode && InAccessRegisterMode(cpu))));
}

// Completes an instruction that loads a new PSW and new address spaces. The old PSW of a
// space-switch event is the one just loaded.
const Op* Complete(Cpu& cpu, const Op& op, const Psw& psw, const AddressSpaces& spaces) {
  const std::uint8_t length = cpu.InstructionLength(op);
  spaces.Load();
  const Op* const next = cpu.BranchToPsw(psw);
  if (const auto event = spaces.Event()) cpu.PresentProgram(*event, length);
  return next;
}

void CheckEntry(Cpu& cpu, const EntryTableEntry& entry) {
  if (!entry.stacking) {
    SpecialOperationUnless(
        cpu, !InAccessRegisterMode(cpu) && entry.is_long() == (cpu.AddressingBits() == 64));
  }
  if (entry.mode_bits == 0 && entry.instruction_address > kPsw24BitAddress) {
    cpu.Interrupt(ProgramCode::kPcTranslationSpecification);
  }
  const auto key_mask = static_cast<std::uint16_t>(cpu.cr(3) >> 16);
  if (cpu.ProblemState() && (key_mask & entry.authorization_key_mask) == 0) {
    cpu.Interrupt(ProgramCode::kPrivilegedOperation);
  }
}

// GRs 3 and 14 of a basic call: what PROGRAM TRANSFER needs to come back.
void SaveForTransfer(Cpu& cpu, const Op& op, const AddressSpaces& before) {
  const std::uint64_t next = cpu.NextAddress(op);
  const std::uint64_t problem = cpu.ProblemState() ? 1 : 0;
  if (cpu.AddressingBits() == 64) {
    cpu.gr(14) = next | problem;
  } else {
    const std::uint64_t mode = cpu.AddressingBits() == 31 ? kBit32 : 0;
    cpu.SetLow(14, static_cast<std::uint32_t>(mode | next | problem));
  }
  cpu.SetLow(3, std::uint32_t{before.key_mask()} << 16 | before.primary_asn());
}

Psw CalledPsw(Cpu& cpu, const EntryTableEntry& entry) {
  std::uint64_t mask = cpu.psw_mask() & ~(kModeBits | Psw::kProblemState);
  mask |= entry.mode_bits | (entry.problem_state ? Psw::kProblemState : 0);
  if (entry.stacking) {
    mask &= ~Psw::kAddressSpaceMask;
    if (entry.access_register_mode) {
      mask |= static_cast<std::uint64_t>(AddressSpace::kAccessRegister) << 46;
    }
    if (entry.replaces_key) mask = (mask & ~Psw::kKeyMask) | std::uint64_t{entry.entry_key} << 52;
  }
  return {mask, entry.instruction_address};
}

const Op* ProgramCall(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kNumber = 0xf'ffff;
  RequirePrimaryMode(cpu, /*or_access_register_mode=*/true);
  const auto number = static_cast<std::uint32_t>(cpu.Address2(op) & kNumber);
  const EntryTableEntry entry = TranslatePcNumber(cpu, number);
  CheckEntry(cpu, entry);

  AddressSpaces spaces(cpu);
  const AddressSpaces before = spaces;
  spaces.SetSecondaryToPrimary();
  std::uint64_t called = number | (entry.is_long() ? kBit32 : 0);
  if (entry.asn != 0) {
    SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu));
    const AsnSecondTableEntry space = LoadAsnSecondTableEntry(cpu, entry.aste_origin, entry.asn);
    spaces.SetPrimary(entry.asn, space);
    if (entry.stacking && entry.secondary_is_new_primary) spaces.SetSecondaryToPrimary();
    called |= std::uint64_t{entry.asn} << 48 | std::uint64_t{space.sequence_number & 0xffff} << 32;
  }
  const std::uint16_t kept = entry.stacking && entry.replaces_key_mask ? 0 : before.key_mask();
  spaces.set_key_mask(kept | entry.entry_key_mask);

  const Psw psw = CalledPsw(cpu, entry);
  if (entry.stacking) {
    const Psw back = {cpu.psw_mask(), cpu.NextAddress(op)};
    LinkageStack(cpu).Push(LinkageStack::Type::kProgramCall, back, called);
    if (entry.replaces_extended_authorization) {
      cpu.SetControl(8, (cpu.cr(8) & ~std::uint64_t{0xffff'0000}) |
                            std::uint64_t{entry.extended_authorization_index} << 16);
    }
  } else {
    SaveForTransfer(cpu, op, before);
  }
  if (entry.is_long()) {
    cpu.gr(4) = entry.parameter;
  } else {
    cpu.SetLow(4, static_cast<std::uint32_t>(entry.parameter));
  }
  return Complete(cpu, op, psw, spaces);
}

// The PSW that general register R2 of PROGRAM TRANSFER gives.
Psw TransferredPsw(Cpu& cpu, std::uint64_t value) {
  std::uint64_t mask = cpu.psw_mask() & ~Psw::kProblemState;
  std::uint64_t address = value & ~std::uint64_t{1};
  if (cpu.AddressingBits() != 64) {
    mask &= ~Psw::kBasicAddressing;
    if ((value & kBit32) != 0) mask |= Psw::kBasicAddressing;
    address &= kBit32 - 1;
  }
  if ((value & 1) != 0) {
    mask |= Psw::kProblemState;
  } else {
    cpu.PrivilegedOperationIfProblemState();
  }
  cpu.SpecificationUnless((mask & kModeBits) != 0 || address <= kPsw24BitAddress);
  return {mask, address};
}

const Op* ProgramTransfer(Cpu& cpu, const Op& op) {
  RequirePrimaryMode(cpu, /*or_access_register_mode=*/false);
  LinkageTableDesignation(cpu);
  const Psw psw = TransferredPsw(cpu, cpu.gr(op.r2));
  const auto asn = static_cast<std::uint16_t>(cpu.gr(op.r1));
  AddressSpaces spaces(cpu);
  if (asn != spaces.primary_asn()) {
    SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu));
    const AsnSecondTableEntry space = TranslateAsn(cpu, asn);
    if (!IsAuthorized(cpu, space, spaces.authorization_index(), Authority::kPrimary)) {
      ThrowWithNumber(ProgramCode::kPrimaryAuthority, asn);
    }
    spaces.SetPrimary(asn, space);
  }
  spaces.SetSecondaryToPrimary();
  spaces.set_key_mask(spaces.key_mask() & static_cast<std::uint16_t>(cpu.gr(op.r1) >> 16));
  return Complete(cpu, op, psw, spaces);
}

// The address spaces that a program call has saved; `authority` as the linkage stack has it.
AddressSpaces SpacesToReturnTo(Cpu& cpu, std::uint64_t authority) {
  const auto secondary = static_cast<std::uint16_t>(authority >> 32);
  const auto primary = static_cast<std::uint16_t>(authority);
  AddressSpaces spaces(cpu);
  spaces.set_key_mask(static_cast<std::uint16_t>(authority >> 48));
  if (primary != spaces.primary_asn()) {
    SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu));
    spaces.SetPrimary(primary, TranslateAsn(cpu, primary));
  }
  if (secondary == primary) {
    spaces.SetSecondaryToPrimary();
  } else {
    SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu));
    const AsnSecondTableEntry space = TranslateAsn(cpu, secondary);
    RequireSecondaryAuthority(cpu, space, secondary, spaces.authorization_index());
    spaces.SetSecondary(secondary, space.asce);
  }
  return spaces;
}

const Op* ProgramReturn(Cpu& cpu, const Op& op) {
  constexpr int kFirst = 2;
  constexpr int kLast = 14;
  RequirePrimaryMode(cpu, /*or_access_register_mode=*/true);
  const LinkageStack stack(cpu);
  const LinkageStack::StateEntry top = stack.Top(/*to_return=*/true);
  Psw psw = stack.ReturnPsw(top);
  psw.mask = (psw.mask & ~Psw::kPer) | (cpu.psw_mask() & Psw::kPer);
  const std::uint64_t authority = stack.Authority(top);
  const bool from_call = top.type == LinkageStack::Type::kProgramCall;
  const AddressSpaces spaces = from_call ? SpacesToReturnTo(cpu, authority) : AddressSpaces(cpu);

  std::array<std::uint64_t, 16> general;
  std::array<std::uint32_t, 16> access;
  for (int i = kFirst; i <= kLast; ++i) {
    general[i] = stack.General(top, i);
    access[i] = stack.Access(top, i);
  }
  stack.Pop(top);
  for (int i = kFirst; i <= kLast; ++i) {
    cpu.gr(i) = general[i];
    cpu.ar(i) = access[i];
  }
  if (from_call) {
    const std::uint64_t extended_index = authority >> 16 & 0xffff;
    cpu.SetControl(8, (cpu.cr(8) & ~std::uint64_t{0xffff'0000}) | extended_index << 16);
  }
  return Complete(cpu, op, psw, spaces);
}

constexpr Instruction kInstructions[] = {
    {0x0101, "PR", Format::kE, kBase, Branching<&ProgramReturn>},
    {0xb218, "PC", Format::kS, kBase, Branching<&ProgramCall>},
    {0xb228, "PT", Format::kRRE, kBase, Branching<&ProgramTransfer>},
};

}  // namespace

absl::Span<const Instruction> ProgramCallInstructions() { return kInstructions; }

}  // namespace lethe::emulated
