#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include "emulated-host/cpu/general_case.h"
#include "emulated-host/cpu/hexfloat_number.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

constexpr U64 kAfp = Psw::Bit(45);
constexpr U64 kUnderflowMask = Psw::Bit(22);
constexpr U64 kSignificanceMask = Psw::Bit(23);

// Operands: FPR 0 (and 2), FPR 4 (and 6); results in FPR 0 (and 2).
struct HexCase {
  absl::string_view text;
  absl::string_view instruction;
  U64 first;
  U64 second;
  U64 expect;
  int expect_cc = -1;  // -1: unchanged (3 before)
  U64 mask = 0;
  ProgramCode expect_program = ProgramCode::kNone;
};

const HexCase kCases[] = {
    // The manual's appendix: -130.0625 and 1.1377...
    {"aer 0,4", "3a04", 0xc308'2100'0000'0000, 0x4112'3456'0000'0000, 0xc280'ecbb'0000'0000, 1},
    {"aur 0,4", "3e04", 0xc308'2100'0000'0000, 0x4112'3456'0000'0000, 0xc308'0ecb'0000'0000, 1},
    {"aer: carry", "3a04", 0x41ff'ffff'0000'0000, 0x4110'0000'0000'0000, 0x4210'ffff'0000'0000, 2},
    {"adr 0,4", "2a04", 0x4110'0000'0000'0000, 0x4120'0000'0000'0000, 0x4130'0000'0000'0000, 2},
    {"adr: guard digit", "2a04", 0x4110'0000'0000'0000, 0xb3ff'ffff'ffff'ffff,
     0x40ff'ffff'ffff'fff1, 2},
    {"sdr: guard digit", "2b04", 0x4110'0000'0000'0000, 0x40ff'ffff'ffff'ffff,
     0x3310'0000'0000'0000, 2},
    {"swr: a guard digit alone is zero", "2f04", 0x4110'0000'0000'0000, 0x40ff'ffff'ffff'ffff, 0,
     0},
    {"swr: a guard digit alone is zero, significance", "2f04", 0x4110'0000'0000'0000,
     0x40ff'ffff'ffff'ffff, 0x4100'0000'0000'0000, 0, kSignificanceMask,
     ProgramCode::kHfpSignificance},
    {"sdr: equal numbers", "2b04", 0x4312'3000'0000'0000, 0x4312'3000'0000'0000, 0, 0},
    {"sdr: significance", "2b04", 0x4312'3000'0000'0000, 0x4312'3000'0000'0000,
     0x4300'0000'0000'0000, 0, kSignificanceMask, ProgramCode::kHfpSignificance},
    {"adr: a large characteristic counts, its fraction zero or not", "2a04", 0x5000'0000'0000'0000,
     0x4110'0000'0000'0000, 0, 0},
    {"adr: overflow", "2a04", 0x7fff'ffff'ffff'ffff, 0x7f10'0000'0000'0000, 0x0010'ffff'ffff'ffff,
     2, 0, ProgramCode::kHfpExponentOverflow},
    {"sdr: underflow to zero", "2b04", 0x0010'0000'0000'0000, 0x000f'0000'0000'0000, 0, 0},
    {"sdr: underflow", "2b04", 0x0010'0000'0000'0000, 0x000f'0000'0000'0000, 0x7f10'0000'0000'0000,
     2, kUnderflowMask, ProgramCode::kHfpExponentUnderflow},
    {"cdr: equal, not normalized", "2904", 0x4201'0000'0000'0000, 0x4110'0000'0000'0000,
     0x4201'0000'0000'0000, 0},
    {"cer: low", "3904", 0xc110'0000'0000'0000, 0x4110'0000'0000'0000, 0xc110'0000'0000'0000, 1},
    {"mdr 0,4", "2c04", 0xc120'0000'0000'0000, 0x4180'0000'0000'0000, 0xc210'0000'0000'0000},
    {"mder: long product", "3c04", 0x41ff'ffff'ffff'ffff, 0x41ff'ffff'0000'0000,
     0x42ff'fffe'0000'0100},
    {"meer: short product", "b3370004", 0x41ff'ffff'0000'0000, 0x41ff'ffff'0000'0000,
     0x42ff'fffe'0000'0000},
    {"mdr: zero", "2c04", 0xc120'0000'0000'0000, 0x4100'0000'0000'0000, 0},
    {"ddr 0,4", "2d04", 0x4110'0000'0000'0000, 0x4130'0000'0000'0000, 0x4055'5555'5555'5555},
    {"der 0,4", "3d04", 0x4230'0000'0000'0000, 0xc110'0000'0000'0000, 0xc230'0000'0000'0000},
    {"ddr: by zero", "2d04", 0x4110'0000'0000'0000, 0x4100'0000'0000'0000, 0x4110'0000'0000'0000,
     -1, 0, ProgramCode::kHfpDivide},
    {"hdr 0,4", "2404", 0, 0x4110'0000'0000'0000, 0x4080'0000'0000'0000},
    {"lcdr 0,4", "2304", 0, 0x4110'0000'0000'0000, 0xc110'0000'0000'0000, 1},
    {"lper 0,4", "3004", 0x55, 0xc110'0000'1111'1111, 0x4110'0000'0000'0055, 2},
    {"ltdr: zero with a characteristic", "2204", 0, 0xc300'0000'0000'0000, 0xc300'0000'0000'0000,
     0},
    {"ledr: rounds up", "3504", 0, 0x41ff'ffff'8000'0000, 0x4210'0000'0000'0000},
    {"ledr: cuts off", "3504", 0, 0x41ff'ffff'7fff'ffff, 0x41ff'ffff'0000'0000},
    {"lder 0,4", "b3240004", 0, 0x4112'3456'7777'7777, 0x4112'3456'0000'0000},
    {"sqdr 0,4", "b2440004", 0, 0x4190'0000'0000'0000, 0x4130'0000'0000'0000},
    {"sqer 0,4: rounded", "b2450004", 0, 0x4120'0000'0000'0000, 0x4116'a09e'0000'0000},
    {"sqdr: odd exponent", "b2440004", 0, 0x4210'0000'0000'0000, 0x4140'0000'0000'0000},
    {"sqdr: negative", "b2440004", 77, 0xc190'0000'0000'0000, 77, -1, 0,
     ProgramCode::kHfpSquareRoot},
    {"fidr 0,4", "b37f0004", 0, 0xc21f'8000'0000'0000, 0xc21f'0000'0000'0000},
    {"fidr: a fraction", "b37f0004", 0, 0xc0ff'0000'0000'0000, 0},
    {"tbdr 0,4", "b3510004", 0, 0xc118'0000'0000'0000, std::bit_cast<U64>(-1.5), 1},
    {"thdr 0,4", "b3590004", 0, std::bit_cast<U64>(-1.5), 0xc118'0000'0000'0000, 1},
    {"thdr: infinity", "b3590004", 0, 0x7ff0'0000'0000'0000, 0x7fff'ffff'ffff'ffff, 3},
};

class HexFloat : public testing::Test {
 protected:
  HexFloat() { machine_.cpu().SetControl(0, machine_.cpu().registers().control[0] | kAfp); }
  U64& Fpr(int number) { return machine_.cpu().registers().floating_point[number]; }
  InstructionBench machine_;
};

TEST_F(HexFloat, Cases) {
  for (const HexCase& c : kCases) {
    SCOPED_TRACE(c.text);
    Fpr(0) = c.first;
    Fpr(4) = c.second;
    ASSERT_EQ(Execute(machine_, c.instruction, 3, InstructionBench::kSupervisor | c.mask),
              c.expect_program);
    EXPECT_EQ(Fpr(0), c.expect) << std::hex << Fpr(0);
    const U64 mask = c.expect_program == ProgramCode::kNone ? machine_.EndPsw().mask
                                                            : machine_.ProgramOldPsw().mask;
    EXPECT_EQ(static_cast<int>(mask >> 44 & 3), c.expect_cc < 0 ? 3 : c.expect_cc);
  }
}

TEST_F(HexFloat, ExtendedProductHasALowOrderPartOfItsOwn) {
  Fpr(0) = 0x4110'0000'0000'0001;
  Fpr(4) = 0xc110'0000'0000'0001;
  ASSERT_EQ(Execute(machine_, "2704", 0), ProgramCode::kNone);  // MXDR 0,4
  EXPECT_EQ(Fpr(0), 0xc110'0000'0000'0002);
  EXPECT_EQ(Fpr(2), 0xb300'0000'0000'0010);
}

TEST_F(HexFloat, ExtendedWantsPairs) {
  EXPECT_EQ(Execute(machine_, "3602", 0), ProgramCode::kSpecification);  // AXR 0,2
}

TEST_F(HexFloat, ConversionToFixedSaturates) {
  Fpr(4) = 0x487f'ffff'ff80'0000;                                   // 2147483647.5
  ASSERT_EQ(Execute(machine_, "b3b90014", 0), ProgramCode::kNone);  // CFDR 1,0,4
  EXPECT_EQ(Register(machine_, 1), 0x7fff'ffffu);
  EXPECT_EQ(machine_.Cc(), 2);
  ASSERT_EQ(Execute(machine_, "b3b91014", 0), ProgramCode::kNone);  // half away from zero
  EXPECT_EQ(Register(machine_, 1), 0x7fff'ffffu);
  EXPECT_EQ(machine_.Cc(), 3);
  Fpr(4) = 0xc880'0000'0000'0000;  // -2^31
  ASSERT_EQ(Execute(machine_, "b3b90014", 0), ProgramCode::kNone);
  EXPECT_EQ(Register(machine_, 1), 0x8000'0000u);
  EXPECT_EQ(machine_.Cc(), 1);
}

TEST_F(HexFloat, ConversionFromFixedCutsOff) {
  Register(machine_, 1) = 0xffff'ffff'8000'0001;
  ASSERT_EQ(Execute(machine_, "b3b40001", 0), ProgramCode::kNone);  // CEFR 0,1
  EXPECT_EQ(Fpr(0) >> 32, 0xc87f'ffffu);
}

// Short operands: products and quotients against the host, cut off to six digits.
HexNumber CutOff(double value) {
  HexNumber number = ToHex(Decode<LongFormat>(std::bit_cast<U64>(value)));
  return number.Truncated(HexShort::kDigits);
}

TEST(HexArithmetic, ShortProductsAndQuotients) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto operand = [&random] {
      const auto digits = static_cast<std::uint32_t>(random()) % 0xff'ffff + 1;
      return HexNumber{.negative = (random() & 1) != 0,
                       .exponent = static_cast<int>(random() % 20) - 10,
                       .fraction = FloatBits{digits} << (HexNumber::kFractionBits - 24)};
    };
    const auto host = [](const HexNumber& number) {
      return std::bit_cast<double>(Encode<LongFormat>(ToBinary(number)));
    };
    const HexNumber a = operand();
    const HexNumber b = operand();
    const HexNumber product = MultiplyHex(a, b).Truncated(HexShort::kDigits);
    ASSERT_EQ(EncodeHex<HexShort>(product), EncodeHex<HexShort>(CutOff(host(a) * host(b))));
    // A quotient of 24 bits each is never so close to a multiple of 2^-24 that the host's rounding
    // would reach it.
    const HexNumber quotient = DivideHex(a, b).Truncated(HexShort::kDigits);
    ASSERT_EQ(EncodeHex<HexShort>(quotient), EncodeHex<HexShort>(CutOff(host(a) / host(b))));
  }
}

TEST(HexArithmetic, DecodeAndEncodeAreInverse) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 1000; ++i) {
    const U64 bits = random();
    EXPECT_EQ(EncodeHex<HexLong>(DecodeHex<HexLong>(bits)), bits);
    const auto half = static_cast<std::uint32_t>(bits);
    EXPECT_EQ(EncodeHex<HexShort>(DecodeHex<HexShort>(half)), half);
  }
}

}  // namespace
}  // namespace lethe::emulated
