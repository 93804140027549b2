#include "emulated-host/cpu/hexfloat_number.h"

#include <utility>

#include "emulated-host/cpu/float_arithmetic.h"

namespace lethe::emulated {
namespace {

constexpr int kFractionBits = HexNumber::kFractionBits;
constexpr int kBias = 64;
constexpr int kLowPartDistance = 14;

FloatBits DigitsMask(int digits) { return ~FloatBits{0} << (kFractionBits - 4 * digits); }

// Sign and characteristic, as the leftmost byte of a number has them.
std::uint8_t FirstByte(bool negative, int exponent) {
  return static_cast<std::uint8_t>((negative ? 0x80 : 0) | ((exponent + kBias) & 0x7f));
}

}  // namespace

HexNumber HexNumber::Normalized() const {
  HexNumber result = *this;
  if (IsZero()) return result;
  while ((result.fraction & kFirstDigit) == 0) {
    result.fraction <<= 4;
    --result.exponent;
  }
  return result;
}

HexNumber HexNumber::Truncated(int digits) const {
  return {negative, exponent, fraction & DigitsMask(digits)};
}

HexNumber HexNumber::ShiftedRight(int digits) const {
  return {negative, exponent + digits,
          digits <= kFractionDigits ? fraction >> (4 * digits) : FloatBits{0}};
}

template <typename Format>
HexNumber DecodeHex(typename Format::Bits bits) {
  constexpr int kWidth = sizeof(bits) * 8;
  const auto first = static_cast<unsigned>(bits >> (kWidth - 8));
  FloatBits fraction;
  if constexpr (sizeof(bits) == 16) {
    constexpr std::uint64_t kPart = 0x00ff'ffff'ffff'ffff;
    const FloatBits left = static_cast<std::uint64_t>(bits >> 64) & kPart;
    const FloatBits right = static_cast<std::uint64_t>(bits) & kPart;
    fraction = (left << 56 | right) << (kFractionBits - 112);
  } else {
    fraction = FloatBits{bits} << (128 - kWidth) << 8 >> (128 - kFractionBits);
  }
  return {(first & 0x80) != 0, static_cast<int>(first & 0x7f) - kBias, fraction};
}

template <typename Format>
typename Format::Bits EncodeHex(const HexNumber& number) {
  using Bits = typename Format::Bits;
  constexpr int kWidth = sizeof(Bits) * 8;
  const FloatBits fraction = number.fraction << (128 - kFractionBits);  // leftmost
  const FloatBits first = FloatBits{FirstByte(number.negative, number.exponent)} << 120;
  if constexpr (sizeof(Bits) == 16) {
    const bool true_zero = number.IsZero() && number.exponent == -kBias;
    const int low_exponent = true_zero ? number.exponent : number.exponent - kLowPartDistance;
    const auto left = static_cast<std::uint64_t>((first | fraction >> 8) >> 64);
    const std::uint64_t right = std::uint64_t{FirstByte(number.negative, low_exponent)} << 56 |
                                static_cast<std::uint64_t>(fraction << 56 >> 72);
    return FloatBits{left} << 64 | right;
  } else {
    return static_cast<Bits>((first | fraction >> 8) >> (128 - kWidth));
  }
}

HexNumber AddHex(const HexNumber& first, const HexNumber& second, int digits) {
  HexNumber a = first;
  HexNumber b = second;
  if (a.exponent < b.exponent) std::swap(a, b);
  b = b.ShiftedRight(a.exponent - b.exponent).Truncated(digits + 1);
  HexNumber sum = a;
  if (a.negative == b.negative) {
    sum.fraction = a.fraction + b.fraction;
  } else if (a.fraction >= b.fraction) {
    sum.fraction = a.fraction - b.fraction;
  } else {
    sum.fraction = b.fraction - a.fraction;
    sum.negative = b.negative;
  }
  if (sum.fraction >> kFractionBits != 0) return sum.ShiftedRight(1);
  return sum;
}

HexNumber MultiplyHex(const HexNumber& first, const HexNumber& second) {
  if (first.IsZero() || second.IsZero()) return {};
  const HexNumber a = first.Normalized();
  const HexNumber b = second.Normalized();
  // 2ab / 2^125: the product with 124 fraction bits.
  const FloatBits fraction = MultiplySignificands(a.fraction << 1, b.fraction);
  return HexNumber{a.negative != b.negative, a.exponent + b.exponent, fraction}.Normalized();
}

HexNumber DivideHex(const HexNumber& first, const HexNumber& second) {
  if (first.IsZero()) return {};
  HexNumber a = first.Normalized();
  const HexNumber b = second.Normalized();
  if (a.fraction >= b.fraction) a = a.ShiftedRight(1);  // the rightmost digits are zeros
  FloatBits rest = a.fraction;
  FloatBits quotient = 0;
  for (int i = 0; i < kFractionBits; ++i) {
    rest <<= 1;
    quotient <<= 1;
    if (rest >= b.fraction) {
      rest -= b.fraction;
      quotient |= 1;
    }
  }
  return {a.negative != b.negative, a.exponent - b.exponent, quotient};
}

HexNumber SquareRootHex(const HexNumber& number, int digits) {
  if (number.IsZero()) return {};
  HexNumber a = number.Normalized();
  if ((a.exponent & 1) != 0) a = a.ShiftedRight(1);
  // Digit by digit; two bits of the radicand give one of the root. One bit more, for rounding.
  FloatBits radicand = a.fraction << (128 - kFractionBits);
  FloatBits root = 0;
  FloatBits rest = 0;
  const int bits = 4 * digits + 1;
  for (int i = 0; i < bits; ++i) {
    rest = rest << 2 | radicand >> 126;
    radicand <<= 2;
    const FloatBits trial = root << 2 | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  return {false, a.exponent / 2, (root + 1) >> 1 << (kFractionBits - 4 * digits)};
}

HexNumber RoundedHex(const HexNumber& number, int digits) {
  HexNumber result = number;
  result.fraction += FloatBits{1} << (kFractionBits - 4 * digits - 1);
  if (result.fraction >> kFractionBits != 0) result = result.ShiftedRight(1);
  return result.Truncated(digits);
}

FloatNumber ToBinary(const HexNumber& number) {
  return FloatNumber::Of(number.negative, number.fraction, 4 * number.exponent - kFractionBits);
}

HexNumber ToHex(const FloatNumber& number) {
  if (!number.IsFinite()) return {.negative = number.negative};
  // significand / 2^126 * 2^(exponent + 1), the power of two rounded up to one of 16.
  const int power = number.exponent + 1;
  const int exponent = (power + 3) >> 2;
  const int shift = 4 * exponent - power + (FloatNumber::kTopBit + 1 - kFractionBits);
  return {number.negative, exponent, number.significand >> shift};
}

template HexNumber DecodeHex<HexShort>(HexShort::Bits);
template HexNumber DecodeHex<HexLong>(HexLong::Bits);
template HexNumber DecodeHex<HexExtended>(HexExtended::Bits);
template HexShort::Bits EncodeHex<HexShort>(const HexNumber&);
template HexLong::Bits EncodeHex<HexLong>(const HexNumber&);
template HexExtended::Bits EncodeHex<HexExtended>(const HexNumber&);

}  // namespace lethe::emulated
