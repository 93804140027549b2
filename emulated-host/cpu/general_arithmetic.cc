#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S16 = std::int16_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;
using S8 = std::int8_t;

template <typename T, auto Second, auto First = &InR1<T>, auto Put = &PutR1<T>>
void Add(Cpu& cpu, const Op& op) {
  T sum;
  const bool overflow =
      __builtin_add_overflow(T{First(cpu, op)}, static_cast<T>(Second(cpu, op)), &sum);
  Put(cpu, op, sum);
  SetCcSigned(cpu, sum, overflow);
}

template <typename T, auto Second, auto First = &InR1<T>, auto Put = &PutR1<T>>
void Subtract(Cpu& cpu, const Op& op) {
  T difference;
  const bool overflow =
      __builtin_sub_overflow(T{First(cpu, op)}, static_cast<T>(Second(cpu, op)), &difference);
  Put(cpu, op, difference);
  SetCcSigned(cpu, difference, overflow);
}

// Logical results: the left bit of the condition code is the carry out, the right one "not zero".
// Subtraction is addition of the complement, so a borrow is the absence of a carry.
template <typename T>
T AddLogicalWithCarry(Cpu& cpu, T a, T b, bool carry_in) {
  T partial;
  T sum;
  const bool carry_a = __builtin_add_overflow(a, b, &partial);
  const bool carry_b = __builtin_add_overflow(partial, static_cast<T>(carry_in), &sum);
  const unsigned carry = static_cast<unsigned>(carry_a) | static_cast<unsigned>(carry_b);
  cpu.SetCc(static_cast<std::uint8_t>(carry << 1 | static_cast<unsigned>(sum != 0)));
  return sum;
}

template <typename T, auto Second, auto First = &InR1<T>, auto Put = &PutR1<T>>
void AddLogical(Cpu& cpu, const Op& op) {
  const T a = First(cpu, op);
  const T b = static_cast<T>(Second(cpu, op));
  Put(cpu, op, AddLogicalWithCarry<T>(cpu, a, b, false));
}

template <typename T, auto Second, auto First = &InR1<T>, auto Put = &PutR1<T>>
void SubtractLogical(Cpu& cpu, const Op& op) {
  const T a = First(cpu, op);
  const T b = static_cast<T>(Second(cpu, op));
  Put(cpu, op, AddLogicalWithCarry<T>(cpu, a, static_cast<T>(~b), true));
}

template <typename T, auto Second>
void AddWithCarry(Cpu& cpu, const Op& op) {
  const T b = Second(cpu, op);
  PutR1<T>(cpu, op, AddLogicalWithCarry<T>(cpu, InR1<T>(cpu, op), b, (cpu.Cc() & 2) != 0));
}

template <typename T, auto Second>
void SubtractWithBorrow(Cpu& cpu, const Op& op) {
  const T b = Second(cpu, op);
  PutR1<T>(cpu, op,
           AddLogicalWithCarry<T>(cpu, InR1<T>(cpu, op), static_cast<T>(~b), (cpu.Cc() & 2) != 0));
}

// ALSIHN: leaves the condition code alone.
void AddHighImmediateNoCc(Cpu& cpu, const Op& op) {
  cpu.SetHigh(op.r1, cpu.High(op.r1) + InImmediate<U32>(cpu, op));
}

// The product has the width of the multiplicand; what overflows is lost.
template <typename T, auto Second>
void MultiplySingle(Cpu& cpu, const Op& op) {
  using Unsigned = std::make_unsigned_t<T>;
  const T second = static_cast<T>(Second(cpu, op));
  PutR1<T>(cpu, op,
           static_cast<T>(static_cast<Unsigned>(InR1<T>(cpu, op)) * static_cast<Unsigned>(second)));
}

// R1 + 1 times the second operand into the pair R1, R1 + 1. T: 32 or 64 bits, Wide: twice that.
template <typename T, typename Wide, auto Second>
void MultiplyToPair(Cpu& cpu, const Op& op) {
  const int low = PairOf(cpu, op.r1);
  const T second = Second(cpu, op);
  const Wide product = static_cast<Wide>(RegisterAs<T>(cpu, low)) * static_cast<Wide>(second);
  SetRegisterAs<T>(cpu, op.r1, static_cast<T>(product >> (8 * sizeof(T))));
  SetRegisterAs<T>(cpu, low, static_cast<T>(product));
}

template <auto Second>
void Divide(Cpu& cpu, const Op& op) {
  const int low = PairOf(cpu, op.r1);
  const S64 divisor = Second(cpu, op);
  const S64 dividend = static_cast<S64>(U64{cpu.Low(op.r1)} << 32 | cpu.Low(low));
  // The most negative dividend never yields a 32-bit quotient; the host cannot divide it by -1.
  if (divisor == 0 || dividend == std::numeric_limits<S64>::min()) {
    cpu.Interrupt(ProgramCode::kFixedPointDivide);
  }
  const S64 quotient = dividend / divisor;
  if (quotient != static_cast<S32>(quotient)) cpu.Interrupt(ProgramCode::kFixedPointDivide);
  cpu.SetLow(op.r1, static_cast<U32>(dividend % divisor));
  cpu.SetLow(low, static_cast<U32>(quotient));
}

template <auto Second>
void DivideSingle(Cpu& cpu, const Op& op) {
  const int low = PairOf(cpu, op.r1);
  const S64 divisor = Second(cpu, op);
  const S64 dividend = static_cast<S64>(cpu.gr(low));
  if (divisor == 0 || (divisor == -1 && dividend == std::numeric_limits<S64>::min())) {
    cpu.Interrupt(ProgramCode::kFixedPointDivide);
  }
  cpu.gr(op.r1) = static_cast<U64>(dividend % divisor);
  cpu.gr(low) = static_cast<U64>(dividend / divisor);
}

template <typename T, typename Wide, auto Second>
void DivideLogical(Cpu& cpu, const Op& op) {
  const int low = PairOf(cpu, op.r1);
  const T divisor = Second(cpu, op);
  const T high_part = RegisterAs<T>(cpu, op.r1);
  const T low_part = RegisterAs<T>(cpu, low);
  // The quotient fits exactly if the left half is below the divisor.
  if (high_part >= divisor) cpu.Interrupt(ProgramCode::kFixedPointDivide);
  T quotient;
  T remainder;
  if (high_part == 0) {
    quotient = low_part / divisor;
    remainder = low_part % divisor;
  } else {
    const Wide dividend = static_cast<Wide>(high_part) << (8 * sizeof(T)) | low_part;
    quotient = static_cast<T>(dividend / divisor);
    remainder = static_cast<T>(dividend - static_cast<Wide>(quotient) * divisor);
  }
  SetRegisterAs<T>(cpu, op.r1, remainder);
  SetRegisterAs<T>(cpu, low, quotient);
}

// T is the width of the result, From that of the operand.
template <typename T>
T Negated(T value) {
  using Unsigned = std::make_unsigned_t<T>;
  return static_cast<T>(Unsigned{0} - static_cast<Unsigned>(value));
}

template <typename T, typename From>
void LoadPositive(Cpu& cpu, const Op& op) {
  const T value = InR2<From>(cpu, op);
  const T result = value < 0 ? Negated(value) : value;
  PutR1<T>(cpu, op, result);
  SetCcSigned(cpu, result, result < 0);
}

template <typename T, typename From>
void LoadNegative(Cpu& cpu, const Op& op) {
  const T value = InR2<From>(cpu, op);
  const T result = value > 0 ? Negated(value) : value;
  PutR1<T>(cpu, op, result);
  cpu.SetCcSign(result);
}

template <typename T, typename From>
void LoadComplement(Cpu& cpu, const Op& op) {
  const T value = InR2<From>(cpu, op);
  const T result = Negated(value);
  PutR1<T>(cpu, op, result);
  SetCcSigned(cpu, result, value == std::numeric_limits<T>::min());
}

// FLOGR.
void FindLeftmostOne(Cpu& cpu, const Op& op) {
  const int odd = PairOf(cpu, op.r1);
  const U64 value = cpu.gr(op.r2);
  const int zeros = std::countl_zero(value);
  cpu.gr(op.r1) = static_cast<U64>(zeros);
  cpu.gr(odd) = value == 0 ? 0 : value & ~(U64{1} << (63 - zeros));
  cpu.SetCc(value == 0 ? 0 : 2);
}

// POPCNT: a count for each byte.
void PopulationCount(Cpu& cpu, const Op& op) {
  U64 value = cpu.gr(op.r2);
  value -= value >> 1 & 0x5555555555555555;
  value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
  value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
  cpu.gr(op.r1) = value;
  cpu.SetCcNonZero(value);
}

constexpr Instruction kTable[] = {
    // ADD
    {0x1a, "AR", Format::kRR, kBase, Straight<&Add<S32, &InR2<S32>>>},
    {0xb908, "AGR", Format::kRRE, kBase, Straight<&Add<S64, &InR2<S64>>>},
    {0xb918, "AGFR", Format::kRRE, kBase, Straight<&Add<S64, &InR2<S32>>>},
    {0xb9f8, "ARK", Format::kRRF_a, 45, Straight<&Add<S32, &InR3<S32>, &InR2<S32>>>},
    {0xb9e8, "AGRK", Format::kRRF_a, 45, Straight<&Add<S64, &InR3<S64>, &InR2<S64>>>},
    {0x5a, "A", Format::kRX_a, kBase, Straight<&Add<S32, &InStorage<S32>>>},
    {0xe35a, "AY", Format::kRXY_a, 18, Straight<&Add<S32, &InStorage<S32>>>},
    {0xe308, "AG", Format::kRXY_a, kBase, Straight<&Add<S64, &InStorage<S64>>>},
    {0xe318, "AGF", Format::kRXY_a, kBase, Straight<&Add<S64, &InStorage<S32>>>},
    {0x4a, "AH", Format::kRX_a, kBase, Straight<&Add<S32, &InStorage<S16>>>},
    {0xe37a, "AHY", Format::kRXY_a, 18, Straight<&Add<S32, &InStorage<S16>>>},
    {0xa7a, "AHI", Format::kRI_a, kBase, Straight<&Add<S32, &InImmediate<S16>>>},
    {0xa7b, "AGHI", Format::kRI_a, kBase, Straight<&Add<S64, &InImmediate<S16>>>},
    {0xc29, "AFI", Format::kRIL_a, 21, Straight<&Add<S32, &InImmediate<S32>>>},
    {0xc28, "AGFI", Format::kRIL_a, 21, Straight<&Add<S64, &InImmediate<S32>>>},
    {0xecd8, "AHIK", Format::kRIE_d, 45, Straight<&Add<S32, &InImmediate<S16>, &InR3<S32>>>},
    {0xecd9, "AGHIK", Format::kRIE_d, 45, Straight<&Add<S64, &InImmediate<S16>, &InR3<S64>>>},
    {0xb9c8, "AHHHR", Format::kRRF_a, 45,
     Straight<&Add<S32, &InHigh3<S32>, &InHigh2<S32>, &PutHigh1<S32>>>},
    {0xb9d8, "AHHLR", Format::kRRF_a, 45,
     Straight<&Add<S32, &InR3<S32>, &InHigh2<S32>, &PutHigh1<S32>>>},
    {0xcc8, "AIH", Format::kRIL_a, 45,
     Straight<&Add<S32, &InImmediate<S32>, &InHigh1<S32>, &PutHigh1<S32>>>},
    // ADD LOGICAL
    {0x1e, "ALR", Format::kRR, kBase, Straight<&AddLogical<U32, &InR2<U32>>>},
    {0xb90a, "ALGR", Format::kRRE, kBase, Straight<&AddLogical<U64, &InR2<U64>>>},
    {0xb91a, "ALGFR", Format::kRRE, kBase, Straight<&AddLogical<U64, &InR2<U32>>>},
    {0xb9fa, "ALRK", Format::kRRF_a, 45, Straight<&AddLogical<U32, &InR3<U32>, &InR2<U32>>>},
    {0xb9ea, "ALGRK", Format::kRRF_a, 45, Straight<&AddLogical<U64, &InR3<U64>, &InR2<U64>>>},
    {0x5e, "AL", Format::kRX_a, kBase, Straight<&AddLogical<U32, &InStorage<U32>>>},
    {0xe35e, "ALY", Format::kRXY_a, 18, Straight<&AddLogical<U32, &InStorage<U32>>>},
    {0xe30a, "ALG", Format::kRXY_a, kBase, Straight<&AddLogical<U64, &InStorage<U64>>>},
    {0xe31a, "ALGF", Format::kRXY_a, kBase, Straight<&AddLogical<U64, &InStorage<U32>>>},
    {0xc2b, "ALFI", Format::kRIL_a, 21, Straight<&AddLogical<U32, &InImmediate<U32>>>},
    {0xc2a, "ALGFI", Format::kRIL_a, 21, Straight<&AddLogical<U64, &InImmediate<U32>>>},
    {0xecda, "ALHSIK", Format::kRIE_d, 45,
     Straight<&AddLogical<U32, &InImmediate<S16>, &InR3<U32>>>},
    {0xecdb, "ALGHSIK", Format::kRIE_d, 45,
     Straight<&AddLogical<U64, &InImmediate<S16>, &InR3<U64>>>},
    {0xb9ca, "ALHHHR", Format::kRRF_a, 45,
     Straight<&AddLogical<U32, &InHigh3<U32>, &InHigh2<U32>, &PutHigh1<U32>>>},
    {0xb9da, "ALHHLR", Format::kRRF_a, 45,
     Straight<&AddLogical<U32, &InR3<U32>, &InHigh2<U32>, &PutHigh1<U32>>>},
    {0xcca, "ALSIH", Format::kRIL_a, 45,
     Straight<&AddLogical<U32, &InImmediate<S32>, &InHigh1<U32>, &PutHigh1<U32>>>},
    {0xccb, "ALSIHN", Format::kRIL_a, 45, Straight<&AddHighImmediateNoCc>},
    {0xb998, "ALCR", Format::kRRE, kBase, Straight<&AddWithCarry<U32, &InR2<U32>>>},
    {0xb988, "ALCGR", Format::kRRE, kBase, Straight<&AddWithCarry<U64, &InR2<U64>>>},
    {0xe398, "ALC", Format::kRXY_a, kBase, Straight<&AddWithCarry<U32, &InStorage<U32>>>},
    {0xe388, "ALCG", Format::kRXY_a, kBase, Straight<&AddWithCarry<U64, &InStorage<U64>>>},
    // SUBTRACT
    {0x1b, "SR", Format::kRR, kBase, Straight<&Subtract<S32, &InR2<S32>>>},
    {0xb909, "SGR", Format::kRRE, kBase, Straight<&Subtract<S64, &InR2<S64>>>},
    {0xb919, "SGFR", Format::kRRE, kBase, Straight<&Subtract<S64, &InR2<S32>>>},
    {0xb9f9, "SRK", Format::kRRF_a, 45, Straight<&Subtract<S32, &InR3<S32>, &InR2<S32>>>},
    {0xb9e9, "SGRK", Format::kRRF_a, 45, Straight<&Subtract<S64, &InR3<S64>, &InR2<S64>>>},
    {0x5b, "S", Format::kRX_a, kBase, Straight<&Subtract<S32, &InStorage<S32>>>},
    {0xe35b, "SY", Format::kRXY_a, 18, Straight<&Subtract<S32, &InStorage<S32>>>},
    {0xe309, "SG", Format::kRXY_a, kBase, Straight<&Subtract<S64, &InStorage<S64>>>},
    {0xe319, "SGF", Format::kRXY_a, kBase, Straight<&Subtract<S64, &InStorage<S32>>>},
    {0x4b, "SH", Format::kRX_a, kBase, Straight<&Subtract<S32, &InStorage<S16>>>},
    {0xe37b, "SHY", Format::kRXY_a, 18, Straight<&Subtract<S32, &InStorage<S16>>>},
    {0xb9c9, "SHHHR", Format::kRRF_a, 45,
     Straight<&Subtract<S32, &InHigh3<S32>, &InHigh2<S32>, &PutHigh1<S32>>>},
    {0xb9d9, "SHHLR", Format::kRRF_a, 45,
     Straight<&Subtract<S32, &InR3<S32>, &InHigh2<S32>, &PutHigh1<S32>>>},
    // SUBTRACT LOGICAL
    {0x1f, "SLR", Format::kRR, kBase, Straight<&SubtractLogical<U32, &InR2<U32>>>},
    {0xb90b, "SLGR", Format::kRRE, kBase, Straight<&SubtractLogical<U64, &InR2<U64>>>},
    {0xb91b, "SLGFR", Format::kRRE, kBase, Straight<&SubtractLogical<U64, &InR2<U32>>>},
    {0xb9fb, "SLRK", Format::kRRF_a, 45, Straight<&SubtractLogical<U32, &InR3<U32>, &InR2<U32>>>},
    {0xb9eb, "SLGRK", Format::kRRF_a, 45, Straight<&SubtractLogical<U64, &InR3<U64>, &InR2<U64>>>},
    {0x5f, "SL", Format::kRX_a, kBase, Straight<&SubtractLogical<U32, &InStorage<U32>>>},
    {0xe35f, "SLY", Format::kRXY_a, 18, Straight<&SubtractLogical<U32, &InStorage<U32>>>},
    {0xe30b, "SLG", Format::kRXY_a, kBase, Straight<&SubtractLogical<U64, &InStorage<U64>>>},
    {0xe31b, "SLGF", Format::kRXY_a, kBase, Straight<&SubtractLogical<U64, &InStorage<U32>>>},
    {0xc25, "SLFI", Format::kRIL_a, 21, Straight<&SubtractLogical<U32, &InImmediate<U32>>>},
    {0xc24, "SLGFI", Format::kRIL_a, 21, Straight<&SubtractLogical<U64, &InImmediate<U32>>>},
    {0xb9cb, "SLHHHR", Format::kRRF_a, 45,
     Straight<&SubtractLogical<U32, &InHigh3<U32>, &InHigh2<U32>, &PutHigh1<U32>>>},
    {0xb9db, "SLHHLR", Format::kRRF_a, 45,
     Straight<&SubtractLogical<U32, &InR3<U32>, &InHigh2<U32>, &PutHigh1<U32>>>},
    {0xb999, "SLBR", Format::kRRE, kBase, Straight<&SubtractWithBorrow<U32, &InR2<U32>>>},
    {0xb989, "SLBGR", Format::kRRE, kBase, Straight<&SubtractWithBorrow<U64, &InR2<U64>>>},
    {0xe399, "SLB", Format::kRXY_a, kBase, Straight<&SubtractWithBorrow<U32, &InStorage<U32>>>},
    {0xe389, "SLBG", Format::kRXY_a, kBase, Straight<&SubtractWithBorrow<U64, &InStorage<U64>>>},
    // MULTIPLY
    {0x1c, "MR", Format::kRR, kBase, Straight<&MultiplyToPair<S32, S64, &InR2<S32>>>},
    {0x5c, "M", Format::kRX_a, kBase, Straight<&MultiplyToPair<S32, S64, &InStorage<S32>>>},
    {0xe35c, "MFY", Format::kRXY_a, 34, Straight<&MultiplyToPair<S32, S64, &InStorage<S32>>>},
    {0xb996, "MLR", Format::kRRE, kBase, Straight<&MultiplyToPair<U32, U64, &InR2<U32>>>},
    {0xe396, "ML", Format::kRXY_a, kBase, Straight<&MultiplyToPair<U32, U64, &InStorage<U32>>>},
    {0xb986, "MLGR", Format::kRRE, kBase, Straight<&MultiplyToPair<U64, Uint128, &InR2<U64>>>},
    {0xe386, "MLG", Format::kRXY_a, kBase,
     Straight<&MultiplyToPair<U64, Uint128, &InStorage<U64>>>},
    {0x4c, "MH", Format::kRX_a, kBase, Straight<&MultiplySingle<S32, &InStorage<S16>>>},
    {0xe37c, "MHY", Format::kRXY_a, 34, Straight<&MultiplySingle<S32, &InStorage<S16>>>},
    {0xa7c, "MHI", Format::kRI_a, kBase, Straight<&MultiplySingle<S32, &InImmediate<S16>>>},
    {0xa7d, "MGHI", Format::kRI_a, kBase, Straight<&MultiplySingle<S64, &InImmediate<S16>>>},
    {0xb252, "MSR", Format::kRRE, kBase, Straight<&MultiplySingle<S32, &InR2<S32>>>},
    {0xb90c, "MSGR", Format::kRRE, kBase, Straight<&MultiplySingle<S64, &InR2<S64>>>},
    {0xb91c, "MSGFR", Format::kRRE, kBase, Straight<&MultiplySingle<S64, &InR2<S32>>>},
    {0x71, "MS", Format::kRX_a, kBase, Straight<&MultiplySingle<S32, &InStorage<S32>>>},
    {0xe351, "MSY", Format::kRXY_a, 18, Straight<&MultiplySingle<S32, &InStorage<S32>>>},
    {0xe30c, "MSG", Format::kRXY_a, kBase, Straight<&MultiplySingle<S64, &InStorage<S64>>>},
    {0xe31c, "MSGF", Format::kRXY_a, kBase, Straight<&MultiplySingle<S64, &InStorage<S32>>>},
    {0xc21, "MSFI", Format::kRIL_a, 34, Straight<&MultiplySingle<S32, &InImmediate<S32>>>},
    {0xc20, "MSGFI", Format::kRIL_a, 34, Straight<&MultiplySingle<S64, &InImmediate<S32>>>},
    // DIVIDE
    {0x1d, "DR", Format::kRR, kBase, Straight<&Divide<&InR2<S32>>>},
    {0x5d, "D", Format::kRX_a, kBase, Straight<&Divide<&InStorage<S32>>>},
    {0xb997, "DLR", Format::kRRE, kBase, Straight<&DivideLogical<U32, U64, &InR2<U32>>>},
    {0xe397, "DL", Format::kRXY_a, kBase, Straight<&DivideLogical<U32, U64, &InStorage<U32>>>},
    {0xb987, "DLGR", Format::kRRE, kBase, Straight<&DivideLogical<U64, Uint128, &InR2<U64>>>},
    {0xe387, "DLG", Format::kRXY_a, kBase, Straight<&DivideLogical<U64, Uint128, &InStorage<U64>>>},
    {0xb90d, "DSGR", Format::kRRE, kBase, Straight<&DivideSingle<&InR2<S64>>>},
    {0xb91d, "DSGFR", Format::kRRE, kBase, Straight<&DivideSingle<&InR2<S32>>>},
    {0xe30d, "DSG", Format::kRXY_a, kBase, Straight<&DivideSingle<&InStorage<S64>>>},
    {0xe31d, "DSGF", Format::kRXY_a, kBase, Straight<&DivideSingle<&InStorage<S32>>>},
    // LOAD POSITIVE, NEGATIVE, COMPLEMENT
    {0x10, "LPR", Format::kRR, kBase, Straight<&LoadPositive<S32, S32>>},
    {0xb900, "LPGR", Format::kRRE, kBase, Straight<&LoadPositive<S64, S64>>},
    {0xb910, "LPGFR", Format::kRRE, kBase, Straight<&LoadPositive<S64, S32>>},
    {0x11, "LNR", Format::kRR, kBase, Straight<&LoadNegative<S32, S32>>},
    {0xb901, "LNGR", Format::kRRE, kBase, Straight<&LoadNegative<S64, S64>>},
    {0xb911, "LNGFR", Format::kRRE, kBase, Straight<&LoadNegative<S64, S32>>},
    {0x13, "LCR", Format::kRR, kBase, Straight<&LoadComplement<S32, S32>>},
    {0xb903, "LCGR", Format::kRRE, kBase, Straight<&LoadComplement<S64, S64>>},
    {0xb913, "LCGFR", Format::kRRE, kBase, Straight<&LoadComplement<S64, S32>>},
    // Bits
    {0xb983, "FLOGR", Format::kRRE, 21, Straight<&FindLeftmostOne>},
    {0xb9e1, "POPCNT", Format::kRRE, 45, Straight<&PopulationCount>},
};

}  // namespace

absl::Span<const Instruction> ArithmeticInstructions() { return kTable; }

}  // namespace lethe::emulated
