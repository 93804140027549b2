#include "emulated-host/cpu/float_number.h"

#include <bit>

namespace lethe::emulated {
namespace {

constexpr int kTopBit = FloatNumber::kTopBit;

int LeadingZeros(FloatBits value) {
  const auto left = static_cast<std::uint64_t>(value >> 64);
  return left != 0 ? std::countl_zero(left)
                   : 64 + std::countl_zero(static_cast<std::uint64_t>(value));
}

template <typename Format>
struct Layout {
  using Bits = typename Format::Bits;
  static constexpr int kFractionBits = Format::kPrecision - 1;
  static constexpr int kWidth = sizeof(Bits) * 8;
  static constexpr Bits kFraction = (Bits{1} << kFractionBits) - 1;
  static constexpr int kExponentOnes = 2 * Format::kMaxExponent + 1;
  static constexpr int kAlign = kTopBit - kFractionBits;
};

}  // namespace

FloatBits ShiftRightSticky(FloatBits value, int count) {
  if (count == 0) return value;
  if (count >= 128) return value != 0 ? 1 : 0;
  const FloatBits lost = value & ((FloatBits{1} << count) - 1);
  return (value >> count) | (lost != 0 ? 1 : 0);
}

FloatNumber FloatNumber::Of(bool negative, FloatBits magnitude, int scale) {
  if (magnitude == 0) return Zero(negative);
  const int top = 127 - LeadingZeros(magnitude);
  return {.kind = Kind::kFinite,
          .negative = negative,
          .exponent = scale + top,
          .significand = top <= kTopBit ? magnitude << (kTopBit - top)
                                        : ShiftRightSticky(magnitude, top - kTopBit)};
}

template <typename Format>
FloatNumber Decode(typename Format::Bits bits) {
  using L = Layout<Format>;
  const bool negative = (bits >> (L::kWidth - 1)) != 0;
  const int exponent = static_cast<int>(bits >> L::kFractionBits) & L::kExponentOnes;
  const FloatBits fraction = FloatBits{bits & L::kFraction};
  if (exponent == L::kExponentOnes) {
    if (fraction == 0) return FloatNumber::Infinity(negative);
    const FloatBits payload = fraction << L::kAlign;
    return {.kind = (payload & FloatNumber::kQuietBit) != 0 ? FloatNumber::Kind::kQuietNan
                                                            : FloatNumber::Kind::kSignalingNan,
            .negative = negative,
            .significand = payload};
  }
  if (exponent == 0) {
    return FloatNumber::Of(negative, fraction, 1 - Format::kMaxExponent - L::kFractionBits);
  }
  return {.kind = FloatNumber::Kind::kFinite,
          .negative = negative,
          .exponent = exponent - Format::kMaxExponent,
          .significand = (fraction | FloatBits{1} << L::kFractionBits) << L::kAlign};
}

template <typename Format>
typename Format::Bits Encode(const FloatNumber& number) {
  using L = Layout<Format>;
  using Bits = typename Format::Bits;
  const Bits sign = Bits{number.negative} << (L::kWidth - 1);
  const Bits ones = static_cast<Bits>(L::kExponentOnes) << L::kFractionBits;
  switch (number.kind) {
    case FloatNumber::Kind::kZero:
      return sign;
    case FloatNumber::Kind::kInfinity:
      return sign | ones;
    case FloatNumber::Kind::kQuietNan:
    case FloatNumber::Kind::kSignalingNan:
      return sign | ones | static_cast<Bits>(number.significand >> L::kAlign);
    case FloatNumber::Kind::kFinite:
      break;
  }
  const int subnormal = 1 - Format::kMaxExponent - number.exponent;
  if (subnormal > 0) {
    return sign | static_cast<Bits>(number.significand >> (L::kAlign + subnormal));
  }
  const int biased = number.exponent + Format::kMaxExponent;
  return sign | static_cast<Bits>(biased) << L::kFractionBits |
         (static_cast<Bits>(number.significand >> L::kAlign) & L::kFraction);
}

template FloatNumber Decode<ShortFormat>(ShortFormat::Bits);
template FloatNumber Decode<LongFormat>(LongFormat::Bits);
template FloatNumber Decode<ExtendedFormat>(ExtendedFormat::Bits);
template ShortFormat::Bits Encode<ShortFormat>(const FloatNumber&);
template LongFormat::Bits Encode<LongFormat>(const FloatNumber&);
template ExtendedFormat::Bits Encode<ExtendedFormat>(const FloatNumber&);

}  // namespace lethe::emulated
