// Binary floating point on a CPU: what the differential test's oracle does not do as the manual
// says (traps that complete, DIVIDE TO INTEGER), and a few values by hand.

#include <bit>
#include <cstdint>

#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

constexpr U64 kAfp = Psw::Bit(45);

constexpr U64 Short(float value) { return U64{std::bit_cast<std::uint32_t>(value)} << 32; }
constexpr U64 Long(double value) { return std::bit_cast<U64>(value); }

class FloatInstructions : public testing::Test {
 protected:
  FloatInstructions() {
    machine_.cpu().SetControl(0, machine_.cpu().registers().control[0] | kAfp);
  }

  U64& Fpr(int number) { return machine_.cpu().registers().floating_point[number]; }
  std::uint32_t& Fpc() { return machine_.cpu().registers().floating_point_control; }
  ProgramCode Run(absl::string_view instruction) { return Execute(machine_, instruction, 0); }
  int DataExceptionCode() { return machine_.Get<U8>(kDataExceptionCode); }

  InstructionBench machine_;
};

TEST_F(FloatInstructions, AddLong) {
  Fpr(0) = Long(1.5);
  Fpr(9) = Long(-4);
  EXPECT_EQ(Run("b31a0009"), ProgramCode::kNone);  // ADBR 0,9
  EXPECT_EQ(Fpr(0), Long(-2.5));
  EXPECT_EQ(machine_.Cc(), 1);
}

TEST_F(FloatInstructions, ShortResultsLeaveTheRightHalf) {
  Fpr(1) = Short(3) | 0x1234'5678;
  Fpr(2) = Short(5);
  EXPECT_EQ(Run("b3170012"), ProgramCode::kNone);  // MEEBR 1,2
  EXPECT_EQ(Fpr(1), Short(15) | 0x1234'5678);
}

TEST_F(FloatInstructions, MultiplyShortToLongIsExact) {
  Fpr(1) = Short(16777215);
  Fpr(2) = Short(16777213);
  EXPECT_EQ(Run("b30c0012"), ProgramCode::kNone);  // MDEBR 1,2
  EXPECT_EQ(Fpr(1), Long(16777215.0 * 16777213.0));
  EXPECT_EQ(Fpc(), 0u);
}

TEST_F(FloatInstructions, MultiplyLongToExtended) {
  Fpr(0) = Long(1 + 0x1p-52);
  Fpr(3) = Long(1 + 0x1p-52);
  EXPECT_EQ(Run("b3070003"), ProgramCode::kNone);  // MXDBR 0,3
  EXPECT_EQ(Fpr(0), 0x3fff'0000'0000'0000u);
  EXPECT_EQ(Fpr(2), 0x2000'0000'0000'0100u);  // 2^-51 and 2^-104, 112 fraction bits
}

TEST_F(FloatInstructions, OverflowTrapDeliversAScaledResult) {
  Fpc() = 0x2000'0000;
  Fpr(0) = Long(0x1p1023);
  Fpr(1) = Long(4);
  EXPECT_EQ(Run("b31c0001"), ProgramCode::kData);  // MDBR 0,1
  EXPECT_EQ(Fpr(0), Long(0x1p-511));               // 2^(1025 - 1536)
  EXPECT_EQ(DataExceptionCode(), 0x20);
  EXPECT_EQ(Fpc(), 0x2000'2000u);
}

TEST_F(FloatInstructions, UnderflowTrapDeliversAScaledResult) {
  Fpc() = 0x1000'0000;
  Fpr(0) = Long(0x1p-1022);
  Fpr(1) = Long(0.25);
  EXPECT_EQ(Run("b31c0001"), ProgramCode::kData);
  EXPECT_EQ(Fpr(0), Long(0x1p512));  // 2^(-1024 + 1536)
  EXPECT_EQ(DataExceptionCode(), 0x10);
}

TEST_F(FloatInstructions, InexactTrapSaysWhetherItIncremented) {
  Fpc() = 0x0800'0000;
  Fpr(0) = Long(1);
  Fpr(1) = Long(5);
  EXPECT_EQ(Run("b31d0001"), ProgramCode::kData);  // DDBR 0,1
  EXPECT_EQ(DataExceptionCode(), 0x0c);
  EXPECT_EQ(Fpr(0), 0x3fc9'9999'9999'999au);
  Fpr(0) = Long(1);
  Fpr(1) = Long(3);
  EXPECT_EQ(Run("b31d0001"), ProgramCode::kData);
  EXPECT_EQ(DataExceptionCode(), 0x08);
  EXPECT_EQ(Fpr(0), 0x3fd5'5555'5555'5555u);
}

TEST_F(FloatInstructions, InvalidTrapSuppresses) {
  Fpc() = 0x8000'0000;
  Fpr(0) = Long(-1);
  Fpr(1) = 77;
  EXPECT_EQ(Run("b3150010"), ProgramCode::kData);  // SQDBR 1,0
  EXPECT_EQ(DataExceptionCode(), 0x80);
  EXPECT_EQ(Fpr(1), 77u);
}

TEST_F(FloatInstructions, LoadRoundedTrapKeepsTheSourceFormat) {
  Fpc() = 0x2000'0000;
  Fpr(2) = Long(0x1p200 + 0x1p170);
  EXPECT_EQ(Run("b3440012"), ProgramCode::kData);  // LEDBR 1,2
  EXPECT_EQ(DataExceptionCode(), 0x28);
  EXPECT_EQ(Fpr(1), Long(0x1p-312));  // rounded to short precision, scaled by 2^-512
}

TEST_F(FloatInstructions, LoadAndTestQuietsASignalingNan) {
  Fpr(2) = 0x7ff0'0000'0000'0001;
  EXPECT_EQ(Run("b3120012"), ProgramCode::kNone);  // LTDBR 1,2
  EXPECT_EQ(Fpr(1), 0x7ff8'0000'0000'0001u);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(Fpc(), 0x0080'0000u);
}

TEST_F(FloatInstructions, DivideToIntegerRoundsTheQuotientAndKeepsTheRemainderExact) {
  struct Division {
    double dividend, divisor;
    char mode;
    double remainder, quotient;
  };
  for (const Division& c :
       {Division{7, 2, '4', -1, 4}, Division{5, 2, '4', 1, 2}, Division{7, 2, '5', 1, 3},
        Division{-7, 2, '5', -1, -3}, Division{-7, 2, '7', 1, -4}, Division{1, 3, '6', -2, 1},
        Division{6, 3, '4', 0, 2}, Division{0.25, 1, '4', 0.25, 0}}) {
    SCOPED_TRACE(c.dividend);
    Fpr(1) = Long(c.dividend);
    Fpr(2) = Long(c.divisor);
    EXPECT_EQ(Run(absl::StrCat("b35b3", std::string(1, c.mode), "12")), ProgramCode::kNone);
    EXPECT_EQ(Fpr(1), Long(c.remainder));  // DIDBR 1,3,2,mode
    EXPECT_EQ(Fpr(3), Long(c.quotient));
    EXPECT_EQ(machine_.Cc(), 0);
  }
}

TEST_F(FloatInstructions, DivideToIntegerStepsThroughLongQuotients) {
  // 2^100 mod 3, as a program does it: until the condition code says that the remainder is final.
  Fpr(1) = Long(0x1p100);
  Fpr(2) = Long(3);
  int steps = 0;
  do {
    ASSERT_EQ(Run("b35b3512"), ProgramCode::kNone);
    ++steps;
  } while (machine_.Cc() >= 2 && steps < 10);
  EXPECT_EQ(Fpr(1), Long(1));
  EXPECT_EQ(steps, 2);
}

TEST_F(FloatInstructions, DivideToIntegerWantsThreeRegisters) {
  EXPECT_EQ(Run("b35b1012"), ProgramCode::kSpecification);
}

TEST_F(FloatInstructions, WithoutAfpThereIsNoBinaryFloatingPoint) {
  machine_.cpu().SetControl(0, machine_.cpu().registers().control[0] & ~kAfp);
  EXPECT_EQ(Run("b31a0002"), ProgramCode::kData);
  EXPECT_EQ(DataExceptionCode(), 2);
  EXPECT_EQ(Run("2801"), ProgramCode::kData);  // LDR 0,1
  EXPECT_EQ(DataExceptionCode(), 1);
  EXPECT_EQ(Run("2802"), ProgramCode::kNone);
  EXPECT_EQ(Fpc(), 0u);
}

TEST_F(FloatInstructions, RoundingModesThatDoNotExist) {
  EXPECT_EQ(Run("b2b80004"), ProgramCode::kSpecification);  // SRNMB 4
  EXPECT_EQ(Run("b2b80007"), ProgramCode::kNone);
  EXPECT_EQ(Fpc(), 7u);
  EXPECT_EQ(Run("b35f2012"), ProgramCode::kSpecification);  // FIDBR 1,2,2
}

TEST_F(FloatInstructions, SimulatedExceptionComesFromOldFlagsAndNewMasks) {
  Fpc() = 0x0088'0000;
  Register(machine_, 5) = 0x0800'0001;
  EXPECT_EQ(Run("b3850050"), ProgramCode::kData);  // SFASR 5
  EXPECT_EQ(DataExceptionCode(), 0x0b);
  EXPECT_EQ(Fpc(), 0x0888'0b01u);
}

TEST_F(FloatInstructions, DecimalRoundingModeIsApartFromTheBinaryOne) {
  Fpc() = 0x0000'0003;
  EXPECT_EQ(Run("b2b90006"), ProgramCode::kNone);  // SRNMT 6
  EXPECT_EQ(Fpc(), 0x0000'0063u);
  EXPECT_EQ(Run("b2b90009"), ProgramCode::kNone);  // three bits count
  EXPECT_EQ(Fpc(), 0x0000'0013u);
}

}  // namespace
}  // namespace lethe::emulated
