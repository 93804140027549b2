#ifndef LETHE_EMULATED_HOST_CPU_ASN_TRANSLATION_H_
#define LETHE_EMULATED_HOST_CPU_ASN_TRANSLATION_H_

#include <cstdint>

#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

// The fields of an ASN-second-table entry that instructions use.
struct AsnSecondTableEntry {
  std::uint64_t origin = 0;           // real address of the entry
  std::uint64_t authority_table = 0;  // real address
  std::uint16_t authorization_index = 0;
  std::uint16_t authority_table_length = 0;
  std::uint64_t asce = 0;
  std::uint32_t sequence_number = 0;
};

// A translation that may end in AFX- or ASX-translation, or in the exceptions of subspace
// replacement; the entry has the space that replaces its own.
struct AsnLookup {
  ProgramCode exception = ProgramCode::kNone;
  AsnSecondTableEntry entry;
};
AsnLookup LookUpAsn(Cpu& cpu, std::uint16_t asn);

// The entry at a real address, which an entry-table entry of PROGRAM CALL gives for `asn`. Throws
// ASX-translation if it is not valid.
AsnSecondTableEntry LoadAsnSecondTableEntry(Cpu& cpu, std::uint64_t origin, std::uint16_t asn);

// Principles of Operation, "ASN Translation". Throws AFX- and ASX-translation and what access to
// the tables meets. The caller has looked at the ASN-translation control.
AsnSecondTableEntry TranslateAsn(Cpu& cpu, std::uint16_t asn);

// "ASN Authorization": does the authority table of the space let programs with
// `authorization_index` make it their primary (or secondary) space?
enum class Authority : std::uint8_t { kPrimary, kSecondary };
bool IsAuthorized(Cpu& cpu, const AsnSecondTableEntry& entry, std::uint16_t authorization_index,
                  Authority authority);

// The same for the secondary space, with the exception that instructions throw.
void RequireSecondaryAuthority(Cpu& cpu, const AsnSecondTableEntry& entry, std::uint16_t asn,
                               std::uint16_t authorization_index);

// Control register 14: may ASNs be translated at all?
bool AsnTranslationIsOn(Cpu& cpu);

// An exception that puts an ASN, or another number, at real location 168.
[[noreturn]] void ThrowWithNumber(ProgramCode code, std::uint64_t number);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_ASN_TRANSLATION_H_
