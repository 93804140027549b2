// Control instructions on address translation: what an address leads to, table entries made
// invalid, translation buffers purged.

#include <bit>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {
namespace {

// Exceptions that LRA and TPROT report as a condition code; others interrupt.
bool IsUnavailability(ProgramCode code) {
  switch (code) {
    case ProgramCode::kSegmentTranslation:
    case ProgramCode::kPageTranslation:
    case ProgramCode::kAletSpecification:
    case ProgramCode::kAlenTranslation:
    case ProgramCode::kAleSequence:
    case ProgramCode::kAsteValidity:
    case ProgramCode::kAsteSequence:
    case ProgramCode::kExtendedAuthority:
    case ProgramCode::kAsceType:
    case ProgramCode::kRegionFirstTranslation:
    case ProgramCode::kRegionSecondTranslation:
    case ProgramCode::kRegionThirdTranslation:
      return true;
    default:
      return false;
  }
}

struct SpaceOfOperand {
  ProgramInterruption exception;  // of access-register translation
  std::uint64_t asce = 0;
  bool is_protected = false;  // by a fetch-only access-list entry
};

// The address space that the PSW selects for an operand, whether DAT is on or not.
SpaceOfOperand FindSpace(Cpu& cpu, LogicalAddress operand) {
  const AddressSpace space = CurrentSpace(cpu);
  if (space != AddressSpace::kAccessRegister) return {.exception = {}, .asce = cpu.AsceOf(space)};
  const std::uint32_t alet = operand.base == 0 ? 0 : cpu.ar(operand.base);
  if (alet <= 1) {
    return {.exception = {},
            .asce = cpu.AsceOf(alet == 0 ? AddressSpace::kPrimary : AddressSpace::kSecondary)};
  }
  const auto authorization = static_cast<std::uint16_t>(cpu.cr(8) >> 16);
  const Cpu::AletTranslation found = cpu.TranslateAlet(alet, authorization, operand.base);
  return {.exception = found.exception, .asce = found.asce, .is_protected = found.is_protected};
}

// Translates as if DAT were on. Exceptions other than IsUnavailability() are thrown.
Translation TranslateOperand(Cpu& cpu, LogicalAddress operand) {
  const SpaceOfOperand space = FindSpace(cpu, operand);
  Translation translation;
  if (space.exception.code != ProgramCode::kNone) {
    translation.exception = space.exception;
    translation.beyond_table = true;
  } else {
    translation = cpu.Translate(operand.address, space.asce, CurrentSpace(cpu), operand.base);
    translation.is_protected |= space.is_protected;
  }
  const ProgramCode code = translation.exception.code;
  if (code != ProgramCode::kNone && !IsUnavailability(code)) throw translation.exception;
  return translation;
}

constexpr std::uint64_t kTwoGigabytes = std::uint64_t{1} << 31;

// What LRA shows of a translation: condition code and the value for R1. `narrow`: the result has 31
// bits.
struct RealAddressResult {
  std::uint8_t cc = 0;
  std::uint64_t value = 0;
};

RealAddressResult DescribeTranslation(const Translation& translation, bool narrow) {
  const ProgramCode code = translation.exception.code;
  if (code == ProgramCode::kNone) return {0, translation.real};
  const bool entry_fits = !narrow || translation.entry < kTwoGigabytes;
  if (!translation.beyond_table && entry_fits) {
    if (code == ProgramCode::kSegmentTranslation) return {1, translation.entry};
    if (code == ProgramCode::kPageTranslation) return {2, translation.entry};
  }
  return {3, 0x8000'0000 | static_cast<std::uint64_t>(code)};
}

void PutRealAddress(Cpu& cpu, const Op& op, bool narrow) {
  const auto [cc, value] = DescribeTranslation(TranslateOperand(cpu, cpu.Operand2(op)), narrow);
  if (narrow)
    SpecialOperationUnless(cpu, value < 2 * kTwoGigabytes && (cc == 3 || value < kTwoGigabytes));
  if (narrow || cc == 3) {
    cpu.SetLow(op.r1, static_cast<std::uint32_t>(value));
  } else {
    cpu.gr(op.r1) = value;
  }
  cpu.SetCc(cc);
}

void LoadRealAddress(Cpu& cpu, const Op& op) {
  PutRealAddress(cpu, op, cpu.AddressingBits() != 64);
}
void LoadRealAddressLong(Cpu& cpu, const Op& op) { PutRealAddress(cpu, op, false); }

// STORE REAL ADDRESS: what LRA shows, but exceptions interrupt.
void StoreRealAddress(Cpu& cpu, const Op& op) {
  const LogicalAddress result = cpu.Operand1(op);
  cpu.SpecificationUnless(result.address % 8 == 0);
  const Translation translation = TranslateOperand(cpu, cpu.Operand2(op));
  if (translation.exception.code != ProgramCode::kNone) throw translation.exception;
  cpu.Store<std::uint64_t>(result, translation.real);
}

// Is a store at `address` refused by low-address protection?
bool LowAddressProtects(Cpu& cpu, std::uint64_t address, bool is_private) {
  constexpr std::uint64_t kProtectedBytes = 512;  // at the start of the first two blocks
  return (cpu.cr(0) & kLowAddressProtection) != 0 && !is_private && address < 2 * kPageSize &&
         address % kPageSize < kProtectedBytes;
}

struct KeyVerdict {
  bool fetch = true;
  bool store = true;
};

KeyVerdict JudgeKey(Cpu& cpu, std::uint64_t address, bool is_private, std::uint8_t storage_key,
                    std::uint8_t access_key) {
  constexpr std::uint8_t kFetchProtected = 0x08;
  constexpr std::uint8_t kOverridingKey = 9;
  constexpr std::uint64_t kOverriddenBytes = 2048;
  const std::uint8_t control = storage_key >> 4;
  if (access_key == 0 || access_key == control) return {};
  if (control == kOverridingKey && (cpu.cr(0) & kStorageProtectionOverride) != 0) return {};
  const bool overridden =
      (cpu.cr(0) & kFetchProtectionOverride) != 0 && !is_private && address < kOverriddenBytes;
  return {.fetch = (storage_key & kFetchProtected) == 0 || overridden, .store = false};
}

void TestProtection(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand1(op);
  const auto access_key = static_cast<std::uint8_t>((cpu.Address2(op) >> 4) & 15);
  std::uint64_t absolute = cpu.AbsoluteOf(operand.address);
  bool is_private = false;
  bool store = true;
  if (DatIsOn(cpu)) {
    constexpr std::uint64_t kPrivateSpace = Psw::Bit(55);
    const Translation translation = TranslateOperand(cpu, operand);
    if (translation.exception.code != ProgramCode::kNone) return cpu.SetCc(3);
    absolute = translation.absolute;
    is_private = (FindSpace(cpu, operand).asce & kPrivateSpace) != 0;
    store = !translation.is_protected;
  }
  const std::uint8_t storage_key = cpu.StorageKey(absolute).load();
  const KeyVerdict key = JudgeKey(cpu, operand.address, is_private, storage_key, access_key);
  store = store && key.store && !LowAddressProtects(cpu, operand.address, is_private);
  cpu.SetCc(!key.fetch ? 2 : store ? 0 : 1);
}

void InvalidatePageTableEntry(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kOrigin = ~std::uint64_t{0x7ff};
  constexpr std::uint64_t kIndexBytes = 0xff * 8;
  constexpr int kInvalidByte = 6;
  constexpr std::uint8_t kInvalid = 0x04;
  const std::uint64_t entry = (cpu.gr(op.r1) & kOrigin) + (cpu.gr(op.r2) >> (12 - 3) & kIndexBytes);
  const std::uint64_t byte = cpu.AbsoluteOf(entry) + kInvalidByte;
  cpu.StoreAbsolute<std::uint8_t>(byte, cpu.LoadAbsolute<std::uint8_t>(byte) | kInvalid);
  cpu.group().PurgeAll(cpu);
}

// The part of IDTE that makes region- or segment-table entries invalid. `designation`: as an ASCE,
// origin and type of the table; `first`: the first entry as in a virtual address, and how many more
// in the rightmost 11 bits.
void InvalidateTableEntries(Cpu& cpu, std::uint64_t designation, std::uint64_t first) {
  constexpr std::uint64_t kOrigin = ~std::uint64_t{0xfff};
  constexpr std::uint64_t kIndex = 0x7ff;
  constexpr std::uint64_t kInvalid = Psw::Bit(58);
  const auto level = static_cast<int>(designation >> 2 & 3);  // 0 segment ... 3 region first
  const std::uint64_t index = first >> (20 + 11 * level);
  const std::uint64_t count = (first & kIndex) + 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t entry =
        cpu.AbsoluteOf((designation & kOrigin) + ((index + i) & kIndex) * 8);
    const std::uint64_t before = cpu.LoadAbsolute<std::uint64_t>(entry);
    if ((before & kInvalid) == 0) cpu.StoreAbsolute<std::uint64_t>(entry, before | kInvalid);
  }
}

void InvalidateDatTableEntry(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kReserved = 0xff000;
  constexpr std::uint64_t kClearingOnly = 0x800;
  const std::uint64_t what = cpu.gr(op.r2);
  cpu.SpecificationUnless((what & kReserved) == 0);
  if ((what & kClearingOnly) == 0) InvalidateTableEntries(cpu, cpu.gr(op.r1), what);
  cpu.group().PurgeAll(cpu);
}

// COMPARE AND SWAP AND PURGE: R1 holds the compared value, R1 + 1 the new one; the rightmost bits
// of R2, which are no part of the address, say what to purge.
template <typename T>
void CompareAndSwapAndPurge(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kPurge = 3;
  cpu.SpecificationUnless(op.r1 % 2 == 0);
  LogicalAddress operand = cpu.AddressInRegister(op.r2);
  const bool purge = (cpu.gr(op.r2) & kPurge) != 0;
  operand.address &= ~std::uint64_t{sizeof(T) - 1};
  T* const target = cpu.Interlocked<T>(operand);
  const auto wanted = static_cast<T>(cpu.gr(op.r1));
  T found = SwapIfLittleEndian(wanted);
  const T replacement = SwapIfLittleEndian(static_cast<T>(cpu.gr(op.r1 + 1)));
  const bool equal = __atomic_compare_exchange_n(target, &found, replacement, false,
                                                 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  cpu.SetCc(equal ? 0 : 1);
  if (equal) {
    if (purge) cpu.group().PurgeAll(cpu);
    return;
  }
  if constexpr (sizeof(T) == 8) {
    cpu.gr(op.r1) = SwapIfLittleEndian(found);
  } else {
    cpu.SetLow(op.r1, SwapIfLittleEndian(found));
  }
}

void PurgeTranslationBuffer(Cpu& cpu, const Op&) { cpu.group().PurgeAll(cpu); }

// Access-register translation is done anew each time: nothing to purge.
void PurgeAccessListBuffer(Cpu&, const Op&) {}

constexpr Instruction kInstructions[] = {
    {0xb1, "LRA", Format::kRX_a, kBase, Privileged<&LoadRealAddress>},
    {0xb20d, "PTLB", Format::kS, kBase, Privileged<&PurgeTranslationBuffer>},
    {0xb221, "IPTE", Format::kRRF_a, kBase, Privileged<&InvalidatePageTableEntry>},
    {0xb248, "PALB", Format::kRRE, kBase, Privileged<&PurgeAccessListBuffer>},
    {0xb250, "CSP", Format::kRRE, kBase, Privileged<&CompareAndSwapAndPurge<std::uint32_t>>},
    {0xb98a, "CSPG", Format::kRRE, 3, Privileged<&CompareAndSwapAndPurge<std::uint64_t>>},
    {0xb98e, "IDTE", Format::kRRF_b, 3, Privileged<&InvalidateDatTableEntry>},
    {0xe303, "LRAG", Format::kRXY_a, kBase, Privileged<&LoadRealAddressLong>},
    {0xe313, "LRAY", Format::kRXY_a, 18, Privileged<&LoadRealAddress>},
    {0xe502, "STRAG", Format::kSSE, kBase, Privileged<&StoreRealAddress>},
    {0xe501, "TPROT", Format::kSSE, kBase, Privileged<&TestProtection>},
};

}  // namespace

absl::Span<const Instruction> TranslationInstructions() { return kInstructions; }

}  // namespace lethe::emulated
