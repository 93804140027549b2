// Semiprivileged control instructions that choose, load or show address spaces.

#include <cstdint>

#include "emulated-host/cpu/asn_translation.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kAsnMask = 0xffff;  // CR 3 (secondary) and CR 4 (primary), bits 48-63

std::uint16_t PrimaryAsn(Cpu& cpu) { return static_cast<std::uint16_t>(cpu.cr(4)); }
std::uint16_t SecondaryAsn(Cpu& cpu) { return static_cast<std::uint16_t>(cpu.cr(3)); }

// Spaces as SAC and IAC number them: 0 primary, 1 secondary, 2 access-register, 3 home. The PSW has
// these two bits the other way round.
constexpr std::uint8_t SwapTwoBits(std::uint8_t value) {
  return static_cast<std::uint8_t>((value & 1) << 1 | value >> 1);
}

const Op* SetAddressSpaceControl(Cpu& cpu, const Op& op) {
  const auto code = static_cast<std::uint8_t>(cpu.Address2(op) >> 8 & 0xf);
  SpecialOperationUnless(cpu, DatIsOn(cpu) && (cpu.cr(0) & kSecondarySpaceControl) != 0);
  cpu.SpecificationUnless(code <= 3);
  const AddressSpace from = CurrentSpace(cpu);
  const auto to = static_cast<AddressSpace>(SwapTwoBits(code));
  if (to == AddressSpace::kHome) cpu.PrivilegedOperationIfProblemState();
  cpu.SetPswMask((cpu.psw_mask() & ~Psw::kAddressSpaceMask) | static_cast<std::uint64_t>(to) << 46);
  if (const auto event = SpaceSwitchEvent(cpu, from, to)) throw *event;
  return cpu.Resume(cpu.NextAddress(op));
}

void InsertAddressSpaceControl(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, DatIsOn(cpu));
  RequireExtractionAuthority(cpu);
  const std::uint8_t code = SwapTwoBits(static_cast<std::uint8_t>(CurrentSpace(cpu)));
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~std::uint64_t{0xff00}) | std::uint64_t{code} << 8;
  cpu.SetCc(code);
}

void ExtractPrimaryAsn(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, DatIsOn(cpu));
  RequireExtractionAuthority(cpu);
  cpu.SetLow(op.r1, PrimaryAsn(cpu));
}

void ExtractSecondaryAsn(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, DatIsOn(cpu));
  RequireExtractionAuthority(cpu);
  cpu.SetLow(op.r1, SecondaryAsn(cpu));
}

const Op* SetSecondaryAsn(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu) && DatIsOn(cpu));
  const auto asn = static_cast<std::uint16_t>(cpu.gr(op.r1));
  std::uint64_t asce = cpu.cr(1);
  if (asn != PrimaryAsn(cpu)) {
    const AsnSecondTableEntry entry = TranslateAsn(cpu, asn);
    RequireSecondaryAuthority(cpu, entry, asn, static_cast<std::uint16_t>(cpu.cr(4) >> 16));
    asce = entry.asce;
  }
  cpu.SetControl(3, (cpu.cr(3) & ~kAsnMask) | asn);
  cpu.SetControl(7, asce);
  return cpu.Resume(cpu.NextAddress(op));
}

// TEST ACCESS: where the ALET in access register R1 leads. 0: the primary space; 1: through the
// dispatchable unit's access list; 2: through the primary space's; 3: nowhere, or it is 1.
void TestAccess(Cpu& cpu, const Op& op) {
  const std::uint32_t alet = cpu.ar(op.r1);
  if (alet <= 1) return cpu.SetCc(alet == 0 ? 0 : 3);
  const auto authorization_index = static_cast<std::uint16_t>(cpu.gr(op.r2) >> 16);
  const Cpu::AletTranslation found = cpu.TranslateAlet(alet, authorization_index, op.r1);
  switch (found.exception.code) {
    case ProgramCode::kNone:
      return cpu.SetCc(found.from_dispatchable_unit ? 1 : 2);
    case ProgramCode::kAletSpecification:
    case ProgramCode::kAlenTranslation:
    case ProgramCode::kAleSequence:
    case ProgramCode::kAsteValidity:
    case ProgramCode::kAsteSequence:
    case ProgramCode::kExtendedAuthority:
      return cpu.SetCc(3);
    default:
      throw found.exception;
  }
}

// LOAD ADDRESS SPACE PARAMETERS: key mask, secondary ASN, authorization index and primary ASN from
// the first operand. Bits of the second operand's address: translate in any case, take the
// authorization index from the operand, skip the authorization of the secondary space.
void LoadAddressSpaceParameters(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kForceTranslation = 4;
  constexpr std::uint64_t kIndexFromOperand = 2;
  constexpr std::uint64_t kSkipAuthorization = 1;
  constexpr std::uint64_t kEventControl = Psw::Bit(57);
  constexpr std::uint8_t kPrimaryNotAvailable = 1;
  constexpr std::uint8_t kSecondaryNotAvailable = 2;
  constexpr std::uint8_t kSpaceSwitchEvent = 3;
  SpecialOperationUnless(cpu, AsnTranslationIsOn(cpu));
  const LogicalAddress operand = cpu.Operand1(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  const std::uint64_t options = cpu.Address2(op);
  const bool force = (options & kForceTranslation) != 0;
  const bool skip = (options & kSkipAuthorization) != 0;
  const auto wanted = cpu.Load<std::uint64_t>(operand);
  const auto secondary = static_cast<std::uint16_t>(wanted >> 32);
  const auto primary = static_cast<std::uint16_t>(wanted);

  std::uint64_t primary_asce = cpu.cr(1);
  std::uint64_t primary_entry = cpu.cr(5) & 0xffff'ffff;
  auto index = static_cast<std::uint16_t>(cpu.cr(4) >> 16);
  if (force || primary != PrimaryAsn(cpu)) {
    const AsnLookup found = LookUpAsn(cpu, primary);
    if (found.exception != ProgramCode::kNone) return cpu.SetCc(kPrimaryNotAvailable);
    if (((cpu.cr(1) | found.entry.asce) & kEventControl) != 0) return cpu.SetCc(kSpaceSwitchEvent);
    primary_asce = found.entry.asce;
    primary_entry = found.entry.origin;
    index = found.entry.authorization_index;
  }
  if ((options & kIndexFromOperand) != 0) index = static_cast<std::uint16_t>(wanted >> 16);

  std::uint64_t secondary_asce = primary_asce;
  if (secondary != primary) {
    if (!force && skip && secondary == SecondaryAsn(cpu)) {
      secondary_asce = cpu.cr(7);
    } else {
      const AsnLookup found = LookUpAsn(cpu, secondary);
      if (found.exception != ProgramCode::kNone ||
          (!skip && !IsAuthorized(cpu, found.entry, index, Authority::kSecondary))) {
        return cpu.SetCc(kSecondaryNotAvailable);
      }
      secondary_asce = found.entry.asce;
    }
  }
  const auto load_right = [&](int number, std::uint64_t value) {
    cpu.SetControl(number, (cpu.cr(number) & ~std::uint64_t{0xffff'ffff}) | value);
  };
  cpu.SetControl(1, primary_asce);
  load_right(3, wanted >> 48 << 16 | secondary);
  load_right(4, std::uint64_t{index} << 16 | primary);
  load_right(5, primary_entry);
  cpu.SetControl(7, secondary_asce);
  cpu.SetCc(0);
}

const Op* LoadAddressSpaceParametersAndResume(Cpu& cpu, const Op& op) {
  LoadAddressSpaceParameters(cpu, op);
  return cpu.Resume(cpu.NextAddress(op));
}

constexpr Instruction kInstructions[] = {
    {0xb219, "SAC", Format::kS, kBase, Branching<&SetAddressSpaceControl>},
    {0xb224, "IAC", Format::kRRE, kBase, Straight<&InsertAddressSpaceControl>},
    {0xb225, "SSAR", Format::kRRE, kBase, Branching<&SetSecondaryAsn>},
    {0xb226, "EPAR", Format::kRRE, kBase, Straight<&ExtractPrimaryAsn>},
    {0xb227, "ESAR", Format::kRRE, kBase, Straight<&ExtractSecondaryAsn>},
    {0xb24c, "TAR", Format::kRRE, kBase, Straight<&TestAccess>},
    {0xe500, "LASP", Format::kSSE, kBase,
     PrivilegedBranching<&LoadAddressSpaceParametersAndResume>},
    {0xb279, "SACF", Format::kS, kBase, Branching<&SetAddressSpaceControl>},
};

}  // namespace

absl::Span<const Instruction> AddressSpaceInstructions() { return kInstructions; }

}  // namespace lethe::emulated
