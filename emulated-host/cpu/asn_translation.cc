#include "emulated-host/cpu/asn_translation.h"

#include "emulated-host/cpu/dispatchable_unit.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kInvalid = 0x8000'0000;

AsnLookup LookUpEntry(Cpu& cpu, std::uint64_t origin) {
  constexpr std::uint32_t kAuthorityTable = 0x7fff'fffc;
  const std::uint64_t absolute = cpu.AbsoluteOf(origin);
  const auto word = cpu.LoadAbsolute<std::uint32_t>(absolute);
  if ((word & kInvalid) != 0) return {.exception = ProgramCode::kAsxTranslation, .entry = {}};
  const auto lengths = cpu.LoadAbsolute<std::uint32_t>(absolute + 4);
  const SubspaceReplacement space =
      ReplaceBySubspace(cpu, origin, cpu.LoadAbsolute<std::uint64_t>(absolute + 8));
  return {.exception = space.exception,
          .entry = {.origin = origin,
                    .authority_table = word & kAuthorityTable,
                    .authorization_index = static_cast<std::uint16_t>(lengths >> 16),
                    .authority_table_length = static_cast<std::uint16_t>((lengths & 0xffff) >> 4),
                    .asce = space.asce,
                    .sequence_number = cpu.LoadAbsolute<std::uint32_t>(absolute + 20)}};
}

AsnSecondTableEntry EntryOrThrow(const AsnLookup& found, std::uint16_t asn) {
  if (found.exception != ProgramCode::kNone) ThrowWithNumber(found.exception, asn);
  return found.entry;
}

}  // namespace

AsnLookup LookUpAsn(Cpu& cpu, std::uint16_t asn) {
  constexpr std::uint64_t kFirstTable = 0x7ffff;  // CR 14 bits 45-63, in blocks
  constexpr std::uint32_t kSecondTable = 0x7fff'ffc0;
  const std::uint64_t first = (cpu.cr(14) & kFirstTable) * kPageSize + (asn >> 6) * 4;
  const auto first_entry = cpu.LoadAbsolute<std::uint32_t>(cpu.AbsoluteOf(first));
  if ((first_entry & kInvalid) != 0)
    return {.exception = ProgramCode::kAfxTranslation, .entry = {}};
  return LookUpEntry(cpu, (first_entry & kSecondTable) + (asn & 0x3f) * 64);
}

AsnSecondTableEntry TranslateAsn(Cpu& cpu, std::uint16_t asn) {
  return EntryOrThrow(LookUpAsn(cpu, asn), asn);
}

AsnSecondTableEntry LoadAsnSecondTableEntry(Cpu& cpu, std::uint64_t origin, std::uint16_t asn) {
  return EntryOrThrow(LookUpEntry(cpu, origin), asn);
}

bool IsAuthorized(Cpu& cpu, const AsnSecondTableEntry& entry, std::uint16_t authorization_index,
                  Authority authority) {
  // A byte holds four pairs of bits, primary and secondary; the length counts words.
  if (authorization_index >> 4 > entry.authority_table_length) return false;
  const std::uint64_t real = entry.authority_table + (authorization_index >> 2);
  const auto byte = cpu.LoadAbsolute<std::uint8_t>(cpu.AbsoluteOf(real));
  const int bit = (authorization_index & 3) * 2 + (authority == Authority::kSecondary ? 1 : 0);
  return (byte & (0x80 >> bit)) != 0;
}

void RequireSecondaryAuthority(Cpu& cpu, const AsnSecondTableEntry& entry, std::uint16_t asn,
                               std::uint16_t authorization_index) {
  if (!IsAuthorized(cpu, entry, authorization_index, Authority::kSecondary)) {
    ThrowWithNumber(ProgramCode::kSecondaryAuthority, asn);
  }
}

bool AsnTranslationIsOn(Cpu& cpu) { return (cpu.cr(14) & Psw::Bit(44)) != 0; }

void ThrowWithNumber(ProgramCode code, std::uint64_t number) {
  throw ProgramInterruption{
      .code = code, .translation_exception = number, .nullifies = Nullifies(code)};
}

}  // namespace lethe::emulated
