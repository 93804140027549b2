#ifndef LETHE_EMULATED_HOST_CPU_DECIMAL_NUMBER_H_
#define LETHE_EMULATED_HOST_CPU_DECIMAL_NUMBER_H_

// Packed decimal numbers (Principles of Operation, "Decimal Instructions"): two digits to a byte,
// the sign in the rightmost four bits. 16 bytes at most, so that the magnitude fits 128 bits.

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace lethe::emulated {

__extension__ using DecimalMagnitude = unsigned __int128;

struct DecimalNumber {
  bool negative = false;
  DecimalMagnitude magnitude = 0;
};

constexpr bool IsDecimalDigit(unsigned code) { return code <= 9; }
constexpr bool IsDecimalSign(unsigned code) { return code >= 0xa && code <= 0xf; }
constexpr bool IsMinus(unsigned code) { return code == 0xb || code == 0xd; }

// How many digits a packed field of `bytes` bytes holds.
constexpr int DecimalDigits(std::size_t bytes) { return static_cast<int>(2 * bytes - 1); }
// `exponent` up to 38.
DecimalMagnitude PowerOfTen(int exponent);

// Nothing if a digit or the sign is not a valid code.
std::optional<DecimalNumber> ParsePacked(absl::Span<const std::uint8_t> bytes);

// Stores as many of the rightmost digits as fit, with the preferred sign code.
void FormatPacked(const DecimalNumber& number, absl::Span<std::uint8_t> bytes);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_DECIMAL_NUMBER_H_
