#ifndef LETHE_EMULATED_HOST_CPU_FLOAT_NUMBER_H_
#define LETHE_EMULATED_HOST_CPU_FLOAT_NUMBER_H_

// Binary floating point in integers. The host's floating-point unit is of no use here: it decides
// tininess after rounding (x86-64), knows neither "round to prepare for shorter precision" nor the
// scaled results of trapped exceptions, and says nothing of whether rounding incremented.

#include <cstdint>

namespace lethe::emulated {

__extension__ using FloatBits = unsigned __int128;

// The three BFP formats. Bits: an unsigned integer of the format's width, sign leftmost.
struct ShortFormat {
  using Bits = std::uint32_t;
  static constexpr int kPrecision = 24;
  static constexpr int kMaxExponent = 127;
  static constexpr int kScale = 192;  // of results of trapped overflow and underflow
};
struct LongFormat {
  using Bits = std::uint64_t;
  static constexpr int kPrecision = 53;
  static constexpr int kMaxExponent = 1023;
  static constexpr int kScale = 1536;
};
struct ExtendedFormat {
  using Bits = FloatBits;
  static constexpr int kPrecision = 113;
  static constexpr int kMaxExponent = 16383;
  static constexpr int kScale = 24576;
};

// A datum of any format, taken apart. A finite number is significand * 2^(exponent - kTopBit) with
// bit kTopBit of the significand on and all bits to the left off; the rightmost bit may stand for
// "something nonzero further right" (sticky). A NaN keeps its fraction, the quiet bit included, in
// the bits below kTopBit.
struct FloatNumber {
  enum class Kind : std::uint8_t { kZero, kFinite, kInfinity, kQuietNan, kSignalingNan };
  static constexpr int kTopBit = 125;
  static constexpr FloatBits kQuietBit = FloatBits{1} << (kTopBit - 1);

  Kind kind = Kind::kZero;
  bool negative = false;
  int exponent = 0;
  FloatBits significand = 0;

  bool IsNan() const { return kind == Kind::kQuietNan || kind == Kind::kSignalingNan; }
  bool IsZero() const { return kind == Kind::kZero; }
  bool IsInfinity() const { return kind == Kind::kInfinity; }
  bool IsFinite() const { return kind == Kind::kFinite; }

  static FloatNumber Zero(bool negative) { return {.kind = Kind::kZero, .negative = negative}; }
  static FloatNumber Infinity(bool negative) {
    return {.kind = Kind::kInfinity, .negative = negative};
  }
  static FloatNumber DefaultNan() { return {.kind = Kind::kQuietNan, .significand = kQuietBit}; }
  // magnitude * 2^scale.
  static FloatNumber Of(bool negative, FloatBits magnitude, int scale);
};

// Shifts right; nonzero bits shifted out turn the rightmost bit on. Any count >= 0.
FloatBits ShiftRightSticky(FloatBits value, int count);

template <typename Format>
FloatNumber Decode(typename Format::Bits bits);

// The number must be representable in the format, or a NaN (its fraction is truncated).
template <typename Format>
typename Format::Bits Encode(const FloatNumber& number);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_FLOAT_NUMBER_H_
