#include "tests/system-mode/exact_float.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace lethe::system_mode {
namespace {

// Of the FPC register.
constexpr unsigned kNearest = 0;
constexpr unsigned kTowardZero = 1;
constexpr unsigned kUp = 2;
constexpr unsigned kDown = 3;

constexpr float kGreatest = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();

std::uint64_t Bits(float number) {
  return std::uint64_t{std::bit_cast<std::uint32_t>(number)} << 32;
}
std::uint64_t Bits(double number) { return std::bit_cast<std::uint64_t>(number); }

float Fused(float first, float second, float third, unsigned mode) {
  const auto made = FusedMultiplyAdd(Bits(first), Bits(second), Bits(third), false, mode, true);
  return std::bit_cast<float>(static_cast<std::uint32_t>(made.value() >> 32));
}

float OfHex(std::uint64_t bits, unsigned method) {
  return std::bit_cast<float>(
      static_cast<std::uint32_t>(BinaryOfHex(bits, method, true).value() >> 32));
}

float OfLogical(std::uint64_t number, unsigned mode) {
  return std::bit_cast<float>(
      static_cast<std::uint32_t>(BinaryOfLogical(number, mode, true) >> 32));
}

TEST(FusedMultiplyAdd, RoundsTiesByMode) {
  const float half = std::ldexp(1.0F, -24);  // of the last bit of 1
  const float next = 1 + 2 * half;
  EXPECT_EQ(Fused(half, 1, 1, kNearest), 1);
  EXPECT_EQ(Fused(half, 1, 1, kTowardZero), 1);
  EXPECT_EQ(Fused(half, 1, 1, kUp), next);
  EXPECT_EQ(Fused(half, 1, 1, kDown), 1);
  EXPECT_EQ(Fused(half, 1, next, kNearest), 1 + 4 * half);
  EXPECT_EQ(Fused(-half, 1, -1, kUp), -1);
  EXPECT_EQ(Fused(-half, 1, -1, kDown), -next);
}

TEST(FusedMultiplyAdd, RoundsSubnormalNumbersOnce) {
  const float factor = std::ldexp(1.0F, -75);  // its square is half the least number
  EXPECT_EQ(Fused(factor, factor, 0, kNearest), 0);
  EXPECT_EQ(Fused(factor, factor, 0, kUp), kLeast);
  EXPECT_EQ(Fused(factor, factor, 0, kDown), 0);
  EXPECT_EQ(Fused(factor, factor, kLeast, kNearest), 2 * kLeast);
  EXPECT_EQ(Fused(factor, factor, kLeast, kTowardZero), kLeast);
  EXPECT_EQ(Fused(-factor, factor, 0, kDown), -kLeast);
}

TEST(FusedMultiplyAdd, OverflowsByMode) {
  EXPECT_EQ(Fused(kGreatest, 2, 0, kNearest), kInfinity);
  EXPECT_EQ(Fused(kGreatest, 2, 0, kTowardZero), kGreatest);
  EXPECT_EQ(Fused(kGreatest, 2, 0, kUp), kInfinity);
  EXPECT_EQ(Fused(kGreatest, 2, 0, kDown), kGreatest);
  EXPECT_EQ(Fused(kGreatest, -2, 0, kUp), -kGreatest);
  EXPECT_EQ(Fused(kGreatest, -2, 0, kDown), -kInfinity);
}

TEST(FusedMultiplyAdd, KeepsAllBitsOfTheProduct) {
  const double number = 1 + std::ldexp(1.0, -52);
  const double most_of_square = 1 + std::ldexp(1.0, -51);
  EXPECT_EQ(
      FusedMultiplyAdd(Bits(number), Bits(number), Bits(most_of_square), true, kNearest, false),
      Bits(std::ldexp(1.0, -104)));
  EXPECT_EQ(FusedMultiplyAdd(Bits(0.0), Bits(double{kInfinity}), Bits(1.0), false, kNearest, false),
            std::nullopt);
}

TEST(BinaryOfLogical, RoundsByMode) {
  constexpr std::uint64_t kExact = std::uint64_t{1} << 24;
  EXPECT_EQ(OfLogical(kExact + 1, kNearest), kExact);
  EXPECT_EQ(OfLogical(kExact + 1, kTowardZero), kExact);
  EXPECT_EQ(OfLogical(kExact + 1, kUp), kExact + 2);
  EXPECT_EQ(OfLogical(kExact + 1, kDown), kExact);
  EXPECT_EQ(OfLogical(kExact + 3, kNearest), kExact + 4);
  EXPECT_EQ(OfLogical(kExact + 3, kDown), kExact + 2);
  EXPECT_EQ(BinaryOfLogical(~std::uint64_t{0}, kNearest, false), Bits(std::ldexp(1.0, 64)));
  EXPECT_EQ(BinaryOfLogical(~std::uint64_t{0}, kDown, false),
            Bits(std::ldexp(1.0, 64) - std::ldexp(1.0, 11)));
}

// Methods: M3. 1 is to nearest with ties away from zero, 4 with ties to even, 5 toward zero, 6 up,
// 7 down.
TEST(BinaryOfHex, RoundsTiesByMethod) {
  constexpr std::uint64_t kTie = 0x4110'0000'1000'0000;  // 1 + 2^-24
  constexpr std::uint64_t kNegative = std::uint64_t{1} << 63;
  const float next = 1 + std::ldexp(1.0F, -23);
  EXPECT_EQ(OfHex(0x4110'0000'0000'0000, 4), 1);
  EXPECT_EQ(OfHex(kTie, 0), 1);
  EXPECT_EQ(OfHex(kTie, 1), next);
  EXPECT_EQ(OfHex(kTie, 4), 1);
  EXPECT_EQ(OfHex(kTie, 5), 1);
  EXPECT_EQ(OfHex(kTie, 6), next);
  EXPECT_EQ(OfHex(kTie, 7), 1);
  EXPECT_EQ(OfHex(kNegative | kTie, 6), -1);
  EXPECT_EQ(OfHex(kNegative | kTie, 7), -next);
  EXPECT_EQ(OfHex(kTie + 1, 4), next);
  EXPECT_EQ(OfHex(kTie + 0x2000'0000, 4), 1 + std::ldexp(1.0F, -22));
  EXPECT_EQ(BinaryOfHex(kTie, 2, true), std::nullopt);
}

TEST(BinaryOfHex, MakesSubnormalNumbersAndOverflows) {
  constexpr std::uint64_t kHalfOfLeast = 0x1b40'0000'0000'0000;  // 2^-150
  EXPECT_EQ(OfHex(kHalfOfLeast, 1), kLeast);
  EXPECT_EQ(OfHex(kHalfOfLeast, 4), 0);
  EXPECT_EQ(OfHex(kHalfOfLeast, 6), kLeast);
  EXPECT_EQ(OfHex(kHalfOfLeast, 7), 0);
  EXPECT_EQ(OfHex(0x7f10'0000'0000'0000, 4), kInfinity);
  EXPECT_EQ(OfHex(0x7f10'0000'0000'0000, 5), kGreatest);
  EXPECT_EQ(OfHex(0xff10'0000'0000'0000, 6), -kGreatest);
  EXPECT_EQ(BinaryOfHex(0x7f10'0000'0000'0000, 4, false), Bits(std::ldexp(1.0, 248)));
}

TEST(Tie, IsHalfWayBetweenIntegers) {
  EXPECT_TRUE(IsTie(Bits(2.5F), true));
  EXPECT_TRUE(IsTie(Bits(-0.5), false));
  EXPECT_FALSE(IsTie(Bits(std::nextafter(0.5, 0)), false));
  EXPECT_FALSE(IsTie(Bits(2.0F), true));
}

TEST(Below, IsFalseOfTheLimitAndOfNoNumber) {
  EXPECT_TRUE(IsBelow(Bits(std::nextafter(std::ldexp(1.0, 32), 0)), 32, false));
  EXPECT_FALSE(IsBelow(Bits(std::ldexp(1.0F, 32)), 32, true));
  EXPECT_FALSE(IsBelow(Bits(std::numeric_limits<double>::quiet_NaN()), 32, false));
}

}  // namespace
}  // namespace lethe::system_mode
