#include "emulated-host/cpu/decimal_number.h"

namespace lethe::emulated {

DecimalMagnitude PowerOfTen(int exponent) {
  DecimalMagnitude power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

std::optional<DecimalNumber> ParsePacked(absl::Span<const std::uint8_t> bytes) {
  DecimalNumber number;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned left = bytes[i] >> 4;
    const unsigned right = bytes[i] & 0xf;
    if (!IsDecimalDigit(left)) return std::nullopt;
    number.magnitude = number.magnitude * 10 + left;
    if (i + 1 < bytes.size()) {
      if (!IsDecimalDigit(right)) return std::nullopt;
      number.magnitude = number.magnitude * 10 + right;
    } else {
      if (!IsDecimalSign(right)) return std::nullopt;
      number.negative = IsMinus(right);
    }
  }
  return number;
}

void FormatPacked(const DecimalNumber& number, absl::Span<std::uint8_t> bytes) {
  DecimalMagnitude rest = number.magnitude;
  const auto next_digit = [&rest] {
    const auto digit = static_cast<unsigned>(rest % 10);
    rest /= 10;
    return digit;
  };
  unsigned right = number.negative ? 0xd : 0xc;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const unsigned left = next_digit();
    bytes[i] = static_cast<std::uint8_t>(left << 4 | right);
    right = next_digit();
  }
}

}  // namespace lethe::emulated
