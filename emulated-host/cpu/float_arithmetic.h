#ifndef LETHE_EMULATED_HOST_CPU_FLOAT_ARITHMETIC_H_
#define LETHE_EMULATED_HOST_CPU_FLOAT_ARITHMETIC_H_

// Operations on FloatNumber. Results are precise up to a sticky bit; RoundTo makes them fit a
// format. Principles of Operation, "Binary-Floating-Point Instructions".

#include <cstdint>

#include "emulated-host/cpu/float_number.h"

namespace lethe::emulated {

enum class RoundingMode : std::uint8_t {
  kNearestEven,
  kTowardZero,
  kTowardPlus,
  kTowardMinus,
  kNearestAway,
  kPrepareShorter,  // truncate; an inexact result gets its rightmost bit turned on
};

// IEEE exception conditions, as in byte 0 (masks) and byte 1 (flags) of the FPC register.
inline constexpr std::uint8_t kIeeeInvalid = 0x80;
inline constexpr std::uint8_t kIeeeDivideByZero = 0x40;
inline constexpr std::uint8_t kIeeeOverflow = 0x20;
inline constexpr std::uint8_t kIeeeUnderflow = 0x10;
inline constexpr std::uint8_t kIeeeInexact = 0x08;
// With kIeeeInexact in a data-exception code: rounding incremented the magnitude.
inline constexpr std::uint8_t kIeeeIncremented = 0x04;

struct FloatResult {
  FloatNumber number;
  std::uint8_t conditions = 0;  // kIeeeInvalid, kIeeeDivideByZero
};

// If an operand is a NaN, the result takes after it: the first signaling NaN, else the first quiet
// one; a signaling NaN is an invalid operation and comes out quiet.
FloatResult PropagateNan(const FloatNumber& a);
FloatResult PropagateNan(const FloatNumber& a, const FloatNumber& b);

// `mode` decides the sign of a zero sum.
FloatResult Add(const FloatNumber& a, const FloatNumber& b, RoundingMode mode);
FloatResult Subtract(const FloatNumber& a, const FloatNumber& b, RoundingMode mode);
FloatResult Multiply(const FloatNumber& a, const FloatNumber& b);
// Precise to at least `precision` bits and the sticky bit.
FloatResult Divide(const FloatNumber& a, const FloatNumber& b, int precision);
FloatResult SquareRoot(const FloatNumber& a, int precision);
// a * b + addend, resp. a * b - addend. Formats up to long.
FloatResult MultiplyAndAdd(const FloatNumber& a, const FloatNumber& b, const FloatNumber& addend,
                           RoundingMode mode);
FloatResult MultiplyAndSubtract(const FloatNumber& a, const FloatNumber& b,
                                const FloatNumber& subtrahend, RoundingMode mode);

// The product of two numbers below 2^126 without its rightmost 125 bits (sticky).
FloatBits MultiplySignificands(FloatBits a, FloatBits b);

// Condition code of a comparison: 0 equal, 1 low, 2 high, 3 unordered.
std::uint8_t Compare(const FloatNumber& a, const FloatNumber& b);

// An integer multiple of 2^`position`, nearest to the number as `mode` says.
struct Rounded {
  FloatNumber number;
  bool inexact = false;
  bool incremented = false;
  bool overflow = false;  // of a format; RoundTo only
  bool tiny = false;
};
Rounded RoundAt(const FloatNumber& finite, int position, RoundingMode mode);

// What a format can hold.
struct FloatLimits {
  int precision;
  int max_exponent;
  int scale;
};
template <typename Format>
inline constexpr FloatLimits kLimitsOf = {Format::kPrecision, Format::kMaxExponent, Format::kScale};

// Rounds a finite number to the format. `masks`: conditions that trap; a trapped overflow or
// underflow gives the result with unlimited exponent, scaled by limits.scale.
Rounded RoundTo(const FloatNumber& finite, const FloatLimits& limits, RoundingMode mode,
                std::uint8_t masks);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_FLOAT_ARITHMETIC_H_
