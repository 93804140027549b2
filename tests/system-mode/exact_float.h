#ifndef LETHE_TESTS_SYSTEM_MODE_EXACT_FLOAT_H_
#define LETHE_TESTS_SYSTEM_MODE_EXACT_FLOAT_H_

#include <cstdint>
#include <optional>

namespace lethe::system_mode {

// What exact arithmetic and one rounding make of operands: who is right where a witness and we
// differ. No code of the emulated CPU is used. BinaryOfHex computes with integers. FusedMultiplyAdd
// and BinaryOfLogical ask the host's std::fma and conversions in the rounding mode wanted; so does
// the emulated CPU where it rounds to nearest and nothing is exceptional, so that there they
// confirm how the operands were chosen rather than the arithmetic.

// CONVERT HFP TO BFP: the number in `bits` as a short (in the left half) or a long number.
// `method`: M3. Nothing for methods that do not exist.
std::optional<std::uint64_t> BinaryOfHex(std::uint64_t bits, unsigned method, bool is_short);

// first * second + third (minus it: `subtract`), short numbers in the left halves. `mode`: rounding
// mode of the FPC register, 0 to 3. Nothing if the result is not a number.
std::optional<std::uint64_t> FusedMultiplyAdd(std::uint64_t first, std::uint64_t second,
                                              std::uint64_t third, bool subtract, unsigned mode,
                                              bool is_short);

// An unsigned integer as a short (in the left half) or a long number.
std::uint64_t BinaryOfLogical(std::uint64_t number, unsigned mode, bool is_short);

// Is it a number, short or long, and less than 2^exponent?
bool IsBelow(std::uint64_t bits, int exponent, bool is_short);

// Half way between two integers. Short and long numbers.
bool IsTie(std::uint64_t bits, bool is_short);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_EXACT_FLOAT_H_
