#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"
#include "emulated-host/cpu/quadword.h"

namespace lethe::emulated {
namespace {

using S8 = std::int8_t;
using S16 = std::int16_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// T is the width of what is replaced in R1; the operand is extended to it as its own type says.
template <typename T, auto Second, auto Put = &PutR1<T>>
void Load(Cpu& cpu, const Op& op) {
  Put(cpu, op, static_cast<T>(Second(cpu, op)));
}

template <typename T, auto Second>
void LoadAndTest(Cpu& cpu, const Op& op) {
  const T value = Second(cpu, op);
  PutR1<T>(cpu, op, value);
  cpu.SetCcSign(value);
}

// LLGT: the rightmost 31 bits.
template <auto Second>
void LoadThirtyOneBits(Cpu& cpu, const Op& op) {
  cpu.gr(op.r1) = Second(cpu, op) & 0x7fffffffu;
}

template <typename T, auto Second>
void LoadReversed(Cpu& cpu, const Op& op) {
  const T value = Second(cpu, op);
  if constexpr (sizeof(T) == 8) {
    cpu.gr(op.r1) = __builtin_bswap64(value);
  } else {
    cpu.SetLow(op.r1, __builtin_bswap32(value));
  }
}

// LRVH: bits 0-47 stay.
void LoadReversedHalfword(Cpu& cpu, const Op& op) {
  const U16 value = __builtin_bswap16(InStorage<U16>(cpu, op));
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~U64{0xffff}) | value;
}

template <typename T>
void StoreReversed(Cpu& cpu, const Op& op) {
  T value = RegisterAs<T>(cpu, op.r1);
  if constexpr (sizeof(T) == 8) {
    value = __builtin_bswap64(value);
  } else if constexpr (sizeof(T) == 4) {
    value = __builtin_bswap32(value);
  } else {
    value = __builtin_bswap16(value);
  }
  cpu.Store<T>(cpu.Operand2(op), value);
}

// Immediate into the 16 (or 32) bits at `Shift` from the right: the rest zero, or kept.
template <typename Field, int Shift>
void LoadLogicalImmediate(Cpu& cpu, const Op& op) {
  cpu.gr(op.r1) = U64{InImmediate<Field>(cpu, op)} << Shift;
}

template <typename Field, int Shift>
void InsertImmediate(Cpu& cpu, const Op& op) {
  const U64 mask = U64{static_cast<Field>(~Field{0})} << Shift;
  U64& target = cpu.gr(op.r1);
  target = (target & ~mask) | U64{InImmediate<Field>(cpu, op)} << Shift;
}

// LA and friends: an address is as wide as the addressing mode says.
void SetAddressResult(Cpu& cpu, int number, U64 address) {
  if (cpu.AddressingBits() == 64) {
    cpu.gr(number) = address;
  } else {
    cpu.SetLow(number, static_cast<U32>(address));
  }
}

void LoadAddress(Cpu& cpu, const Op& op) { SetAddressResult(cpu, op.r1, cpu.Address2(op)); }

void LoadAddressRelative(Cpu& cpu, const Op& op) {
  SetAddressResult(cpu, op.r1, cpu.RelativeAddress(op));
}

// LAE: the access register tells where the address space mode puts the operand.
void LoadAddressExtended(Cpu& cpu, const Op& op) {
  const U64 address = cpu.Address2(op);
  const U64 mode = (cpu.psw_mask() & Psw::kAddressSpaceMask) >> 46;
  U32 token = 0;
  switch (static_cast<AddressSpace>(mode)) {
    case AddressSpace::kPrimary:
      token = 0;
      break;
    case AddressSpace::kSecondary:
      token = 1;
      break;
    case AddressSpace::kHome:
      token = 2;
      break;
    case AddressSpace::kAccessRegister:
      token = op.b2 == kZeroRegister ? 0 : cpu.ar(op.b2);
      break;
  }
  SetAddressResult(cpu, op.r1, address);
  cpu.ar(op.r1) = token;
}

void InsertCharacter(Cpu& cpu, const Op& op) {
  const U8 byte = InStorage<U8>(cpu, op);
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~U64{0xff}) | byte;
}

// The bytes under mask work on the register's right word, or on its left one (ICMH ...).
template <bool kHigh>
U32 Word(Cpu& cpu, int number) {
  return kHigh ? cpu.High(number) : cpu.Low(number);
}

template <bool kHigh>
void SetWord(Cpu& cpu, int number, U32 value) {
  if (kHigh) {
    cpu.SetHigh(number, value);
  } else {
    cpu.SetLow(number, value);
  }
}

template <bool kHigh>
void InsertCharactersUnderMask(Cpu& cpu, const Op& op) {
  const LogicalAddress from = cpu.Operand2(op);
  const unsigned mask = op.r3;
  if (mask == 0xf) {
    const U32 value = cpu.Load<U32>(from);
    SetWord<kHigh>(cpu, op.r1, value);
    cpu.SetCcSign(static_cast<S32>(value));
    return;
  }
  if (mask == 0) {
    cpu.CheckAccess(from, 1, Access::kFetch);
    cpu.SetCc(0);
    return;
  }
  std::array<U8, 4> bytes{};
  const std::size_t count = static_cast<std::size_t>(std::popcount(mask));
  cpu.LoadBytes(from, absl::MakeSpan(bytes).first(count));
  U32 value = Word<kHigh>(cpu, op.r1);
  bool any = false;
  std::size_t next = 0;
  for (int byte = 0; byte < 4; ++byte) {
    if ((mask & (8u >> byte)) == 0) continue;
    const int shift = 24 - 8 * byte;
    value = (value & ~(U32{0xff} << shift)) | U32{bytes[next]} << shift;
    any |= bytes[next] != 0;
    ++next;
  }
  SetWord<kHigh>(cpu, op.r1, value);
  cpu.SetCc(!any ? 0 : (bytes[0] & 0x80) != 0 ? 1 : 2);
}

template <bool kHigh>
void StoreCharactersUnderMask(Cpu& cpu, const Op& op) {
  const LogicalAddress to = cpu.Operand2(op);
  const U32 value = Word<kHigh>(cpu, op.r1);
  const unsigned mask = op.r3;
  if (mask == 0xf) return cpu.Store<U32>(to, value);
  std::array<U8, 4> bytes{};
  std::size_t count = 0;
  for (int byte = 0; byte < 4; ++byte) {
    if ((mask & (8u >> byte)) != 0) bytes[count++] = static_cast<U8>(value >> (24 - 8 * byte));
  }
  if (count == 3) return cpu.StoreBytes(to, absl::MakeConstSpan(bytes).first(3));
  if (count == 2) return cpu.Store<U16>(to, static_cast<U16>(bytes[0] << 8 | bytes[1]));
  if (count == 1) cpu.Store<U8>(to, bytes[0]);
}

template <typename T>
void StoreRegister(Cpu& cpu, const Op& op) {
  cpu.Store<T>(cpu.Operand2(op), RegisterAs<T>(cpu, op.r1));
}

template <typename T>
void StoreHigh(Cpu& cpu, const Op& op) {
  cpu.Store<T>(cpu.Operand2(op), static_cast<T>(cpu.High(op.r1)));
}

template <typename T>
void StoreRelative(Cpu& cpu, const Op& op) {
  const LogicalAddress to = RelativeOperand(cpu, op);
  if constexpr (sizeof(T) > 2) cpu.SpecificationUnless(to.address % sizeof(T) == 0);
  if (!RelativeIsElsewhere(cpu)) [[likely]]
    return cpu.Store<T>(to, RegisterAs<T>(cpu, op.r1));
  const auto bytes = cpu.StoreSpan(to, sizeof(T), RelativeMode(cpu));
  StoreBigEndian(bytes.data(), RegisterAs<T>(cpu, op.r1));
}

template <typename T, typename Immediate>
void MoveImmediate(Cpu& cpu, const Op& op) {
  cpu.Store<T>(cpu.Operand1(op), static_cast<T>(InImmediate<Immediate>(cpu, op)));
}

// How many registers R1, R1 + 1 ... R3 are, wrapping from 15 to 0.
std::size_t RegisterCount(const Op& op) {
  return static_cast<std::size_t>((op.r3 - op.r1) & 15) + 1;
}

// Calls set(register, value) for each of the registers R1 to R3, from storage.
template <typename T, typename Set>
void LoadEach(Cpu& cpu, const Op& op, LogicalAddress from, Set set) {
  const std::size_t count = RegisterCount(op);
  const std::size_t length = count * sizeof(T);
  std::array<U8, 16 * sizeof(T)> copy;
  const U8* bytes;
  const absl::Span<const U8> span = cpu.FetchSpan(from, length);
  if (span.size() == length) {
    bytes = span.data();
  } else {
    cpu.LoadBytes(from, absl::MakeSpan(copy).first(length));
    bytes = copy.data();
  }
  for (std::size_t i = 0; i < count; ++i) {
    set(static_cast<int>((op.r1 + i) & 15), LoadBigEndian<T>(bytes + i * sizeof(T)));
  }
}

template <typename T, typename Get>
void StoreEach(Cpu& cpu, const Op& op, LogicalAddress to, Get get) {
  const std::size_t count = RegisterCount(op);
  const std::size_t length = count * sizeof(T);
  std::array<U8, 16 * sizeof(T)> copy;
  const absl::Span<U8> span = cpu.StoreSpan(to, length);
  const bool whole = span.size() == length;
  U8* const bytes = whole ? span.data() : copy.data();
  for (std::size_t i = 0; i < count; ++i) {
    StoreBigEndian<T>(bytes + i * sizeof(T), get(static_cast<int>((op.r1 + i) & 15)));
  }
  if (!whole) cpu.StoreBytes(to, absl::MakeConstSpan(copy).first(length));
}

template <typename T>
void LoadMultiple(Cpu& cpu, const Op& op) {
  LoadEach<T>(cpu, op, cpu.Operand2(op),
              [&cpu](int number, T value) { SetRegisterAs<T>(cpu, number, value); });
}

void LoadMultipleHigh(Cpu& cpu, const Op& op) {
  LoadEach<U32>(cpu, op, cpu.Operand2(op),
                [&cpu](int number, U32 value) { cpu.SetHigh(number, value); });
}

template <typename T>
void StoreMultiple(Cpu& cpu, const Op& op) {
  StoreEach<T>(cpu, op, cpu.Operand2(op),
               [&cpu](int number) { return RegisterAs<T>(cpu, number); });
}

void StoreMultipleHigh(Cpu& cpu, const Op& op) {
  StoreEach<U32>(cpu, op, cpu.Operand2(op), [&cpu](int number) { return cpu.High(number); });
}

// LMD: left halves from the second operand, right halves from the fourth.
void LoadMultipleDisjoint(Cpu& cpu, const Op& op) {
  const std::size_t length = RegisterCount(op) * 4;
  std::array<U8, 64> high;
  std::array<U8, 64> low;
  cpu.LoadBytes(cpu.Operand2(op), absl::MakeSpan(high).first(length));
  cpu.LoadBytes(cpu.Operand1(op), absl::MakeSpan(low).first(length));
  for (std::size_t i = 0; i < RegisterCount(op); ++i) {
    cpu.gr(static_cast<int>((op.r1 + i) & 15)) =
        U64{LoadBigEndian<U32>(&high[4 * i])} << 32 | LoadBigEndian<U32>(&low[4 * i]);
  }
}

void LoadAccessMultiple(Cpu& cpu, const Op& op) {
  const LogicalAddress from = cpu.Operand2(op);
  cpu.SpecificationUnless(from.address % 4 == 0);
  LoadEach<U32>(cpu, op, from, [&cpu](int number, U32 value) { cpu.ar(number) = value; });
}

void StoreAccessMultiple(Cpu& cpu, const Op& op) {
  const LogicalAddress to = cpu.Operand2(op);
  cpu.SpecificationUnless(to.address % 4 == 0);
  StoreEach<U32>(cpu, op, to, [&cpu](int number) { return cpu.ar(number); });
}

void CopyAccess(Cpu& cpu, const Op& op) { cpu.ar(op.r1) = cpu.ar(op.r2); }
void ExtractAccess(Cpu& cpu, const Op& op) { cpu.SetLow(op.r1, cpu.ar(op.r2)); }
void SetAccess(Cpu& cpu, const Op& op) { cpu.ar(op.r1) = cpu.Low(op.r2); }

// LPQ and STPQ are block-concurrent: other CPUs see, and are seen with, all 16 bytes at once.
void LoadPairFromQuadword(Cpu& cpu, const Op& op) {
  const int odd = PairOf(cpu, op.r1);
  const LogicalAddress from = cpu.Operand2(op);
  cpu.SpecificationUnless(from.address % 16 == 0);
  const Quadword both = ReadQuadword(cpu.FetchSpan(from, 16).data());
  cpu.gr(op.r1) = both.left;
  cpu.gr(odd) = both.right;
}

void StorePairToQuadword(Cpu& cpu, const Op& op) {
  const int odd = PairOf(cpu, op.r1);
  Uint128* const to = cpu.Interlocked<Uint128>(cpu.Operand2(op));
  const Uint128 value = SwapIfLittleEndian(Uint128{cpu.gr(op.r1)} << 64 | cpu.gr(odd));
  Uint128 expected = 0;
  for (;;) {
    const Uint128 found = CompareAndSwapAligned(to, expected, value);
    if (found == expected) return;
    expected = found;
  }
}

// LPD, LPDG: condition code 0 says that both were fetched with nothing in between; 3 is always an
// allowed answer, but only after trying, and callers loop on it. Fetching twice until nothing
// changed gives the 0.
template <typename T>
void LoadPairDisjoint(Cpu& cpu, const Op& op) {
  const int odd = PairOf(cpu, op.r3);
  const LogicalAddress first = cpu.Operand1(op);
  const LogicalAddress second = cpu.Operand2(op);
  cpu.SpecificationUnless(first.address % sizeof(T) == 0 && second.address % sizeof(T) == 0);
  const T a = cpu.Load<T>(first);
  const T b = cpu.Load<T>(second);
  const bool same = cpu.Load<T>(first) == a;
  SetRegisterAs<T>(cpu, op.r3, a);
  SetRegisterAs<T>(cpu, odd, b);
  cpu.SetCc(same ? 0 : 3);
}

// The storage operand of a load that is not done is not accessed.
template <typename T, auto Second>
void LoadOnCondition(Cpu& cpu, const Op& op) {
  if (Selects(op.r3, cpu.Cc())) PutR1<T>(cpu, op, static_cast<T>(Second(cpu, op)));
}

template <auto Second>
void LoadHighOnCondition(Cpu& cpu, const Op& op) {
  if (Selects(op.r3, cpu.Cc())) cpu.SetHigh(op.r1, Second(cpu, op));
}

template <typename T>
void StoreOnCondition(Cpu& cpu, const Op& op) {
  if (Selects(op.r3, cpu.Cc())) StoreRegister<T>(cpu, op);
}

void StoreHighOnCondition(Cpu& cpu, const Op& op) {
  if (Selects(op.r3, cpu.Cc())) StoreHigh<U32>(cpu, op);
}

// IPM: condition code and program mask into bits 32-39.
void InsertProgramMask(Cpu& cpu, const Op& op) {
  const U64 mask = cpu.psw_mask() >> 40 & 0x3f;
  cpu.gr(op.r1) = (cpu.gr(op.r1) & ~(U64{0xff} << 24)) | mask << 24;
}

void Nothing(Cpu&, const Op&) {}

constexpr Instruction kTable[] = {
    // LOAD
    {0x18, "LR", Format::kRR, kBase, Straight<&Load<U32, &InR2<U32>>>},
    {0xb904, "LGR", Format::kRRE, kBase, Straight<&Load<U64, &InR2<U64>>>},
    {0xb914, "LGFR", Format::kRRE, kBase, Straight<&Load<S64, &InR2<S32>>>},
    {0x58, "L", Format::kRX_a, kBase, Straight<&Load<U32, &InStorage<U32>>>},
    {0xe358, "LY", Format::kRXY_a, 18, Straight<&Load<U32, &InStorage<U32>>>},
    {0xe304, "LG", Format::kRXY_a, kBase, Straight<&Load<U64, &InStorage<U64>>>},
    {0xe314, "LGF", Format::kRXY_a, kBase, Straight<&Load<S64, &InStorage<S32>>>},
    {0xc4d, "LRL", Format::kRIL_b, 34, Straight<&Load<U32, &InRelative<U32>>>},
    {0xc48, "LGRL", Format::kRIL_b, 34, Straight<&Load<U64, &InRelative<U64>>>},
    {0xc4c, "LGFRL", Format::kRIL_b, 34, Straight<&Load<S64, &InRelative<S32>>>},
    {0xc01, "LGFI", Format::kRIL_a, 21, Straight<&Load<S64, &InImmediate<S32>>>},
    {0x12, "LTR", Format::kRR, kBase, Straight<&LoadAndTest<S32, &InR2<S32>>>},
    {0xb902, "LTGR", Format::kRRE, kBase, Straight<&LoadAndTest<S64, &InR2<S64>>>},
    {0xb912, "LTGFR", Format::kRRE, kBase, Straight<&LoadAndTest<S64, &InR2<S32>>>},
    {0xe312, "LT", Format::kRXY_a, 21, Straight<&LoadAndTest<S32, &InStorage<S32>>>},
    {0xe302, "LTG", Format::kRXY_a, 21, Straight<&LoadAndTest<S64, &InStorage<S64>>>},
    {0xe332, "LTGF", Format::kRXY_a, 34, Straight<&LoadAndTest<S64, &InStorage<S32>>>},
    // LOAD BYTE, HALFWORD
    {0xb926, "LBR", Format::kRRE, 21, Straight<&Load<S32, &InR2<S8>>>},
    {0xb906, "LGBR", Format::kRRE, 21, Straight<&Load<S64, &InR2<S8>>>},
    {0xe376, "LB", Format::kRXY_a, 18, Straight<&Load<S32, &InStorage<S8>>>},
    {0xe377, "LGB", Format::kRXY_a, 18, Straight<&Load<S64, &InStorage<S8>>>},
    {0xb927, "LHR", Format::kRRE, 21, Straight<&Load<S32, &InR2<S16>>>},
    {0xb907, "LGHR", Format::kRRE, 21, Straight<&Load<S64, &InR2<S16>>>},
    {0x48, "LH", Format::kRX_a, kBase, Straight<&Load<S32, &InStorage<S16>>>},
    {0xe378, "LHY", Format::kRXY_a, 18, Straight<&Load<S32, &InStorage<S16>>>},
    {0xe315, "LGH", Format::kRXY_a, kBase, Straight<&Load<S64, &InStorage<S16>>>},
    {0xa78, "LHI", Format::kRI_a, kBase, Straight<&Load<S32, &InImmediate<S16>>>},
    {0xa79, "LGHI", Format::kRI_a, kBase, Straight<&Load<S64, &InImmediate<S16>>>},
    {0xc45, "LHRL", Format::kRIL_b, 34, Straight<&Load<S32, &InRelative<S16>>>},
    {0xc44, "LGHRL", Format::kRIL_b, 34, Straight<&Load<S64, &InRelative<S16>>>},
    // LOAD LOGICAL
    {0xb916, "LLGFR", Format::kRRE, kBase, Straight<&Load<U64, &InR2<U32>>>},
    {0xe316, "LLGF", Format::kRXY_a, kBase, Straight<&Load<U64, &InStorage<U32>>>},
    {0xc4e, "LLGFRL", Format::kRIL_b, 34, Straight<&Load<U64, &InRelative<U32>>>},
    {0xb994, "LLCR", Format::kRRE, 21, Straight<&Load<U32, &InR2<U8>>>},
    {0xb984, "LLGCR", Format::kRRE, 21, Straight<&Load<U64, &InR2<U8>>>},
    {0xe394, "LLC", Format::kRXY_a, 21, Straight<&Load<U32, &InStorage<U8>>>},
    {0xe390, "LLGC", Format::kRXY_a, kBase, Straight<&Load<U64, &InStorage<U8>>>},
    {0xb995, "LLHR", Format::kRRE, 21, Straight<&Load<U32, &InR2<U16>>>},
    {0xb985, "LLGHR", Format::kRRE, 21, Straight<&Load<U64, &InR2<U16>>>},
    {0xe395, "LLH", Format::kRXY_a, 21, Straight<&Load<U32, &InStorage<U16>>>},
    {0xe391, "LLGH", Format::kRXY_a, kBase, Straight<&Load<U64, &InStorage<U16>>>},
    {0xc42, "LLHRL", Format::kRIL_b, 34, Straight<&Load<U32, &InRelative<U16>>>},
    {0xc46, "LLGHRL", Format::kRIL_b, 34, Straight<&Load<U64, &InRelative<U16>>>},
    {0xb917, "LLGTR", Format::kRRE, kBase, Straight<&LoadThirtyOneBits<&InR2<U32>>>},
    {0xe317, "LLGT", Format::kRXY_a, kBase, Straight<&LoadThirtyOneBits<&InStorage<U32>>>},
    {0xa5c, "LLIHH", Format::kRI_a, kBase, Straight<&LoadLogicalImmediate<U16, 48>>},
    {0xa5d, "LLIHL", Format::kRI_a, kBase, Straight<&LoadLogicalImmediate<U16, 32>>},
    {0xa5e, "LLILH", Format::kRI_a, kBase, Straight<&LoadLogicalImmediate<U16, 16>>},
    {0xa5f, "LLILL", Format::kRI_a, kBase, Straight<&LoadLogicalImmediate<U16, 0>>},
    {0xc0e, "LLIHF", Format::kRIL_a, 21, Straight<&LoadLogicalImmediate<U32, 32>>},
    {0xc0f, "LLILF", Format::kRIL_a, 21, Straight<&LoadLogicalImmediate<U32, 0>>},
    {0xa50, "IIHH", Format::kRI_a, kBase, Straight<&InsertImmediate<U16, 48>>},
    {0xa51, "IIHL", Format::kRI_a, kBase, Straight<&InsertImmediate<U16, 32>>},
    {0xa52, "IILH", Format::kRI_a, kBase, Straight<&InsertImmediate<U16, 16>>},
    {0xa53, "IILL", Format::kRI_a, kBase, Straight<&InsertImmediate<U16, 0>>},
    {0xc08, "IIHF", Format::kRIL_a, 21, Straight<&InsertImmediate<U32, 32>>},
    {0xc09, "IILF", Format::kRIL_a, 21, Straight<&InsertImmediate<U32, 0>>},
    // Left halves
    {0xe3c0, "LBH", Format::kRXY_a, 45, Straight<&Load<S32, &InStorage<S8>, &PutHigh1<S32>>>},
    {0xe3c4, "LHH", Format::kRXY_a, 45, Straight<&Load<S32, &InStorage<S16>, &PutHigh1<S32>>>},
    {0xe3c2, "LLCH", Format::kRXY_a, 45, Straight<&Load<U32, &InStorage<U8>, &PutHigh1<U32>>>},
    {0xe3c6, "LLHH", Format::kRXY_a, 45, Straight<&Load<U32, &InStorage<U16>, &PutHigh1<U32>>>},
    {0xe3ca, "LFH", Format::kRXY_a, 45, Straight<&Load<U32, &InStorage<U32>, &PutHigh1<U32>>>},
    {0xe3c3, "STCH", Format::kRXY_a, 45, Straight<&StoreHigh<U8>>},
    {0xe3c7, "STHH", Format::kRXY_a, 45, Straight<&StoreHigh<U16>>},
    {0xe3cb, "STFH", Format::kRXY_a, 45, Straight<&StoreHigh<U32>>},
    // LOAD ADDRESS
    {0x41, "LA", Format::kRX_a, kBase, Straight<&LoadAddress>},
    {0xe371, "LAY", Format::kRXY_a, 18, Straight<&LoadAddress>},
    {0xc00, "LARL", Format::kRIL_b, kBase, Straight<&LoadAddressRelative>},
    {0x51, "LAE", Format::kRX_a, kBase, Straight<&LoadAddressExtended>},
    {0xe375, "LAEY", Format::kRXY_a, 34, Straight<&LoadAddressExtended>},
    // LOAD, STORE REVERSED
    {0xb91f, "LRVR", Format::kRRE, kBase, Straight<&LoadReversed<U32, &InR2<U32>>>},
    {0xb90f, "LRVGR", Format::kRRE, kBase, Straight<&LoadReversed<U64, &InR2<U64>>>},
    {0xe31e, "LRV", Format::kRXY_a, kBase, Straight<&LoadReversed<U32, &InStorage<U32>>>},
    {0xe30f, "LRVG", Format::kRXY_a, kBase, Straight<&LoadReversed<U64, &InStorage<U64>>>},
    {0xe31f, "LRVH", Format::kRXY_a, kBase, Straight<&LoadReversedHalfword>},
    {0xe33e, "STRV", Format::kRXY_a, kBase, Straight<&StoreReversed<U32>>},
    {0xe32f, "STRVG", Format::kRXY_a, kBase, Straight<&StoreReversed<U64>>},
    {0xe33f, "STRVH", Format::kRXY_a, kBase, Straight<&StoreReversed<U16>>},
    // STORE
    {0x50, "ST", Format::kRX_a, kBase, Straight<&StoreRegister<U32>>},
    {0xe350, "STY", Format::kRXY_a, 18, Straight<&StoreRegister<U32>>},
    {0xe324, "STG", Format::kRXY_a, kBase, Straight<&StoreRegister<U64>>},
    {0xc4f, "STRL", Format::kRIL_b, 34, Straight<&StoreRelative<U32>>},
    {0xc4b, "STGRL", Format::kRIL_b, 34, Straight<&StoreRelative<U64>>},
    {0xc47, "STHRL", Format::kRIL_b, 34, Straight<&StoreRelative<U16>>},
    {0x42, "STC", Format::kRX_a, kBase, Straight<&StoreRegister<U8>>},
    {0xe372, "STCY", Format::kRXY_a, 18, Straight<&StoreRegister<U8>>},
    {0x40, "STH", Format::kRX_a, kBase, Straight<&StoreRegister<U16>>},
    {0xe370, "STHY", Format::kRXY_a, 18, Straight<&StoreRegister<U16>>},
    {0x92, "MVI", Format::kSI, kBase, Straight<&MoveImmediate<U8, U8>>},
    {0xeb52, "MVIY", Format::kSIY, 18, Straight<&MoveImmediate<U8, U8>>},
    {0xe544, "MVHHI", Format::kSIL, 34, Straight<&MoveImmediate<U16, S16>>},
    {0xe54c, "MVHI", Format::kSIL, 34, Straight<&MoveImmediate<U32, S16>>},
    {0xe548, "MVGHI", Format::kSIL, 34, Straight<&MoveImmediate<U64, S16>>},
    // Characters
    {0x43, "IC", Format::kRX_a, kBase, Straight<&InsertCharacter>},
    {0xe373, "ICY", Format::kRXY_a, 18, Straight<&InsertCharacter>},
    {0xbf, "ICM", Format::kRS_b, kBase, Straight<&InsertCharactersUnderMask<false>>},
    {0xeb81, "ICMY", Format::kRSY_b, 18, Straight<&InsertCharactersUnderMask<false>>},
    {0xeb80, "ICMH", Format::kRSY_b, kBase, Straight<&InsertCharactersUnderMask<true>>},
    {0xbe, "STCM", Format::kRS_b, kBase, Straight<&StoreCharactersUnderMask<false>>},
    {0xeb2d, "STCMY", Format::kRSY_b, 18, Straight<&StoreCharactersUnderMask<false>>},
    {0xeb2c, "STCMH", Format::kRSY_b, kBase, Straight<&StoreCharactersUnderMask<true>>},
    // MULTIPLE, PAIR
    {0x98, "LM", Format::kRS_a, kBase, Straight<&LoadMultiple<U32>>},
    {0xeb98, "LMY", Format::kRSY_a, 18, Straight<&LoadMultiple<U32>>},
    {0xeb04, "LMG", Format::kRSY_a, kBase, Straight<&LoadMultiple<U64>>},
    {0xeb96, "LMH", Format::kRSY_a, kBase, Straight<&LoadMultipleHigh>},
    {0xef, "LMD", Format::kSS_e, kBase, Straight<&LoadMultipleDisjoint>},
    {0x90, "STM", Format::kRS_a, kBase, Straight<&StoreMultiple<U32>>},
    {0xeb90, "STMY", Format::kRSY_a, 18, Straight<&StoreMultiple<U32>>},
    {0xeb24, "STMG", Format::kRSY_a, kBase, Straight<&StoreMultiple<U64>>},
    {0xeb26, "STMH", Format::kRSY_a, kBase, Straight<&StoreMultipleHigh>},
    {0xe38f, "LPQ", Format::kRXY_a, kBase, Straight<&LoadPairFromQuadword>},
    {0xe38e, "STPQ", Format::kRXY_a, kBase, Straight<&StorePairToQuadword>},
    {0xc84, "LPD", Format::kSSF, 45, Straight<&LoadPairDisjoint<U32>>},
    {0xc85, "LPDG", Format::kSSF, 45, Straight<&LoadPairDisjoint<U64>>},
    // Access registers
    {0xb24f, "EAR", Format::kRRE, kBase, Straight<&ExtractAccess>},
    {0xb24e, "SAR", Format::kRRE, kBase, Straight<&SetAccess>},
    {0xb24d, "CPYA", Format::kRRE, kBase, Straight<&CopyAccess>},
    {0x9a, "LAM", Format::kRS_a, kBase, Straight<&LoadAccessMultiple>},
    {0xeb9a, "LAMY", Format::kRSY_a, 18, Straight<&LoadAccessMultiple>},
    {0x9b, "STAM", Format::kRS_a, kBase, Straight<&StoreAccessMultiple>},
    {0xeb9b, "STAMY", Format::kRSY_a, 18, Straight<&StoreAccessMultiple>},
    // ON CONDITION
    {0xb9f2, "LOCR", Format::kRRF_c, 45, Straight<&LoadOnCondition<U32, &InR2<U32>>>},
    {0xb9e2, "LOCGR", Format::kRRF_c, 45, Straight<&LoadOnCondition<U64, &InR2<U64>>>},
    {0xebf2, "LOC", Format::kRSY_b, 45, Straight<&LoadOnCondition<U32, &InStorage<U32>>>},
    {0xebe2, "LOCG", Format::kRSY_b, 45, Straight<&LoadOnCondition<U64, &InStorage<U64>>>},
    {0xebf3, "STOC", Format::kRSY_b, 45, Straight<&StoreOnCondition<U32>>},
    {0xebe3, "STOCG", Format::kRSY_b, 45, Straight<&StoreOnCondition<U64>>},
    {0xec42, "LOCHI", Format::kRIE_g, 53, Straight<&LoadOnCondition<S32, &InImmediate<S16>>>},
    {0xec46, "LOCGHI", Format::kRIE_g, 53, Straight<&LoadOnCondition<S64, &InImmediate<S16>>>},
    {0xec4e, "LOCHHI", Format::kRIE_g, 53, Straight<&LoadHighOnCondition<&InImmediate<S16>>>},
    {0xb9e0, "LOCFHR", Format::kRRF_c, 53, Straight<&LoadHighOnCondition<&InHigh2<U32>>>},
    {0xebe0, "LOCFH", Format::kRSY_b, 53, Straight<&LoadHighOnCondition<&InStorage<U32>>>},
    {0xebe1, "STOCFH", Format::kRSY_b, 53, Straight<&StoreHighOnCondition>},
    // Others
    {0xb222, "IPM", Format::kRRE, kBase, Straight<&InsertProgramMask>},
    {0xe336, "PFD", Format::kRXY_b, 34, Straight<&Nothing>},
    {0xc62, "PFDRL", Format::kRIL_c, 34, Straight<&Nothing>},
};

}  // namespace

absl::Span<const Instruction> LoadInstructions() { return kTable; }

}  // namespace lethe::emulated
