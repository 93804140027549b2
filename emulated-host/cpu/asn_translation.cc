#include "emulated-host/cpu/asn_translation.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kInvalid = 0x8000'0000;

[[noreturn]] void ThrowForAsn(ProgramCode code, std::uint16_t asn) {
  throw ProgramInterruption{
      .code = code, .translation_exception = asn, .nullifies = Nullifies(code)};
}

}  // namespace

AsnSecondTableEntry TranslateAsn(Cpu& cpu, std::uint16_t asn) {
  constexpr std::uint64_t kFirstTable = 0x7ffff;  // CR 14 bits 45-63, in blocks
  constexpr std::uint32_t kSecondTable = 0x7fff'ffc0;
  const std::uint64_t first = (cpu.cr(14) & kFirstTable) * kPageSize + (asn >> 6) * 4;
  const auto first_entry = cpu.LoadAbsolute<std::uint32_t>(cpu.AbsoluteOf(first));
  if ((first_entry & kInvalid) != 0) ThrowForAsn(ProgramCode::kAfxTranslation, asn);

  constexpr std::uint32_t kAuthorityTable = 0x7fff'fffc;
  const std::uint64_t second = (first_entry & kSecondTable) + (asn & 0x3f) * 64;
  AsnSecondTableEntry entry{.absolute = cpu.AbsoluteOf(second)};
  const auto word = cpu.LoadAbsolute<std::uint32_t>(entry.absolute);
  if ((word & kInvalid) != 0) ThrowForAsn(ProgramCode::kAsxTranslation, asn);
  entry.authority_table = word & kAuthorityTable;
  entry.is_base_space = (word & 1) != 0;
  entry.authorization_index = cpu.LoadAbsolute<std::uint16_t>(entry.absolute + 4);
  entry.authority_table_length = cpu.LoadAbsolute<std::uint16_t>(entry.absolute + 6) >> 4;
  entry.asce = cpu.LoadAbsolute<std::uint64_t>(entry.absolute + 8);
  return entry;
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

bool AsnTranslationIsOn(Cpu& cpu) { return (cpu.cr(14) & Psw::Bit(44)) != 0; }

}  // namespace lethe::emulated
