#include "emulated-host/cpu/float_arithmetic.h"

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

// The host's IEEE arithmetic is the other opinion. Operands go through volatile variables and the
// file is compiled with -frounding-math, so that nothing is computed at compile time.
template <typename Host>
struct FormatOf;
template <>
struct FormatOf<float> {
  using Type = ShortFormat;
};
template <>
struct FormatOf<double> {
  using Type = LongFormat;
};

struct HostMode {
  int host;
  RoundingMode ours;
};
constexpr HostMode kModes[] = {{FE_TONEAREST, RoundingMode::kNearestEven},
                               {FE_TOWARDZERO, RoundingMode::kTowardZero},
                               {FE_UPWARD, RoundingMode::kTowardPlus},
                               {FE_DOWNWARD, RoundingMode::kTowardMinus}};

template <typename Host>
Host ToHost(const FloatResult& result, RoundingMode mode, bool* inexact) {
  using Format = typename FormatOf<Host>::Type;
  FloatNumber number = result.number;
  if (number.IsFinite()) {
    const Rounded rounded = RoundTo(number, kLimitsOf<Format>, mode, 0);
    *inexact = rounded.inexact;
    number = rounded.number;
  }
  return std::bit_cast<Host>(Encode<Format>(number));
}

template <typename Host>
std::vector<Host> Operands() {
  using Bits = typename FormatOf<Host>::Type::Bits;
  using Limits = std::numeric_limits<Host>;
  std::vector<Host> operands = {0,
                                -Host{0},
                                1,
                                -1,
                                3,
                                Limits::min(),
                                -Limits::min(),
                                Limits::denorm_min(),
                                Limits::max(),
                                -Limits::max(),
                                Limits::infinity(),
                                -Limits::infinity(),
                                Limits::min() - Limits::denorm_min(),
                                1 + Limits::epsilon(),
                                1 - Limits::epsilon() / 2};
  std::mt19937_64 random(1);
  for (int i = 0; i < 60; ++i) {
    operands.push_back(std::bit_cast<Host>(static_cast<Bits>(random())));
    operands.push_back(static_cast<Host>(static_cast<std::int64_t>(random()) >> (random() % 60)));
  }
  return operands;
}

template <typename Host>
class FloatArithmetic : public testing::Test {};
using HostTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(FloatArithmetic, HostTypes);

template <typename Host, typename HostOperation, typename OurOperation>
void CompareWithHost(HostOperation host_operation, OurOperation our_operation) {
  using Format = typename FormatOf<Host>::Type;
  using Bits = typename Format::Bits;
  const std::vector<Host> operands = Operands<Host>();
  for (const HostMode& mode : kModes) {
    for (const Host x : operands) {
      for (const Host y : operands) {
        volatile Host a = x;
        volatile Host b = y;
        std::fesetround(mode.host);
        std::feclearexcept(FE_ALL_EXCEPT);
        volatile Host expected = host_operation(a, b);
        const bool host_inexact = std::fetestexcept(FE_INEXACT) != 0;
        const bool host_invalid = std::fetestexcept(FE_INVALID) != 0;
        const bool host_divide = std::fetestexcept(FE_DIVBYZERO) != 0;
        std::fesetround(FE_TONEAREST);
        bool inexact = false;
        const FloatResult result = our_operation(Decode<Format>(std::bit_cast<Bits>(x)),
                                                 Decode<Format>(std::bit_cast<Bits>(y)), mode.ours);
        const Host actual = ToHost<Host>(result, mode.ours, &inexact);
        const Host wanted = expected;
        ASSERT_EQ((result.conditions & kIeeeInvalid) != 0, host_invalid) << x << " " << y;
        ASSERT_EQ((result.conditions & kIeeeDivideByZero) != 0, host_divide) << x << " " << y;
        if (std::isnan(wanted)) {  // which NaN is a matter of architecture
          ASSERT_TRUE(std::isnan(actual)) << x << " " << y;
          continue;
        }
        ASSERT_EQ(std::bit_cast<Bits>(actual), std::bit_cast<Bits>(wanted))
            << x << " " << y << " mode " << mode.host;
        ASSERT_EQ(inexact, host_inexact) << x << " " << y << " mode " << mode.host;
      }
    }
  }
}

TYPED_TEST(FloatArithmetic, AddsAsTheHost) {
  CompareWithHost<TypeParam>([](auto a, auto b) { return a + b; }, &Add);
}

TYPED_TEST(FloatArithmetic, SubtractsAsTheHost) {
  CompareWithHost<TypeParam>([](auto a, auto b) { return a - b; }, &Subtract);
}

TYPED_TEST(FloatArithmetic, MultipliesAsTheHost) {
  CompareWithHost<TypeParam>(
      [](auto a, auto b) { return a * b; },
      [](const auto& a, const auto& b, RoundingMode) { return Multiply(a, b); });
}

TYPED_TEST(FloatArithmetic, DividesAsTheHost) {
  CompareWithHost<TypeParam>([](auto a, auto b) { return a / b; },
                             [](const auto& a, const auto& b, RoundingMode) {
                               return Divide(a, b, FormatOf<TypeParam>::Type::kPrecision);
                             });
}

TYPED_TEST(FloatArithmetic, ExtendedDivisionAgreesWithTheShortWay) {
  CompareWithHost<TypeParam>([](auto a, auto b) { return a / b; },
                             [](const auto& a, const auto& b, RoundingMode) {
                               return Divide(a, b, ExtendedFormat::kPrecision);
                             });
}

TYPED_TEST(FloatArithmetic, TakesSquareRootsAsTheHost) {
  CompareWithHost<TypeParam>([](auto a, auto) { return std::sqrt(a); },
                             [](const auto& a, const auto&, RoundingMode) {
                               return SquareRoot(a, FormatOf<TypeParam>::Type::kPrecision);
                             });
}

TYPED_TEST(FloatArithmetic, ComparesAsTheHost) {
  using Format = typename FormatOf<TypeParam>::Type;
  using Bits = typename Format::Bits;
  for (const TypeParam a : Operands<TypeParam>()) {
    for (const TypeParam b : Operands<TypeParam>()) {
      const std::uint8_t cc =
          Compare(Decode<Format>(std::bit_cast<Bits>(a)), Decode<Format>(std::bit_cast<Bits>(b)));
      EXPECT_EQ(cc, a == b ? 0 : a < b ? 1 : a > b ? 2 : 3) << a << " " << b;
    }
  }
}

TEST(FloatFormats, DecodeAndEncodeAreInverse) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = i < 4096 ? std::uint64_t(i) << 52 | (i & 1) : random();
    EXPECT_EQ(Encode<LongFormat>(Decode<LongFormat>(bits)), bits);
    const auto half = static_cast<std::uint32_t>(bits >> 32);
    EXPECT_EQ(Encode<ShortFormat>(Decode<ShortFormat>(half)), half);
    const FloatBits wide = FloatBits{bits} << 64 | random();
    EXPECT_TRUE(Encode<ExtendedFormat>(Decode<ExtendedFormat>(wide)) == wide);
  }
}

FloatNumber Short(std::uint32_t bits) { return Decode<ShortFormat>(bits); }
constexpr std::uint32_t kOne = 0x3f80'0000;

TEST(FloatNans, FirstSignalingNanWinsAndComesOutQuiet) {
  const FloatResult result =
      Add(Short(0x7fc0'0001), Short(0xff80'0002), RoundingMode::kNearestEven);
  EXPECT_EQ(Encode<ShortFormat>(result.number), 0xffc0'0002u);
  EXPECT_EQ(result.conditions, kIeeeInvalid);
}

TEST(FloatNans, FirstQuietNanWins) {
  const FloatResult result = Multiply(Short(0x7fc0'0001), Short(0xffc0'0002));
  EXPECT_EQ(Encode<ShortFormat>(result.number), 0x7fc0'0001u);
  EXPECT_EQ(result.conditions, 0);
}

TEST(FloatNans, InvalidOperationGivesThePositiveDefault) {
  const FloatResult result =
      Subtract(Short(0x7f80'0000), Short(0x7f80'0000), RoundingMode::kNearestEven);
  EXPECT_EQ(Encode<ShortFormat>(result.number), 0x7fc0'0000u);
  EXPECT_EQ(result.conditions, kIeeeInvalid);
}

TEST(FloatRounding, TininessIsDetectedBeforeRounding) {
  // (1 - 2^-24) * 2^-126 rounds to the smallest normal number, and is tiny all the same.
  const FloatNumber number = FloatNumber::Of(false, (1u << 25) - 1, -151);
  const Rounded rounded = RoundTo(number, kLimitsOf<ShortFormat>, RoundingMode::kNearestEven, 0);
  EXPECT_EQ(Encode<ShortFormat>(rounded.number), 0x0080'0000u);
  EXPECT_TRUE(rounded.tiny);
  EXPECT_TRUE(rounded.inexact);
  EXPECT_TRUE(rounded.incremented);
}

TEST(FloatRounding, PreparingForShorterPrecisionKeepsInexactnessInTheLastBit) {
  const FloatNumber number = FloatNumber::Of(false, (FloatBits{1} << 40) + 1, -40);
  const Rounded rounded = RoundTo(number, kLimitsOf<ShortFormat>, RoundingMode::kPrepareShorter, 0);
  EXPECT_EQ(Encode<ShortFormat>(rounded.number), kOne | 1);
  EXPECT_TRUE(rounded.inexact);
}

TEST(FloatRounding, TrappedRangeExceptionsScale) {
  const FloatNumber big = FloatNumber::Of(false, 1, 128);
  const Rounded overflow =
      RoundTo(big, kLimitsOf<ShortFormat>, RoundingMode::kNearestEven, kIeeeOverflow);
  EXPECT_TRUE(overflow.overflow);
  EXPECT_FALSE(overflow.inexact);
  EXPECT_EQ(overflow.number.exponent, 128 - 192);
  const FloatNumber small = FloatNumber::Of(false, 1, -140);
  const Rounded underflow =
      RoundTo(small, kLimitsOf<ShortFormat>, RoundingMode::kNearestEven, kIeeeUnderflow);
  EXPECT_TRUE(underflow.tiny);
  EXPECT_FALSE(underflow.inexact);
  EXPECT_EQ(underflow.number.exponent, -140 + 192);
}

TEST(FloatRounding, TiesGoAwayFromZeroIfAskedTo) {
  const FloatNumber half = FloatNumber::Of(true, 1, -1);
  EXPECT_EQ(RoundAt(half, 0, RoundingMode::kNearestAway).number.exponent, 0);
  EXPECT_TRUE(RoundAt(half, 0, RoundingMode::kNearestEven).number.IsZero());
}

TEST(FloatExtended, RootOfASquareIsTheNumber) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    const FloatNumber number =
        FloatNumber::Of(false, random() >> 8 | 1, static_cast<int>(random() % 99));
    const FloatResult root =
        SquareRoot(Multiply(number, number).number, ExtendedFormat::kPrecision);
    const Rounded rounded =
        RoundTo(root.number, kLimitsOf<ExtendedFormat>, RoundingMode::kNearestEven, 0);
    EXPECT_EQ(Compare(rounded.number, number), 0);
    EXPECT_FALSE(rounded.inexact);
  }
}

TEST(FloatMultiplyAndAdd, RoundsOnceAsTheHost) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20000; ++i) {
    const auto operand = [&random] {
      return std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())),
                        static_cast<int>(random() % 60) - 90);
    };
    const double a = operand();
    const double b = operand();
    const double c = i % 2 == 0 ? operand() : -(a * b);
    const auto number = [](double x) {
      return Decode<LongFormat>(std::bit_cast<std::uint64_t>(x));
    };
    bool inexact = false;
    const double actual =
        ToHost<double>(MultiplyAndAdd(number(a), number(b), number(c), RoundingMode::kNearestEven),
                       RoundingMode::kNearestEven, &inexact);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(actual), std::bit_cast<std::uint64_t>(std::fma(a, b, c)))
        << a << " " << b << " " << c;
  }
}

}  // namespace
}  // namespace lethe::emulated
