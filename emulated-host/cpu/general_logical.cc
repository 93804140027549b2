#include <atomic>
#include <cstdint>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

struct And {
  template <typename T>
  static T Of(T a, T b) {
    return a & b;
  }
  static U8 Fetch(std::atomic_ref<U8> byte, U8 mask) { return byte.fetch_and(mask); }
};
struct Or {
  template <typename T>
  static T Of(T a, T b) {
    return a | b;
  }
  static U8 Fetch(std::atomic_ref<U8> byte, U8 mask) { return byte.fetch_or(mask); }
};
struct ExclusiveOr {
  template <typename T>
  static T Of(T a, T b) {
    return a ^ b;
  }
  static U8 Fetch(std::atomic_ref<U8> byte, U8 mask) { return byte.fetch_xor(mask); }
};

template <typename Operation, typename T, auto Second, auto First = &InR1<T>>
void Combine(Cpu& cpu, const Op& op) {
  const T result = Operation::template Of<T>(First(cpu, op), Second(cpu, op));
  PutR1<T>(cpu, op, result);
  cpu.SetCcNonZero(result);
}

// NILL, OIHF ...: on the field at `Shift` from the right; the condition code is that field's.
template <typename Operation, typename Field, int Shift>
void CombineImmediate(Cpu& cpu, const Op& op) {
  U64& target = cpu.gr(op.r1);
  const Field result = Operation::template Of<Field>(static_cast<Field>(target >> Shift),
                                                     InImmediate<Field>(cpu, op));
  const U64 mask = U64{static_cast<Field>(~Field{0})} << Shift;
  target = (target & ~mask) | U64{result} << Shift;
  cpu.SetCcNonZero(result);
}

// NI, OI, XI: interlocked (interlocked-access facility 2).
template <typename Operation>
void CombineStorage(Cpu& cpu, const Op& op) {
  U8* const byte = cpu.Interlocked<U8>(cpu.Operand1(op));
  const U8 mask = InImmediate<U8>(cpu, op);
  const U8 old = Operation::Fetch(std::atomic_ref<U8>(*byte), mask);
  cpu.SetCcNonZero(Operation::template Of<U8>(old, mask));
}

void TestUnderMask(Cpu& cpu, const Op& op) {
  const U8 mask = InImmediate<U8>(cpu, op);
  const U8 selected = InStorage1<U8>(cpu, op) & mask;
  cpu.SetCc(selected == 0 ? 0 : selected == mask ? 3 : 1);
}

template <int Shift>
void TestRegisterUnderMask(Cpu& cpu, const Op& op) {
  const U16 mask = InImmediate<U16>(cpu, op);
  const U16 selected = static_cast<U16>(cpu.gr(op.r1) >> Shift) & mask;
  if (selected == 0) return cpu.SetCc(0);
  if (selected == mask) return cpu.SetCc(3);
  const unsigned leftmost = 0x8000u >> (__builtin_clz(U32{mask}) - 16);
  cpu.SetCc((selected & leftmost) != 0 ? 2 : 1);
}

constexpr U64 RotateLeft(U64 value, unsigned count) {
  return value << (count & 63) | value >> (-count & 63);
}

// Bits `start` to `end` (0 leftmost) of a word of Width bits; wraps if start > end.
template <typename T>
constexpr T BitRange(unsigned start, unsigned end) {
  constexpr unsigned kLast = 8 * sizeof(T) - 1;
  const T from_start = static_cast<T>(static_cast<T>(~T{0}) >> start);
  const T to_end = static_cast<T>(static_cast<T>(~T{0}) << (kLast - end));
  return start <= end ? from_start & to_end : from_start | to_end;
}

template <bool kSetCc>
void RotateThenInsert(Cpu& cpu, const Op& op) {
  const U64 mask = BitRange<U64>(op.r3 & 63u, op.x2 & 63u);
  const U64 rotated = RotateLeft(cpu.gr(op.r2), op.i5) & mask;
  const bool zero_the_rest = (op.x2 & 0x80) != 0;
  const U64 result = zero_the_rest ? rotated : (cpu.gr(op.r1) & ~mask) | rotated;
  cpu.gr(op.r1) = result;
  if (kSetCc) cpu.SetCcSign(static_cast<std::int64_t>(result));
}

template <typename Operation>
void RotateThenCombine(Cpu& cpu, const Op& op) {
  const U64 mask = BitRange<U64>(op.r3 & 63u, op.x2 & 63u);
  const U64 rotated = RotateLeft(cpu.gr(op.r2), op.i5);
  const U64 old = cpu.gr(op.r1);
  const U64 selected = Operation::template Of<U64>(old, rotated) & mask;
  const bool test_only = (op.r3 & 0x80) != 0;
  if (!test_only) cpu.gr(op.r1) = (old & ~mask) | selected;
  cpu.SetCcNonZero(selected);
}

// RISBHG, RISBLG: the condition code stays.
template <bool kHigh>
void RotateThenInsertWord(Cpu& cpu, const Op& op) {
  const U32 mask = BitRange<U32>(op.r3 & 31u, op.x2 & 31u);
  const U64 rotated = RotateLeft(cpu.gr(op.r2), op.i5);
  const U32 inserted = static_cast<U32>(kHigh ? rotated >> 32 : rotated) & mask;
  const U32 old = kHigh ? cpu.High(op.r1) : cpu.Low(op.r1);
  const bool zero_the_rest = (op.x2 & 0x80) != 0;
  const U32 result = zero_the_rest ? inserted : (old & ~mask) | inserted;
  if (kHigh) {
    cpu.SetHigh(op.r1, result);
  } else {
    cpu.SetLow(op.r1, result);
  }
}

constexpr Instruction kTable[] = {
    // AND
    {0x14, "NR", Format::kRR, kBase, Straight<&Combine<And, U32, &InR2<U32>>>},
    {0xb980, "NGR", Format::kRRE, kBase, Straight<&Combine<And, U64, &InR2<U64>>>},
    {0xb9f4, "NRK", Format::kRRF_a, 45, Straight<&Combine<And, U32, &InR3<U32>, &InR2<U32>>>},
    {0xb9e4, "NGRK", Format::kRRF_a, 45, Straight<&Combine<And, U64, &InR3<U64>, &InR2<U64>>>},
    {0x54, "N", Format::kRX_a, kBase, Straight<&Combine<And, U32, &InStorage<U32>>>},
    {0xe354, "NY", Format::kRXY_a, 18, Straight<&Combine<And, U32, &InStorage<U32>>>},
    {0xe380, "NG", Format::kRXY_a, kBase, Straight<&Combine<And, U64, &InStorage<U64>>>},
    {0x94, "NI", Format::kSI, kBase, Straight<&CombineStorage<And>>},
    {0xeb54, "NIY", Format::kSIY, 18, Straight<&CombineStorage<And>>},
    {0xa54, "NIHH", Format::kRI_a, kBase, Straight<&CombineImmediate<And, U16, 48>>},
    {0xa55, "NIHL", Format::kRI_a, kBase, Straight<&CombineImmediate<And, U16, 32>>},
    {0xa56, "NILH", Format::kRI_a, kBase, Straight<&CombineImmediate<And, U16, 16>>},
    {0xa57, "NILL", Format::kRI_a, kBase, Straight<&CombineImmediate<And, U16, 0>>},
    {0xc0a, "NIHF", Format::kRIL_a, 21, Straight<&CombineImmediate<And, U32, 32>>},
    {0xc0b, "NILF", Format::kRIL_a, 21, Straight<&CombineImmediate<And, U32, 0>>},
    // OR
    {0x16, "OR", Format::kRR, kBase, Straight<&Combine<Or, U32, &InR2<U32>>>},
    {0xb981, "OGR", Format::kRRE, kBase, Straight<&Combine<Or, U64, &InR2<U64>>>},
    {0xb9f6, "ORK", Format::kRRF_a, 45, Straight<&Combine<Or, U32, &InR3<U32>, &InR2<U32>>>},
    {0xb9e6, "OGRK", Format::kRRF_a, 45, Straight<&Combine<Or, U64, &InR3<U64>, &InR2<U64>>>},
    {0x56, "O", Format::kRX_a, kBase, Straight<&Combine<Or, U32, &InStorage<U32>>>},
    {0xe356, "OY", Format::kRXY_a, 18, Straight<&Combine<Or, U32, &InStorage<U32>>>},
    {0xe381, "OG", Format::kRXY_a, kBase, Straight<&Combine<Or, U64, &InStorage<U64>>>},
    {0x96, "OI", Format::kSI, kBase, Straight<&CombineStorage<Or>>},
    {0xeb56, "OIY", Format::kSIY, 18, Straight<&CombineStorage<Or>>},
    {0xa58, "OIHH", Format::kRI_a, kBase, Straight<&CombineImmediate<Or, U16, 48>>},
    {0xa59, "OIHL", Format::kRI_a, kBase, Straight<&CombineImmediate<Or, U16, 32>>},
    {0xa5a, "OILH", Format::kRI_a, kBase, Straight<&CombineImmediate<Or, U16, 16>>},
    {0xa5b, "OILL", Format::kRI_a, kBase, Straight<&CombineImmediate<Or, U16, 0>>},
    {0xc0c, "OIHF", Format::kRIL_a, 21, Straight<&CombineImmediate<Or, U32, 32>>},
    {0xc0d, "OILF", Format::kRIL_a, 21, Straight<&CombineImmediate<Or, U32, 0>>},
    // EXCLUSIVE OR
    {0x17, "XR", Format::kRR, kBase, Straight<&Combine<ExclusiveOr, U32, &InR2<U32>>>},
    {0xb982, "XGR", Format::kRRE, kBase, Straight<&Combine<ExclusiveOr, U64, &InR2<U64>>>},
    {0xb9f7, "XRK", Format::kRRF_a, 45,
     Straight<&Combine<ExclusiveOr, U32, &InR3<U32>, &InR2<U32>>>},
    {0xb9e7, "XGRK", Format::kRRF_a, 45,
     Straight<&Combine<ExclusiveOr, U64, &InR3<U64>, &InR2<U64>>>},
    {0x57, "X", Format::kRX_a, kBase, Straight<&Combine<ExclusiveOr, U32, &InStorage<U32>>>},
    {0xe357, "XY", Format::kRXY_a, 18, Straight<&Combine<ExclusiveOr, U32, &InStorage<U32>>>},
    {0xe382, "XG", Format::kRXY_a, kBase, Straight<&Combine<ExclusiveOr, U64, &InStorage<U64>>>},
    {0x97, "XI", Format::kSI, kBase, Straight<&CombineStorage<ExclusiveOr>>},
    {0xeb57, "XIY", Format::kSIY, 18, Straight<&CombineStorage<ExclusiveOr>>},
    {0xc06, "XIHF", Format::kRIL_a, 21, Straight<&CombineImmediate<ExclusiveOr, U32, 32>>},
    {0xc07, "XILF", Format::kRIL_a, 21, Straight<&CombineImmediate<ExclusiveOr, U32, 0>>},
    // TEST UNDER MASK
    {0x91, "TM", Format::kSI, kBase, Straight<&TestUnderMask>},
    {0xeb51, "TMY", Format::kSIY, 18, Straight<&TestUnderMask>},
    {0xa70, "TMLH", Format::kRI_a, kBase, Straight<&TestRegisterUnderMask<16>>},
    {0xa71, "TMLL", Format::kRI_a, kBase, Straight<&TestRegisterUnderMask<0>>},
    {0xa72, "TMHH", Format::kRI_a, kBase, Straight<&TestRegisterUnderMask<48>>},
    {0xa73, "TMHL", Format::kRI_a, kBase, Straight<&TestRegisterUnderMask<32>>},
    // ROTATE THEN ... SELECTED BITS
    {0xec55, "RISBG", Format::kRIE_f, 34, Straight<&RotateThenInsert<true>>},
    {0xec59, "RISBGN", Format::kRIE_f, 49, Straight<&RotateThenInsert<false>>},
    {0xec54, "RNSBG", Format::kRIE_f, 34, Straight<&RotateThenCombine<And>>},
    {0xec56, "ROSBG", Format::kRIE_f, 34, Straight<&RotateThenCombine<Or>>},
    {0xec57, "RXSBG", Format::kRIE_f, 34, Straight<&RotateThenCombine<ExclusiveOr>>},
    {0xec5d, "RISBHG", Format::kRIE_f, 45, Straight<&RotateThenInsertWord<true>>},
    {0xec51, "RISBLG", Format::kRIE_f, 45, Straight<&RotateThenInsertWord<false>>},
};

}  // namespace

absl::Span<const Instruction> LogicalInstructions() { return kTable; }

}  // namespace lethe::emulated
