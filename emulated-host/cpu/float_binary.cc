// Binary-floating-point arithmetic, comparison, loading and testing.

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "emulated-host/cpu/float_operands.h"
#include "emulated-host/cpu/float_tables.h"

namespace lethe::emulated {
namespace {

using S = ShortFormat;
using L = LongFormat;
using X = ExtendedFormat;

template <typename Format>
FloatNumber FromR1(Cpu& cpu, const Op& op) {
  RequireOperandRegister<Format>(cpu, op.r1);
  return FprNumber<Format>(cpu, op.r1);
}

// An operation of two operands, in our arithmetic and in the host's.
struct AddOperation {
  static FloatResult Exact(const FloatNumber& a, const FloatNumber& b, RoundingMode mode) {
    return Add(a, b, mode);
  }
  template <typename Host>
  static Host OnHost(Host a, Host b) {
    return a + b;
  }
};
struct SubtractOperation {
  static FloatResult Exact(const FloatNumber& a, const FloatNumber& b, RoundingMode mode) {
    return Subtract(a, b, mode);
  }
  template <typename Host>
  static Host OnHost(Host a, Host b) {
    return a - b;
  }
};

template <typename Format, typename Operation>
[[gnu::noinline]] void AddExactly(Cpu& cpu, int r1, typename Format::Bits first,
                                  typename Format::Bits second) {
  const RoundingMode mode = FpcRounding(cpu);
  const FloatResult sum = Operation::Exact(Decode<Format>(first), Decode<Format>(second), mode);
  FloatNumber delivered;
  const Completion completion = Deliver<Format>(cpu, r1, sum, mode, false, &delivered);
  SetCcOfNumber(cpu, delivered);
  completion.Finish(cpu);
}

template <typename Format, auto Second, typename Operation>
void AddOrSubtract(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const auto second = Second(cpu, op);
  const auto first = FprBits<Format>(cpu, op.r1);
  if constexpr (HasHost<Format>) {
    if (HostArithmeticDoes(cpu)) {
      const auto sum = Operation::OnHost(ToHost<Format>(first), ToHost<Format>(second));
      if (IsBelowInfinity<Format>(sum)) {
        SetFprBits<Format>(cpu, op.r1, FromHost<Format>(sum));
        cpu.SetCc(static_cast<std::uint8_t>((sum > 0) << 1 | (sum < 0)));
        return;
      }
    }
  }
  AddExactly<Format, Operation>(cpu, op.r1, first, second);
}

template <typename Format, typename Result>
[[gnu::noinline]] void MultiplyExactly(Cpu& cpu, int r1, typename Format::Bits first,
                                       typename Format::Bits second) {
  const FloatResult product = Multiply(Decode<Format>(first), Decode<Format>(second));
  Deliver<Result>(cpu, r1, product, FpcRounding(cpu)).Finish(cpu);
}

template <typename Format, typename Result, auto Second>
void MultiplyInto(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Result>(cpu, op.r1);
  const auto second = Second(cpu, op);
  const auto first = FprBits<Format>(cpu, op.r1);
  if constexpr (HasHost<Format> && std::is_same_v<Format, Result>) {
    if (HostArithmeticDoes(cpu)) {
      const auto product = ToHost<Format>(first) * ToHost<Format>(second);
      if (IsPlain<Format>(product)) {
        return SetFprBits<Format>(cpu, op.r1, FromHost<Format>(product));
      }
    }
  }
  MultiplyExactly<Format, Result>(cpu, op.r1, first, second);
}

template <typename Format>
[[gnu::noinline]] void DivideExactly(Cpu& cpu, int r1, typename Format::Bits first,
                                     typename Format::Bits second) {
  const FloatResult quotient =
      Divide(Decode<Format>(first), Decode<Format>(second), Format::kPrecision);
  Deliver<Format>(cpu, r1, quotient, FpcRounding(cpu)).Finish(cpu);
}

template <typename Format, auto Second>
void DivideBy(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const auto second = Second(cpu, op);
  const auto first = FprBits<Format>(cpu, op.r1);
  if constexpr (HasHost<Format>) {
    if (HostArithmeticDoes(cpu)) {
      const auto quotient = ToHost<Format>(first) / ToHost<Format>(second);
      if (IsPlain<Format>(quotient)) {
        return SetFprBits<Format>(cpu, op.r1, FromHost<Format>(quotient));
      }
    }
  }
  DivideExactly<Format>(cpu, op.r1, first, second);
}

template <typename Format>
[[gnu::noinline]] void SquareRootExactly(Cpu& cpu, int r1, typename Format::Bits radicand) {
  const FloatResult root = SquareRoot(Decode<Format>(radicand), Format::kPrecision);
  Deliver<Format>(cpu, r1, root, FpcRounding(cpu)).Finish(cpu);
}

template <typename Format, auto Second>
void SquareRootOf(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const auto radicand = Second(cpu, op);
  if constexpr (HasHost<Format>) {
    if (HostArithmeticDoes(cpu)) {
      const auto root = std::sqrt(ToHost<Format>(radicand));
      if (IsPlain<Format>(root)) {
        return SetFprBits<Format>(cpu, op.r1, FromHost<Format>(root));
      }
    }
  }
  SquareRootExactly<Format>(cpu, op.r1, radicand);
}

template <typename Format, bool kSubtract>
[[gnu::noinline]] void MultiplyAndAddExactly(Cpu& cpu, int r1, typename Format::Bits second,
                                             typename Format::Bits third) {
  const RoundingMode mode = FpcRounding(cpu);
  const FloatNumber addend = FprNumber<Format>(cpu, r1);
  const FloatNumber a = Decode<Format>(second);
  const FloatNumber b = Decode<Format>(third);
  const FloatResult result =
      kSubtract ? MultiplyAndSubtract(a, b, addend, mode) : MultiplyAndAdd(a, b, addend, mode);
  Deliver<Format>(cpu, r1, result, mode).Finish(cpu);
}

template <typename Format, auto Second, bool kSubtract>
void MultiplyAnd(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  const auto second = Second(cpu, op);
  const auto third = FprBits<Format>(cpu, op.r3);
  if (HostArithmeticDoes(cpu)) {
    const auto addend = ToHost<Format>(FprBits<Format>(cpu, op.r1));
    const auto result =
        std::fma(ToHost<Format>(second), ToHost<Format>(third), kSubtract ? -addend : addend);
    if (IsPlain<Format>(result)) {
      return SetFprBits<Format>(cpu, op.r1, FromHost<Format>(result));
    }
  }
  MultiplyAndAddExactly<Format, kSubtract>(cpu, op.r1, second, third);
}

template <typename Format, bool kSignal>
[[gnu::noinline]] void CompareExactly(Cpu& cpu, typename Format::Bits first,
                                      typename Format::Bits second) {
  const FloatNumber a = Decode<Format>(first);
  const FloatNumber b = Decode<Format>(second);
  const auto invalid = [](const FloatNumber& number) {
    return kSignal ? number.IsNan() : number.kind == FloatNumber::Kind::kSignalingNan;
  };
  if (invalid(a) || invalid(b)) RaiseConditions(cpu, kIeeeInvalid);
  cpu.SetCc(Compare(a, b));
}

template <typename Format, auto Second, bool kSignal>
void CompareWith(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const auto second = Second(cpu, op);
  const auto first = FprBits<Format>(cpu, op.r1);
  if constexpr (HasHost<Format>) {
    const auto a = ToHost<Format>(first);
    const auto b = ToHost<Format>(second);
    if (!std::isunordered(a, b)) {
      return cpu.SetCc(static_cast<std::uint8_t>((a > b) << 1 | (a < b)));
    }
  }
  CompareExactly<Format, kSignal>(cpu, first, second);
}

template <typename Format>
void LoadAndTest(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const FloatNumber source = FromR2<Format>(cpu, op);
  const FloatResult result = PropagateNan(source);
  RaiseConditions(cpu, result.conditions);
  SetFprBits<Format>(cpu, op.r1, Encode<Format>(result.number));
  SetCcOfNumber(cpu, result.number);
}

enum class SignChange { kPositive, kNegative, kComplement };

// Only the sign bit changes, also of a NaN, and nothing is an IEEE exception.
template <typename Format, SignChange kChange>
void LoadWithSign(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  FloatNumber number = FromR2<Format>(cpu, op);
  number.negative =
      kChange == SignChange::kNegative || (kChange == SignChange::kComplement && !number.negative);
  SetFprBits<Format>(cpu, op.r1, Encode<Format>(number));
  SetCcOfNumber(cpu, number);
}

template <typename From, typename To>
[[gnu::noinline]] void LoadLengthenedExactly(Cpu& cpu, int r1, typename From::Bits source) {
  const FloatResult result = PropagateNan(Decode<From>(source));
  RaiseConditions(cpu, result.conditions);
  SetFprBits<To>(cpu, r1, Encode<To>(result.number));
}

template <typename From, typename To, auto Second>
void LoadLengthened(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<To>(cpu, op.r1);
  const auto source = Second(cpu, op);
  if constexpr (HasHost<To>) {
    const auto value = ToHost<From>(source);
    if (!std::isnan(value)) return SetFprBits<To>(cpu, op.r1, FromHost<To>(value));
  }
  LoadLengthenedExactly<From, To>(cpu, op.r1, source);
}

// A trapped overflow or underflow leaves the rounded number in the *source* format, scaled by less
// than in arithmetic.
template <typename From, typename To>
[[gnu::noinline]] void LoadRoundedExactly(Cpu& cpu, const Op& op) {
  const FloatNumber source = FromR2<From>(cpu, op);
  const RoundingMode mode = ExtensionRounding(cpu, op);
  const FloatResult result = PropagateNan(source);
  RaiseConditions(cpu, result.conditions);
  if (!result.number.IsFinite()) {
    SetFprBits<To>(cpu, op.r1, Encode<To>(result.number));
    return;
  }
  constexpr int kSourceScale = From::kScale / 3;
  const std::uint8_t masks = IeeeMasks(cpu);
  const FloatLimits limits = {To::kPrecision, To::kMaxExponent, kSourceScale};
  const Rounded rounded = RoundTo(result.number, limits, mode, masks);
  const bool trapped = (rounded.overflow && (masks & kIeeeOverflow) != 0) ||
                       (rounded.tiny && (masks & kIeeeUnderflow) != 0);
  if (trapped) {
    SetFprBits<From>(cpu, op.r1, Encode<From>(rounded.number));
  } else {
    SetFprBits<To>(cpu, op.r1, Encode<To>(rounded.number));
  }
  NoteRounding(cpu, rounded, SuppressesInexact(cpu, op)).Finish(cpu);
}

template <typename From, typename To>
void LoadRounded(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<From>(cpu, op.r1);
  if constexpr (HasHost<From>) {
    if (HostArithmeticDoes(cpu) && (op.r3 == 0 || op.r3 == 4)) {
      const auto value = static_cast<HostOf<To>>(ToHost<From>(FprBits<From>(cpu, op.r2)));
      if (IsPlain<To>(value)) return SetFprBits<To>(cpu, op.r1, FromHost<To>(value));
    }
  }
  LoadRoundedExactly<From, To>(cpu, op);
}

template <typename Format>
void LoadInteger(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  const FloatNumber source = FromR2<Format>(cpu, op);
  const RoundingMode mode = ModifierRounding(cpu, op.r3);
  const FloatResult result = PropagateNan(source);
  RaiseConditions(cpu, result.conditions);
  Rounded rounded{.number = result.number};
  if (result.number.IsFinite()) rounded = RoundAt(result.number, 0, mode);
  SetFprBits<Format>(cpu, op.r1, Encode<Format>(rounded.number));
  NoteRounding(cpu, rounded, SuppressesInexact(cpu, op)).Finish(cpu);
}

// The class of a number as a bit of the mask in TEST DATA CLASS, the one for a positive sign.
template <typename Format>
unsigned DataClass(const FloatNumber& number) {
  switch (number.kind) {
    case FloatNumber::Kind::kZero:
      return 0x800;
    case FloatNumber::Kind::kFinite:
      return number.exponent >= 1 - Format::kMaxExponent ? 0x200 : 0x080;
    case FloatNumber::Kind::kInfinity:
      return 0x020;
    case FloatNumber::Kind::kQuietNan:
      return 0x008;
    case FloatNumber::Kind::kSignalingNan:
      return 0x002;
  }
  return 0;
}

template <typename Format>
void TestDataClass(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  const FloatNumber number = FromR1<Format>(cpu, op);
  const unsigned selected = DataClass<Format>(number) >> (number.negative ? 1 : 0);
  cpu.SetCc((cpu.Address2(op) & selected) != 0 ? 1 : 0);
}

// DIVIDE TO INTEGER. Either the quotient fits the format, then it is the integer nearest to the
// precise one (as M4 says) and the remainder is final; or it is cut off to the format's precision
// and the remainder is there to go on with. The remainder is exact in both cases: the dividend
// minus a multiple of the divisor, found digit by digit.
struct IntegerDivision {
  FloatNumber quotient;
  FloatNumber remainder;
  bool final = true;
  bool inexact = false;
  bool incremented = false;
};

template <typename Format>
IntegerDivision DivideFinite(const FloatNumber& a, const FloatNumber& b, RoundingMode mode) {
  const bool negative = a.negative != b.negative;
  const int distance = a.exponent - b.exponent;
  IntegerDivision result;
  FloatBits rest = a.significand;
  FloatBits digits = 0;
  int last = 0;  // weight of the last quotient digit, as a power of two
  if (distance >= 0) {
    // The first digit may be a zero: one more then.
    const int most = a.significand >= b.significand ? Format::kPrecision : Format::kPrecision + 1;
    const int count = distance + 1 < most ? distance + 1 : most;
    for (int i = 0; i < count; ++i) {
      if (i != 0) rest <<= 1;
      const bool fits = rest >= b.significand;
      if (fits) rest -= b.significand;
      digits = digits << 1 | (fits ? 1 : 0);
    }
    last = distance + 1 - count;
  }
  result.final = last == 0;
  // rest * 2^(scale): what is left of the dividend's magnitude.
  const int scale = (distance >= 0 ? b.exponent + last : a.exponent) - FloatNumber::kTopBit;
  result.quotient = FloatNumber::Of(negative, digits, last);
  result.remainder = FloatNumber::Of(a.negative, rest, scale);
  if (!result.final || rest == 0) return result;

  // Round: is the fraction rest/divisor below, at or above one half?
  const FloatNumber twice = FloatNumber::Of(false, rest, scale + 1);
  const std::uint8_t half =
      Compare(twice, FloatNumber::Of(false, b.significand, b.exponent - FloatNumber::kTopBit));
  const FloatBits fraction = half == 0 ? 2 : half == 1 ? 1 : 3;  // in quarters
  const FloatNumber precise = FloatNumber::Of(negative, digits << 2 | fraction, -2);
  const Rounded rounded = RoundAt(precise, 0, mode);
  result.inexact = true;
  result.incremented = rounded.incremented;
  result.quotient = rounded.number;
  if (rounded.incremented) {
    FloatNumber divisor = b;
    divisor.negative = !a.negative;
    result.remainder = Add(result.remainder, divisor, RoundingMode::kTowardZero).number;
  }
  return result;
}

template <typename Format>
void DivideToInteger(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  cpu.SpecificationUnless(op.r1 != op.r2 && op.r1 != op.r3 && op.r2 != op.r3);
  const RoundingMode mode = ModifierRounding(cpu, op.x2);
  const FloatNumber a = FprNumber<Format>(cpu, op.r1);
  const FloatNumber b = FprNumber<Format>(cpu, op.r2);
  if (a.IsNan() || b.IsNan() || a.IsInfinity() || b.IsZero()) {
    const FloatResult nan = a.IsNan() || b.IsNan()
                                ? PropagateNan(a, b)
                                : FloatResult{FloatNumber::DefaultNan(), kIeeeInvalid};
    RaiseConditions(cpu, nan.conditions);
    SetFprBits<Format>(cpu, op.r1, Encode<Format>(nan.number));
    SetFprBits<Format>(cpu, op.r3, Encode<Format>(nan.number));
    cpu.SetCc(3);
    return;
  }
  IntegerDivision division;
  division.remainder = a;
  division.quotient = FloatNumber::Zero(a.negative != b.negative);
  if (a.IsFinite() && b.IsFinite()) {
    division = DivideFinite<Format>(a, b, mode);
  } else if (a.IsFinite()) {  // by infinity: the quotient is a fraction next to zero
    const FloatNumber tiny = FloatNumber::Of(a.negative != b.negative, 1, -2);
    const Rounded rounded = RoundAt(tiny, 0, mode);
    // Directed away from zero there is no finite remainder; the quotient stays zero.
    division.inexact = rounded.inexact;
  }
  // The quotient may exceed the format by far; then it is scaled and the condition code says so.
  FloatNumber quotient = division.quotient;
  const bool quotient_overflow = quotient.IsFinite() && quotient.exponent > Format::kMaxExponent;
  if (quotient_overflow) quotient.exponent -= Format::kScale;
  Rounded remainder{.number = division.remainder};
  if (division.remainder.IsFinite()) {
    remainder = RoundTo(division.remainder, kLimitsOf<Format>, mode, IeeeMasks(cpu));
  }
  SetFprBits<Format>(cpu, op.r1, Encode<Format>(remainder.number));
  SetFprBits<Format>(cpu, op.r3, Encode<Format>(quotient));
  cpu.SetCc(static_cast<std::uint8_t>((division.final ? 0 : 2) | (quotient_overflow ? 1 : 0)));
  remainder.inexact = division.inexact;
  remainder.incremented = division.incremented;
  remainder.tiny = remainder.tiny && (IeeeMasks(cpu) & kIeeeUnderflow) != 0;
  NoteRounding(cpu, remainder, false).Finish(cpu);
}

constexpr Instruction kInstructions[] = {
    {0xb300, "LPEBR", Format::kRRE, kBase, Straight<&LoadWithSign<S, SignChange::kPositive>>},
    {0xb301, "LNEBR", Format::kRRE, kBase, Straight<&LoadWithSign<S, SignChange::kNegative>>},
    {0xb302, "LTEBR", Format::kRRE, kBase, Straight<&LoadAndTest<S>>},
    {0xb303, "LCEBR", Format::kRRE, kBase, Straight<&LoadWithSign<S, SignChange::kComplement>>},
    {0xb304, "LDEBR", Format::kRRE, kBase, Straight<&LoadLengthened<S, L, &BitsOfR2<S>>>},
    {0xb305, "LXDBR", Format::kRRE, kBase, Straight<&LoadLengthened<L, X, &BitsOfR2<L>>>},
    {0xb306, "LXEBR", Format::kRRE, kBase, Straight<&LoadLengthened<S, X, &BitsOfR2<S>>>},
    {0xb307, "MXDBR", Format::kRRE, kBase, Straight<&MultiplyInto<L, X, &BitsOfR2<L>>>},
    {0xb308, "KEBR", Format::kRRE, kBase, Straight<&CompareWith<S, &BitsOfR2<S>, true>>},
    {0xb309, "CEBR", Format::kRRE, kBase, Straight<&CompareWith<S, &BitsOfR2<S>, false>>},
    {0xb30a, "AEBR", Format::kRRE, kBase, Straight<&AddOrSubtract<S, &BitsOfR2<S>, AddOperation>>},
    {0xb30b, "SEBR", Format::kRRE, kBase,
     Straight<&AddOrSubtract<S, &BitsOfR2<S>, SubtractOperation>>},
    {0xb30c, "MDEBR", Format::kRRE, kBase, Straight<&MultiplyInto<S, L, &BitsOfR2<S>>>},
    {0xb30d, "DEBR", Format::kRRE, kBase, Straight<&DivideBy<S, &BitsOfR2<S>>>},
    {0xb30e, "MAEBR", Format::kRRD, kBase, Straight<&MultiplyAnd<S, &BitsOfR2<S>, false>>},
    {0xb30f, "MSEBR", Format::kRRD, kBase, Straight<&MultiplyAnd<S, &BitsOfR2<S>, true>>},
    {0xb310, "LPDBR", Format::kRRE, kBase, Straight<&LoadWithSign<L, SignChange::kPositive>>},
    {0xb311, "LNDBR", Format::kRRE, kBase, Straight<&LoadWithSign<L, SignChange::kNegative>>},
    {0xb312, "LTDBR", Format::kRRE, kBase, Straight<&LoadAndTest<L>>},
    {0xb313, "LCDBR", Format::kRRE, kBase, Straight<&LoadWithSign<L, SignChange::kComplement>>},
    {0xb314, "SQEBR", Format::kRRE, kBase, Straight<&SquareRootOf<S, &BitsOfR2<S>>>},
    {0xb315, "SQDBR", Format::kRRE, kBase, Straight<&SquareRootOf<L, &BitsOfR2<L>>>},
    {0xb316, "SQXBR", Format::kRRE, kBase, Straight<&SquareRootOf<X, &BitsOfR2<X>>>},
    {0xb317, "MEEBR", Format::kRRE, kBase, Straight<&MultiplyInto<S, S, &BitsOfR2<S>>>},
    {0xb318, "KDBR", Format::kRRE, kBase, Straight<&CompareWith<L, &BitsOfR2<L>, true>>},
    {0xb319, "CDBR", Format::kRRE, kBase, Straight<&CompareWith<L, &BitsOfR2<L>, false>>},
    {0xb31a, "ADBR", Format::kRRE, kBase, Straight<&AddOrSubtract<L, &BitsOfR2<L>, AddOperation>>},
    {0xb31b, "SDBR", Format::kRRE, kBase,
     Straight<&AddOrSubtract<L, &BitsOfR2<L>, SubtractOperation>>},
    {0xb31c, "MDBR", Format::kRRE, kBase, Straight<&MultiplyInto<L, L, &BitsOfR2<L>>>},
    {0xb31d, "DDBR", Format::kRRE, kBase, Straight<&DivideBy<L, &BitsOfR2<L>>>},
    {0xb31e, "MADBR", Format::kRRD, kBase, Straight<&MultiplyAnd<L, &BitsOfR2<L>, false>>},
    {0xb31f, "MSDBR", Format::kRRD, kBase, Straight<&MultiplyAnd<L, &BitsOfR2<L>, true>>},
    {0xb340, "LPXBR", Format::kRRE, kBase, Straight<&LoadWithSign<X, SignChange::kPositive>>},
    {0xb341, "LNXBR", Format::kRRE, kBase, Straight<&LoadWithSign<X, SignChange::kNegative>>},
    {0xb342, "LTXBR", Format::kRRE, kBase, Straight<&LoadAndTest<X>>},
    {0xb343, "LCXBR", Format::kRRE, kBase, Straight<&LoadWithSign<X, SignChange::kComplement>>},
    {0xb344, "LEDBR", Format::kRRF_e, kBase, Straight<&LoadRounded<L, S>>},
    {0xb345, "LDXBR", Format::kRRF_e, kBase, Straight<&LoadRounded<X, L>>},
    {0xb346, "LEXBR", Format::kRRF_e, kBase, Straight<&LoadRounded<X, S>>},
    {0xb347, "FIXBR", Format::kRRF_e, kBase, Straight<&LoadInteger<X>>},
    {0xb348, "KXBR", Format::kRRE, kBase, Straight<&CompareWith<X, &BitsOfR2<X>, true>>},
    {0xb349, "CXBR", Format::kRRE, kBase, Straight<&CompareWith<X, &BitsOfR2<X>, false>>},
    {0xb34a, "AXBR", Format::kRRE, kBase, Straight<&AddOrSubtract<X, &BitsOfR2<X>, AddOperation>>},
    {0xb34b, "SXBR", Format::kRRE, kBase,
     Straight<&AddOrSubtract<X, &BitsOfR2<X>, SubtractOperation>>},
    {0xb34c, "MXBR", Format::kRRE, kBase, Straight<&MultiplyInto<X, X, &BitsOfR2<X>>>},
    {0xb34d, "DXBR", Format::kRRE, kBase, Straight<&DivideBy<X, &BitsOfR2<X>>>},
    {0xb353, "DIEBR", Format::kRRF_b, kBase, Straight<&DivideToInteger<S>>},
    {0xb357, "FIEBR", Format::kRRF_e, kBase, Straight<&LoadInteger<S>>},
    {0xb35b, "DIDBR", Format::kRRF_b, kBase, Straight<&DivideToInteger<L>>},
    {0xb35f, "FIDBR", Format::kRRF_e, kBase, Straight<&LoadInteger<L>>},
    {0xed04, "LDEB", Format::kRXE, kBase, Straight<&LoadLengthened<S, L, &BitsOfStorage<S>>>},
    {0xed05, "LXDB", Format::kRXE, kBase, Straight<&LoadLengthened<L, X, &BitsOfStorage<L>>>},
    {0xed06, "LXEB", Format::kRXE, kBase, Straight<&LoadLengthened<S, X, &BitsOfStorage<S>>>},
    {0xed07, "MXDB", Format::kRXE, kBase, Straight<&MultiplyInto<L, X, &BitsOfStorage<L>>>},
    {0xed08, "KEB", Format::kRXE, kBase, Straight<&CompareWith<S, &BitsOfStorage<S>, true>>},
    {0xed09, "CEB", Format::kRXE, kBase, Straight<&CompareWith<S, &BitsOfStorage<S>, false>>},
    {0xed0a, "AEB", Format::kRXE, kBase,
     Straight<&AddOrSubtract<S, &BitsOfStorage<S>, AddOperation>>},
    {0xed0b, "SEB", Format::kRXE, kBase,
     Straight<&AddOrSubtract<S, &BitsOfStorage<S>, SubtractOperation>>},
    {0xed0c, "MDEB", Format::kRXE, kBase, Straight<&MultiplyInto<S, L, &BitsOfStorage<S>>>},
    {0xed0d, "DEB", Format::kRXE, kBase, Straight<&DivideBy<S, &BitsOfStorage<S>>>},
    {0xed0e, "MAEB", Format::kRXF, kBase, Straight<&MultiplyAnd<S, &BitsOfStorage<S>, false>>},
    {0xed0f, "MSEB", Format::kRXF, kBase, Straight<&MultiplyAnd<S, &BitsOfStorage<S>, true>>},
    {0xed10, "TCEB", Format::kRXE, kBase, Straight<&TestDataClass<S>>},
    {0xed11, "TCDB", Format::kRXE, kBase, Straight<&TestDataClass<L>>},
    {0xed12, "TCXB", Format::kRXE, kBase, Straight<&TestDataClass<X>>},
    {0xed14, "SQEB", Format::kRXE, kBase, Straight<&SquareRootOf<S, &BitsOfStorage<S>>>},
    {0xed15, "SQDB", Format::kRXE, kBase, Straight<&SquareRootOf<L, &BitsOfStorage<L>>>},
    {0xed17, "MEEB", Format::kRXE, kBase, Straight<&MultiplyInto<S, S, &BitsOfStorage<S>>>},
    {0xed18, "KDB", Format::kRXE, kBase, Straight<&CompareWith<L, &BitsOfStorage<L>, true>>},
    {0xed19, "CDB", Format::kRXE, kBase, Straight<&CompareWith<L, &BitsOfStorage<L>, false>>},
    {0xed1a, "ADB", Format::kRXE, kBase,
     Straight<&AddOrSubtract<L, &BitsOfStorage<L>, AddOperation>>},
    {0xed1b, "SDB", Format::kRXE, kBase,
     Straight<&AddOrSubtract<L, &BitsOfStorage<L>, SubtractOperation>>},
    {0xed1c, "MDB", Format::kRXE, kBase, Straight<&MultiplyInto<L, L, &BitsOfStorage<L>>>},
    {0xed1d, "DDB", Format::kRXE, kBase, Straight<&DivideBy<L, &BitsOfStorage<L>>>},
    {0xed1e, "MADB", Format::kRXF, kBase, Straight<&MultiplyAnd<L, &BitsOfStorage<L>, false>>},
    {0xed1f, "MSDB", Format::kRXF, kBase, Straight<&MultiplyAnd<L, &BitsOfStorage<L>, true>>},
};

}  // namespace

absl::Span<const Instruction> BinaryFloatInstructions() { return kInstructions; }

}  // namespace lethe::emulated
