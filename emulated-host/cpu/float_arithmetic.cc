#include "emulated-host/cpu/float_arithmetic.h"

#include <utility>

namespace lethe::emulated {
namespace {

constexpr int kTopBit = FloatNumber::kTopBit;

FloatResult Invalid() { return {.number = FloatNumber::DefaultNan(), .conditions = kIeeeInvalid}; }

FloatResult Quieted(FloatNumber nan) {
  const bool signaling = nan.kind == FloatNumber::Kind::kSignalingNan;
  nan.kind = FloatNumber::Kind::kQuietNan;
  nan.significand |= FloatNumber::kQuietBit;
  return {.number = nan, .conditions = signaling ? kIeeeInvalid : std::uint8_t{0}};
}

bool IsSignaling(const FloatNumber& a) { return a.kind == FloatNumber::Kind::kSignalingNan; }

FloatNumber Negated(FloatNumber a) {
  if (!a.IsNan()) a.negative = !a.negative;
  return a;
}

FloatNumber AddFinite(FloatNumber a, FloatNumber b, RoundingMode mode) {
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) {
    std::swap(a, b);
  }
  const FloatBits aligned = ShiftRightSticky(b.significand, a.exponent - b.exponent);
  if (a.negative == b.negative) {
    return FloatNumber::Of(a.negative, a.significand + aligned, a.exponent - kTopBit);
  }
  const FloatBits difference = a.significand - aligned;
  if (difference == 0) return FloatNumber::Zero(mode == RoundingMode::kTowardMinus);
  return FloatNumber::Of(a.negative, difference, a.exponent - kTopBit);
}

// Quotient of two significands, as an integer to be scaled by 2^-shift.
struct Quotient {
  FloatBits digits;
  int shift;
};
Quotient DivideSignificands(FloatBits a, FloatBits b, int precision) {
  if (precision <= LongFormat::kPrecision) {
    const FloatBits divisor = b >> 64;  // what is shifted out is zero
    return {a / divisor << 1 | (a % divisor != 0 ? 1 : 0), 65};
  }
  constexpr int kDigits = ExtendedFormat::kPrecision + 4;
  FloatBits digits = 0;
  for (int i = 0; i <= kDigits; ++i) {
    const bool fits = a >= b;
    if (fits) a -= b;
    digits = digits << 1 | (fits ? 1 : 0);
    a <<= 1;
  }
  return {digits | (a != 0 ? 1 : 0), kDigits};
}

bool RoundsUp(FloatBits kept, FloatBits lost, FloatBits half, bool negative, RoundingMode mode) {
  switch (mode) {
    case RoundingMode::kNearestEven:
      return lost > half || (lost == half && (kept & 1) != 0);
    case RoundingMode::kNearestAway:
      return lost >= half;
    case RoundingMode::kTowardZero:
      return false;
    case RoundingMode::kTowardPlus:
      return !negative;
    case RoundingMode::kTowardMinus:
      return negative;
    case RoundingMode::kPrepareShorter:
      return (kept & 1) == 0;
  }
  return false;
}

// What an overflow gives that does not trap.
FloatNumber Overflowed(bool negative, const FloatLimits& limits, RoundingMode mode) {
  const bool infinite = mode == RoundingMode::kNearestEven || mode == RoundingMode::kNearestAway ||
                        mode == (negative ? RoundingMode::kTowardMinus : RoundingMode::kTowardPlus);
  if (infinite) return FloatNumber::Infinity(negative);
  return FloatNumber::Of(negative, (FloatBits{1} << limits.precision) - 1,
                         limits.max_exponent - limits.precision + 1);
}

}  // namespace

FloatBits MultiplySignificands(FloatBits a, FloatBits b) {
  const auto low = [](FloatBits x) { return FloatBits{static_cast<std::uint64_t>(x)}; };
  const FloatBits low_low = low(a) * low(b);
  const FloatBits middle_1 = (a >> 64) * low(b);
  const FloatBits middle_2 = low(a) * (b >> 64);
  const FloatBits carry = (low_low >> 64) + low(middle_1) + low(middle_2);
  const FloatBits left =
      (a >> 64) * (b >> 64) + (middle_1 >> 64) + (middle_2 >> 64) + (carry >> 64);
  const FloatBits right = carry << 64 | low(low_low);
  return left << 3 | right >> 125 | ((right << 3) != 0 ? 1 : 0);
}

FloatResult PropagateNan(const FloatNumber& a) { return a.IsNan() ? Quieted(a) : FloatResult{a}; }

FloatResult PropagateNan(const FloatNumber& a, const FloatNumber& b) {
  if (IsSignaling(a)) return Quieted(a);
  if (IsSignaling(b)) return Quieted(b);
  return Quieted(a.IsNan() ? a : b);
}

FloatResult Add(const FloatNumber& a, const FloatNumber& b, RoundingMode mode) {
  if (a.IsNan() || b.IsNan()) return PropagateNan(a, b);
  if (a.IsInfinity()) {
    return b.IsInfinity() && a.negative != b.negative ? Invalid() : FloatResult{a};
  }
  if (b.IsInfinity()) return {b};
  if (a.IsZero() && b.IsZero()) {
    const bool negative =
        a.negative == b.negative ? a.negative : mode == RoundingMode::kTowardMinus;
    return {FloatNumber::Zero(negative)};
  }
  if (a.IsZero()) return {b};
  if (b.IsZero()) return {a};
  return {AddFinite(a, b, mode)};
}

FloatResult Subtract(const FloatNumber& a, const FloatNumber& b, RoundingMode mode) {
  return Add(a, Negated(b), mode);
}

FloatResult Multiply(const FloatNumber& a, const FloatNumber& b) {
  if (a.IsNan() || b.IsNan()) return PropagateNan(a, b);
  const bool negative = a.negative != b.negative;
  if (a.IsInfinity() || b.IsInfinity()) {
    return a.IsZero() || b.IsZero() ? Invalid() : FloatResult{FloatNumber::Infinity(negative)};
  }
  if (a.IsZero() || b.IsZero()) return {FloatNumber::Zero(negative)};
  return {FloatNumber::Of(negative, MultiplySignificands(a.significand, b.significand),
                          a.exponent + b.exponent - kTopBit)};
}

FloatResult Divide(const FloatNumber& a, const FloatNumber& b, int precision) {
  if (a.IsNan() || b.IsNan()) return PropagateNan(a, b);
  const bool negative = a.negative != b.negative;
  if (a.IsInfinity()) {
    return b.IsInfinity() ? Invalid() : FloatResult{FloatNumber::Infinity(negative)};
  }
  if (b.IsInfinity()) return {FloatNumber::Zero(negative)};
  if (b.IsZero()) {
    if (a.IsZero()) return Invalid();
    return {FloatNumber::Infinity(negative), kIeeeDivideByZero};
  }
  if (a.IsZero()) return {FloatNumber::Zero(negative)};
  const Quotient quotient = DivideSignificands(a.significand, b.significand, precision);
  return {FloatNumber::Of(negative, quotient.digits, a.exponent - b.exponent - quotient.shift)};
}

FloatResult SquareRoot(const FloatNumber& a, int precision) {
  if (a.IsNan()) return PropagateNan(a);
  if (a.IsZero()) return {a};
  if (a.negative) return Invalid();
  if (a.IsInfinity()) return {a};
  const bool odd = (a.exponent & 1) != 0;
  // Two digits of the radicand (126 fraction bits) give one digit of the root.
  FloatBits radicand = a.significand << (odd ? 2 : 1);
  FloatBits root = 0;
  FloatBits rest = 0;
  const int digits = precision + 3;
  for (int i = 0; i < digits; ++i) {
    rest = rest << 2 | radicand >> 126;
    radicand <<= 2;
    const FloatBits trial = root << 2 | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  const bool sticky = rest != 0 || radicand != 0;
  return {FloatNumber::Of(false, root << 1 | (sticky ? 1 : 0),
                          (a.exponent - (odd ? 1 : 0)) / 2 - digits)};
}

FloatResult MultiplyAndAdd(const FloatNumber& a, const FloatNumber& b, const FloatNumber& addend,
                           RoundingMode mode) {
  if (addend.IsNan() || a.IsNan() || b.IsNan()) {
    const bool infinity_times_zero =
        (a.IsInfinity() && b.IsZero()) || (a.IsZero() && b.IsInfinity());
    if (infinity_times_zero) return Invalid();
    // The factors come before the addend.
    for (const FloatNumber* operand : {&a, &b, &addend}) {
      if (IsSignaling(*operand)) return Quieted(*operand);
    }
    return Quieted(a.IsNan() ? a : b.IsNan() ? b : addend);
  }
  const FloatResult product = Multiply(a, b);
  if (product.conditions != 0) return product;
  return Add(product.number, addend, mode);
}

FloatResult MultiplyAndSubtract(const FloatNumber& a, const FloatNumber& b,
                                const FloatNumber& subtrahend, RoundingMode mode) {
  return MultiplyAndAdd(a, b, Negated(subtrahend), mode);
}

std::uint8_t Compare(const FloatNumber& a, const FloatNumber& b) {
  if (a.IsNan() || b.IsNan()) return 3;
  if (a.IsZero() && b.IsZero()) return 0;
  // The rank of a magnitude: zero, then by exponent and significand, then infinity.
  const auto smaller = [](const FloatNumber& x, const FloatNumber& y) {
    if (x.kind != y.kind) return x.kind < y.kind;
    if (x.exponent != y.exponent) return x.exponent < y.exponent;
    return x.significand < y.significand;
  };
  const bool a_negative = a.negative && !a.IsZero();
  const bool b_negative = b.negative && !b.IsZero();
  if (a_negative != b_negative) return a_negative ? 1 : 2;
  if (smaller(a, b)) return a_negative ? 2 : 1;
  if (smaller(b, a)) return a_negative ? 1 : 2;
  return 0;
}

Rounded RoundAt(const FloatNumber& finite, int position, RoundingMode mode) {
  const int dropped = position - (finite.exponent - kTopBit);
  if (dropped <= 0) return {.number = finite};
  // Everything is further right than the half: the exact distance does not matter any more.
  const int shift = dropped > kTopBit + 2 ? kTopBit + 2 : dropped;
  const FloatBits kept = finite.significand >> shift;
  const FloatBits lost = finite.significand & ((FloatBits{1} << shift) - 1);
  if (lost == 0) return {.number = finite};
  const bool up = RoundsUp(kept, lost, FloatBits{1} << (shift - 1), finite.negative, mode);
  return {.number = FloatNumber::Of(finite.negative, kept + (up ? 1 : 0), position),
          .inexact = true,
          .incremented = up};
}

Rounded RoundTo(const FloatNumber& finite, const FloatLimits& limits, RoundingMode mode,
                std::uint8_t masks) {
  const int min_exponent = 1 - limits.max_exponent;
  const bool tiny = finite.exponent < min_exponent;
  const bool subnormal = tiny && (masks & kIeeeUnderflow) == 0;
  const int exponent = subnormal ? min_exponent : finite.exponent;
  Rounded rounded = RoundAt(finite, exponent - limits.precision + 1, mode);
  rounded.tiny = tiny;
  if (tiny && !subnormal) {
    rounded.number.exponent += limits.scale;
  } else if (rounded.number.IsFinite() && rounded.number.exponent > limits.max_exponent) {
    rounded.overflow = true;
    if ((masks & kIeeeOverflow) != 0) {
      rounded.number.exponent -= limits.scale;
    } else {
      rounded.number = Overflowed(finite.negative, limits, mode);
      rounded.incremented = rounded.number.IsInfinity();
      rounded.inexact = true;
    }
  }
  return rounded;
}

}  // namespace lethe::emulated
