// Dynamic address translation and access-register translation (Principles of Operation, "Storage"
// and "Program Execution").

#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kTableOrigin = ~std::uint64_t{0xfff};
constexpr std::uint64_t kPageTableOrigin = ~std::uint64_t{0x7ff};
constexpr std::uint64_t kSegmentFrame = ~std::uint64_t{0xfffff};

// Region- and segment-table entries.
constexpr std::uint64_t kInvalid = 0x20;
constexpr std::uint64_t kProtected = 0x200;
constexpr std::uint64_t kLargeFormat = 0x400;
constexpr std::uint64_t kCommonSegment = 0x10;
// Page-table entries.
constexpr std::uint64_t kPageInvalid = 0x400;
constexpr std::uint64_t kPageMustBeZero = 0x800;
constexpr std::uint64_t kChangeRecordingOverride = 0x100;  // with enhanced DAT; else zero

// What an invalid or missing entry means, by the level of its table: 0 segment ... 3 region-first.
constexpr ProgramCode kMissing[] = {
    ProgramCode::kSegmentTranslation, ProgramCode::kRegionThirdTranslation,
    ProgramCode::kRegionSecondTranslation, ProgramCode::kRegionFirstTranslation};

}  // namespace

template <typename T>
bool Cpu::ReadTable(std::uint64_t absolute, T* entry) {
  if (storage_.Find(absolute).bytes == nullptr) return false;
  *entry = LoadAbsolute<T>(absolute);
  return true;
}

Translation Cpu::Translate(std::uint64_t address, std::uint64_t asce, AddressSpace space,
                           int access_register) {
  Translation result;
  const auto fail = [&](ProgramCode code) {
    result.exception.code = code;
    result.exception.nullifies = Nullifies(code);
    result.exception.translation_exception =
        (address & kPageMask) | static_cast<std::uint64_t>(space);
    if (space == AddressSpace::kAccessRegister) {
      result.exception.exception_access = static_cast<std::uint8_t>(access_register);
    }
    return result;
  };
  const auto found = [&](std::uint64_t real) {
    result.real = real;
    result.absolute = AbsoluteOf(real);
    return result;
  };

  if ((asce & kRealSpace) != 0) return found(address);
  const bool enhanced =
      HasFacility(kEnhancedDatFacility) && (registers_.control[0] & kEnhancedDat) != 0;
  const int top_level = static_cast<int>(asce >> 2 & 3);
  if (top_level < 3 && address >> (31 + 11 * top_level) != 0) return fail(ProgramCode::kAsceType);

  // Tables hold up to four blocks of 512 entries; the two leftmost bits of an index name the block.
  std::uint64_t origin = asce & kTableOrigin;
  std::uint64_t first_block = 0;
  std::uint64_t last_block = asce & 3;
  std::uint64_t entry = 0;
  for (int level = top_level; level >= 0; --level) {
    const std::uint64_t index = address >> (20 + 11 * level) & 0x7ff;
    result.entry = origin + index * 8;
    if (index >> 9 < first_block || index >> 9 > last_block) {
      result.beyond_table = true;
      return fail(kMissing[level]);
    }
    if (!ReadTable(result.entry, &entry)) return fail(ProgramCode::kAddressing);
    if ((entry & kInvalid) != 0) return fail(kMissing[level]);
    if (static_cast<int>(entry >> 2 & 3) != level) {
      return fail(ProgramCode::kTranslationSpecification);
    }
    if (enhanced || level == 0) result.is_protected |= (entry & kProtected) != 0;
    origin = entry & kTableOrigin;
    first_block = entry >> 6 & 3;
    last_block = entry & 3;
  }

  if ((asce & kPrivateSpace) != 0 && (entry & kCommonSegment) != 0) {
    return fail(ProgramCode::kTranslationSpecification);
  }
  if (enhanced && (entry & kLargeFormat) != 0) {
    return found((entry & kSegmentFrame) | (address & ~kSegmentFrame));
  }
  result.entry = (entry & kPageTableOrigin) + (address >> 12 & 0xff) * 8;
  if (!ReadTable(result.entry, &entry)) return fail(ProgramCode::kAddressing);
  if ((entry & kPageInvalid) != 0) return fail(ProgramCode::kPageTranslation);
  const std::uint64_t must_be_zero = kPageMustBeZero | (enhanced ? 0 : kChangeRecordingOverride);
  if ((entry & must_be_zero) != 0) return fail(ProgramCode::kTranslationSpecification);
  result.is_protected |= (entry & kProtected) != 0;
  return found((entry & kPageMask) | address % kPageSize);
}

std::uint64_t Cpu::AsceOf(AddressSpace space, int number) {
  switch (space) {
    case AddressSpace::kPrimary:
      return registers_.control[1];
    case AddressSpace::kSecondary:
      return registers_.control[7];
    case AddressSpace::kHome:
      return registers_.control[13];
    case AddressSpace::kAccessRegister:
      break;
  }
  const std::uint32_t alet = number == 0 ? 0 : registers_.access[number];
  if (alet == 0) return registers_.control[1];
  if (alet == 1) return registers_.control[7];
  const AletTranslation found =
      TranslateAlet(alet, static_cast<std::uint16_t>(registers_.control[8] >> 16), number);
  if (found.exception.code != ProgramCode::kNone) throw found.exception;
  return found.asce;
}

Cpu::AletTranslation Cpu::TranslateAlet(std::uint32_t alet, std::uint16_t eax, int number) {
  AletTranslation result;
  const auto fail = [&](ProgramCode code) {
    result.exception = {
        .code = code,
        .translation_exception = static_cast<std::uint64_t>(AddressSpace::kAccessRegister),
        .exception_access = static_cast<std::uint8_t>(number),
        .nullifies = Nullifies(code)};
    return result;
  };
  // Reserved bits on the left, then: primary list, sequence number (8 bits), entry number (16).
  if (alet >> 25 != 0) return fail(ProgramCode::kAletSpecification);
  result.from_dispatchable_unit = (alet & 0x0100'0000) == 0;
  const std::uint32_t sequence = alet >> 16 & 0xff;
  const std::uint32_t entry_number = alet & 0xffff;

  // The access list's designation is in the dispatchable-unit control table or in the primary
  // ASN-second-table entry, in both at byte 16.
  const std::uint64_t holder =
      registers_.control[result.from_dispatchable_unit ? 2 : 5] & 0x7fff'ffc0;
  std::uint32_t designation;
  if (!ReadTable(AbsoluteOf(holder + 16), &designation)) return fail(ProgramCode::kAddressing);
  if (entry_number >> 3 > (designation & 0x7f)) return fail(ProgramCode::kAlenTranslation);
  const std::uint64_t entry = (designation & 0x7fff'ff80) + entry_number * std::uint64_t{16};
  std::uint32_t attributes;
  std::uint32_t aste_origin;
  std::uint32_t aste_sequence;
  if (!ReadTable(AbsoluteOf(entry), &attributes) ||
      !ReadTable(AbsoluteOf(entry + 8), &aste_origin) ||
      !ReadTable(AbsoluteOf(entry + 12), &aste_sequence)) {
    return fail(ProgramCode::kAddressing);
  }
  if ((attributes & 0x8000'0000) != 0) return fail(ProgramCode::kAlenTranslation);
  if ((attributes >> 16 & 0xff) != sequence) return fail(ProgramCode::kAleSequence);

  const std::uint64_t aste = aste_origin & 0x7fff'ffc0;
  std::uint32_t authority_origin;
  std::uint32_t authority_length;
  std::uint32_t own_sequence;
  if (!ReadTable(AbsoluteOf(aste), &authority_origin) ||
      !ReadTable(AbsoluteOf(aste + 4), &authority_length) ||
      !ReadTable(AbsoluteOf(aste + 20), &own_sequence) ||
      !ReadTable(AbsoluteOf(aste + 8), &result.asce)) {
    return fail(ProgramCode::kAddressing);
  }
  if ((authority_origin & 0x8000'0000) != 0) return fail(ProgramCode::kAsteValidity);
  if (own_sequence != aste_sequence) return fail(ProgramCode::kAsteSequence);
  result.aste = AbsoluteOf(aste);  // also for who does not care about authority
  const bool is_private = (attributes & 0x0100'0000) != 0;
  if (is_private && (attributes & 0xffff) != eax) {
    // The authority table has two bits per index; the right one is for the secondary space.
    if ((eax & 0xfff0u) > (authority_length & 0xfff0)) return fail(ProgramCode::kExtendedAuthority);
    std::uint8_t authority;
    if (!ReadTable(AbsoluteOf((authority_origin & 0x7fff'fffc) + eax / 4), &authority)) {
      return fail(ProgramCode::kAddressing);
    }
    if ((authority & (0x40 >> eax % 4 * 2)) == 0) return fail(ProgramCode::kExtendedAuthority);
  }
  result.is_protected = (attributes & 0x0200'0000) != 0;
  return result;
}

}  // namespace lethe::emulated
