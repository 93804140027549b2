#include "tests/system-mode/exact_float.h"

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>

namespace lethe::system_mode {
namespace {

struct Format {
  int precision;
  int least_exponent;  // of normal numbers
  int greatest_exponent;
};
constexpr Format kShort = {.precision = 24, .least_exponent = -126, .greatest_exponent = 127};
constexpr Format kLong = {.precision = 53, .least_exponent = -1022, .greatest_exponent = 1023};

// What is cut off is `rest` of `unit`; 0 < rest.
bool RoundsUp(unsigned method, bool negative, bool is_odd, std::uint64_t rest, std::uint64_t unit) {
  switch (method) {
    case 1:
      return rest >= unit - rest;
    case 4:
      return rest > unit - rest || (rest == unit - rest && is_odd);
    case 6:
      return !negative;
    case 7:
      return negative;
    default:
      return false;
  }
}

// number * 2^exponent, without its sign.
std::uint64_t Rounded(std::uint64_t number, int exponent, const Format& format, unsigned method,
                      bool negative) {
  constexpr int kWidth = 63;
  if (number == 0) return 0;
  const int greatest = static_cast<int>(std::bit_width(number)) - 1 + exponent;
  const int unit = std::max(greatest, format.least_exponent) - (format.precision - 1);
  std::uint64_t kept;
  if (unit <= exponent) {
    kept = number << (exponent - unit);
  } else if (unit - exponent > kWidth) {
    kept = RoundsUp(method, negative, false, 1, 4) ? 1 : 0;
  } else {
    const std::uint64_t size = std::uint64_t{1} << (unit - exponent);
    kept = number >> (unit - exponent);
    const std::uint64_t rest = number & (size - 1);
    if (rest != 0 && RoundsUp(method, negative, (kept & 1) != 0, rest, size)) ++kept;
  }
  const auto biased =
      static_cast<std::uint64_t>(unit + format.precision - 1 - format.least_exponent);
  const std::uint64_t bits = (biased << (format.precision - 1)) + kept;
  const auto infinity =
      static_cast<std::uint64_t>(format.greatest_exponent - format.least_exponent + 2)
      << (format.precision - 1);
  if (bits < infinity) return bits;
  const bool stays_finite = !RoundsUp(method, negative, true, 3, 4);
  return stays_finite ? infinity - 1 : infinity;
}

// The rounding mode of this thread, for a while.
class Rounding {
 public:
  explicit Rounding(unsigned mode) : before_(std::fegetround()) {
    constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
    std::fesetround(kModes[mode & 3]);
  }
  ~Rounding() { std::fesetround(before_); }
  Rounding(const Rounding&) = delete;
  Rounding& operator=(const Rounding&) = delete;

 private:
  const int before_;
};

// Not inlined, and from volatile operands to a volatile result: the compiler, which knows nothing
// of rounding modes, may otherwise compute before the mode is set or after it is restored.
template <typename T>
[[gnu::noinline]] T Fused(T first, T second, T third, unsigned mode) {
  const Rounding rounding(mode);
  volatile T a = first;
  volatile T b = second;
  volatile T c = third;
  volatile T result = std::fma(a, b, c);
  return result;
}

template <typename T>
[[gnu::noinline]] T Converted(std::uint64_t number, unsigned mode) {
  const Rounding rounding(mode);
  volatile std::uint64_t from = number;
  volatile T result = static_cast<T>(from);
  return result;
}

double NumberOf(std::uint64_t bits, bool is_short) {
  return is_short ? std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 32))
                  : std::bit_cast<double>(bits);
}

}  // namespace

std::uint64_t BinaryOfLogical(std::uint64_t number, unsigned mode, bool is_short) {
  if (!is_short) return std::bit_cast<std::uint64_t>(Converted<double>(number, mode));
  return std::uint64_t{std::bit_cast<std::uint32_t>(Converted<float>(number, mode))} << 32;
}

bool IsBelow(std::uint64_t bits, int exponent, bool is_short) {
  return NumberOf(bits, is_short) < std::ldexp(1.0, exponent);
}

std::optional<std::uint64_t> BinaryOfHex(std::uint64_t bits, unsigned method, bool is_short) {
  constexpr int kFractionBits = 56;
  if (method == 2 || method == 3 || method > 7) return std::nullopt;
  const bool negative = bits >> 63 != 0;
  const std::uint64_t fraction = bits & 0x00ff'ffff'ffff'ffff;
  const int exponent = 4 * (static_cast<int>(bits >> 56 & 0x7f) - 64) - kFractionBits;
  const std::uint64_t made =
      Rounded(fraction, exponent, is_short ? kShort : kLong, method, negative);
  const std::uint64_t sign = bits & std::uint64_t{1} << 63;
  return is_short ? made << 32 | sign : made | sign;
}

std::optional<std::uint64_t> FusedMultiplyAdd(std::uint64_t first, std::uint64_t second,
                                              std::uint64_t third, bool subtract, unsigned mode,
                                              bool is_short) {
  if (is_short) {
    const auto number = [](std::uint64_t bits) {
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 32));
    };
    const float addend = subtract ? -number(third) : number(third);
    const float made = Fused(number(first), number(second), addend, mode);
    if (std::isnan(made)) return std::nullopt;
    return std::uint64_t{std::bit_cast<std::uint32_t>(made)} << 32;
  }
  const auto number = [](std::uint64_t bits) { return std::bit_cast<double>(bits); };
  const double addend = subtract ? -number(third) : number(third);
  const double made = Fused(number(first), number(second), addend, mode);
  if (std::isnan(made)) return std::nullopt;
  return std::bit_cast<std::uint64_t>(made);
}

bool IsTie(std::uint64_t bits, bool is_short) {
  const double number = NumberOf(bits, is_short);
  return std::fabs(number - std::trunc(number)) == 0.5;
}

}  // namespace lethe::system_mode
