#ifndef LETHE_EMULATED_HOST_CPU_HEXFLOAT_NUMBER_H_
#define LETHE_EMULATED_HOST_CPU_HEXFLOAT_NUMBER_H_

// Hexadecimal floating point (Principles of Operation, "Hexadecimal-Floating-Point Instructions"):
// a sign, a characteristic of seven bits (excess 64) and a fraction of 6, 14 or 28 digits.

#include <cstdint>

#include "emulated-host/cpu/float_number.h"

namespace lethe::emulated {

struct HexShort {
  using Bits = std::uint32_t;
  static constexpr int kDigits = 6;
};
struct HexLong {
  using Bits = std::uint64_t;
  static constexpr int kDigits = 14;
};
// The left half of Bits is the high-order part.
struct HexExtended {
  using Bits = FloatBits;
  static constexpr int kDigits = 28;
};

// fraction / 2^kFractionBits * 16^exponent. Three digits more than the longest format: for a guard
// digit and for what normalization brings in.
struct HexNumber {
  static constexpr int kFractionBits = 124;
  static constexpr int kFractionDigits = kFractionBits / 4;
  static constexpr FloatBits kFirstDigit = FloatBits{0xf} << (kFractionBits - 4);

  bool negative = false;
  int exponent = -64;  // characteristic - 64
  FloatBits fraction = 0;

  bool IsZero() const { return fraction == 0; }
  // The same value with a first digit that is not zero. A zero stays as it is.
  HexNumber Normalized() const;
  // The fraction cut off behind `digits` digits.
  HexNumber Truncated(int digits) const;
  // To the right; digits behind the last one are lost.
  HexNumber ShiftedRight(int digits) const;
};

template <typename Format>
HexNumber DecodeHex(typename Format::Bits bits);
// The characteristic modulo 128; an extended number's low-order part has 14 less.
template <typename Format>
typename Format::Bits EncodeHex(const HexNumber& number);

// Alignment and addition with one guard digit behind `digits`. A carry has been shifted in; nothing
// is normalized or truncated.
HexNumber AddHex(const HexNumber& a, const HexNumber& b, int digits);
// These normalize their operands and give normalized results, not truncated.
HexNumber MultiplyHex(const HexNumber& a, const HexNumber& b);
HexNumber DivideHex(const HexNumber& a, const HexNumber& b);  // b is not zero
HexNumber SquareRootHex(const HexNumber& a, int digits);      // rounded to `digits`
// Rounded half away from zero, not normalized.
HexNumber RoundedHex(const HexNumber& number, int digits);

FloatNumber ToBinary(const HexNumber& number);
// Normalized; cut off to what fits a HexNumber. The number must be finite or zero.
HexNumber ToHex(const FloatNumber& number);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_HEXFLOAT_NUMBER_H_
