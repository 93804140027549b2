#include "emulated-host/cpu/instruction_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace lethe::emulated {
namespace {

using ::testing::IsEmpty;

// All rows, whatever facility they need.
CpuModel Everything() {
  CpuModel model;
  for (Facility facility = 0; facility < 64 * FacilityList::kDoublewords; ++facility) {
    model.facilities.Set(facility, true);
  }
  return model;
}

// An instruction with this opcode and all other bits one.
InstructionText TextWith(std::uint16_t opcode) {
  for (std::uint64_t tail = 0; tail < 0x10000; ++tail) {
    // The opcode is in the first two bytes, or in the first and the last.
    for (const InstructionText text :
         {opcode < 0x100 ? std::uint64_t{opcode} << 56 | tail << 40 : std::uint64_t{opcode} << 48,
          std::uint64_t{opcode} >> 8 << 56 | tail << 40 | (opcode & std::uint64_t{0xff}) << 16,
          std::uint64_t{opcode} >> 4 << 56 | (opcode & std::uint64_t{0xf}) << 48}) {
      if (OpcodeOf(text) == opcode) return text;
    }
  }
  return 0;
}

TEST(InstructionSetTest, EachRowDecodesToItself) {
  const std::vector<absl::Span<const Instruction>> chapters = AllChapters();
  const InstructionSet set(Everything(), chapters);
  std::vector<std::string> wrong;
  for (const absl::Span<const Instruction> chapter : chapters) {
    for (const Instruction& row : chapter) {
      if (set.Find(TextWith(row.opcode)) != &row) wrong.emplace_back(row.mnemonic);
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(InstructionSetTest, NoTwoRowsHaveTheSameOpcode) {
  std::set<std::uint16_t> seen;
  std::vector<std::string> twice;
  for (const absl::Span<const Instruction> chapter : AllChapters()) {
    for (const Instruction& row : chapter) {
      if (!seen.insert(row.opcode).second) twice.emplace_back(row.mnemonic);
    }
  }
  EXPECT_THAT(twice, IsEmpty());
}

// Bits 0 and 1 of the opcode say how long the instruction is; the format must agree.
TEST(InstructionSetTest, FormatsHaveTheLengthThatTheOpcodeSays) {
  const auto length_of = [](Format format) {
    switch (format) {
      case Format::kE:
      case Format::kI:
      case Format::kRR:
      case Format::kRR_c:
        return 2;
      case Format::kIE:
      case Format::kRI_a:
      case Format::kRI_b:
      case Format::kRI_c:
      case Format::kRRD:
      case Format::kRRE:
      case Format::kRRF_a:
      case Format::kRRF_b:
      case Format::kRRF_c:
      case Format::kRRF_d:
      case Format::kRRF_e:
      case Format::kRS_a:
      case Format::kRS_b:
      case Format::kRSI:
      case Format::kRX_a:
      case Format::kRX_b:
      case Format::kS:
      case Format::kSI:
        return 4;
      default:
        return 6;
    }
  };
  std::vector<std::string> wrong;
  for (const absl::Span<const Instruction> chapter : AllChapters()) {
    for (const Instruction& row : chapter) {
      const InstructionText text = TextWith(row.opcode);
      if (LengthOfText(text) != length_of(row.format)) wrong.emplace_back(row.mnemonic);
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(InstructionSetTest, FacilityThatIsNotOfferedHidesItsInstructions) {
  CpuModel model = CpuModel::Default();
  constexpr InstructionText kExecuteRelativeLong = 0xc600'0000'0000'0000;
  EXPECT_NE(InstructionSet(model, AllChapters()).Find(kExecuteRelativeLong), nullptr);
  model.facilities.Set(35, false);
  EXPECT_EQ(InstructionSet(model, AllChapters()).Find(kExecuteRelativeLong), nullptr);
}

struct DecodeCase {
  const char* name;
  InstructionText text;
  Format format;
  Op expected;
};

// Numbers of base and index registers (and I5) are as coded: 0 for none.
Op Expected(std::int64_t i2, std::int32_t d2, std::int32_t d1, int r1, int r2, int r3, int x2,
            int b1, int b2, int i5, int length) {
  Op op;
  op.i2 = i2;
  op.d2 = d2;
  op.d1 = d1;
  op.r1 = static_cast<std::uint8_t>(r1);
  op.r2 = static_cast<std::uint8_t>(r2);
  op.r3 = static_cast<std::uint8_t>(r3);
  op.x2 = static_cast<std::uint8_t>(x2);
  op.b1 = static_cast<std::uint8_t>(b1 == 0 ? kZeroRegister : b1);
  op.b2 = static_cast<std::uint8_t>(b2 == 0 ? kZeroRegister : b2);
  op.i5 = static_cast<std::uint8_t>(i5 == 0 ? kZeroRegister : i5);
  op.length = static_cast<std::uint8_t>(length);
  return op;
}

std::string Show(const Op& op) {
  return absl::StrCat("i2=", op.i2, " d2=", op.d2, " d1=", op.d1, " r1=", op.r1, " r2=", op.r2,
                      " r3=", op.r3, " x2=", op.x2, " b1=", op.b1, " b2=", op.b2, " i5=", op.i5,
                      " length=", op.length);
}

TEST(DecodeOperandsTest, FieldsOfAllFormats) {
  const DecodeCase cases[] = {
      //                                                    i2 d2 d1 r1 r2 r3 x2 b1 b2 i5 length
      {"RR", 0x1a12'0000'0000'0000, Format::kRR, Expected(0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 2)},
      {"I", 0x0aff'0000'0000'0000, Format::kI, Expected(255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)},
      {"RRE", 0xb904'0012'0000'0000, Format::kRRE, Expected(0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 4)},
      {"RRF", 0xb9e8'3412'0000'0000, Format::kRRF_a, Expected(0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 4)},
      {"RRD", 0xb30e'1023'0000'0000, Format::kRRD, Expected(0, 0, 0, 1, 3, 2, 0, 0, 0, 0, 4)},
      {"RI-a", 0xa71a'fffe'0000'0000, Format::kRI_a, Expected(-2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4)},
      {"RI-b", 0xa716'8000'0000'0000, Format::kRI_b,
       Expected(-65536, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4)},
      {"RIL-b", 0xc010'8000'0000'0000, Format::kRIL_b,
       Expected(-4'294'967'296, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6)},
      {"RIE-b", 0xec12'fffe'8064'0000, Format::kRIE_b, Expected(-4, 0, 0, 1, 2, 8, 0, 0, 0, 0, 6)},
      {"RIE-c", 0xec18'0004'ff7e'0000, Format::kRIE_c, Expected(8, 0, 0, 1, 0, 8, 0, 0, 0, 255, 6)},
      {"RIE-d", 0xec12'fffe'00d8'0000, Format::kRIE_d, Expected(-2, 0, 0, 1, 0, 2, 0, 0, 0, 0, 6)},
      {"RIE-f", 0xec12'0abf'0455'0000, Format::kRIE_f,
       Expected(0, 0, 0, 1, 2, 0x0a, 0xbf, 0, 0, 4, 6)},
      {"RX", 0x5812'3fff'0000'0000, Format::kRX_a, Expected(0, 4095, 0, 1, 0, 0, 2, 0, 3, 2, 4)},
      {"RXY negative", 0xe312'3fff'ff04'0000, Format::kRXY_a,
       Expected(0, -1, 0, 1, 0, 0, 2, 0, 3, 2, 6)},
      {"RXY positive", 0xe312'3001'7f04'0000, Format::kRXY_a,
       Expected(0, 0x7f001, 0, 1, 0, 0, 2, 0, 3, 2, 6)},
      {"RX without base and index", 0x5810'0fff'0000'0000, Format::kRX_a,
       Expected(0, 4095, 0, 1, 0, 0, 0, 0, 0, 0, 4)},
      {"RSY", 0xeb12'3000'8004'0000, Format::kRSY_a,
       Expected(0, -0x80000, 0, 1, 0, 2, 0, 0, 3, 0, 6)},
      {"SI", 0x95ff'3010'0000'0000, Format::kSI, Expected(-1, 0, 16, 0, 0, 0, 0, 3, 0, 0, 4)},
      {"SIL", 0xe54c'3010'fffe'0000, Format::kSIL, Expected(-2, 0, 16, 0, 0, 0, 0, 3, 0, 0, 6)},
      {"SS-a", 0xd2ff'1010'2020'0000, Format::kSS_a, Expected(0, 32, 16, 0, 0, 0, 255, 1, 2, 0, 6)},
      {"SS-b", 0xf234'1010'2020'0000, Format::kSS_b, Expected(0, 32, 16, 0, 0, 4, 3, 1, 2, 0, 6)},
      {"SSF", 0xc830'1010'2020'0000, Format::kSSF, Expected(0, 32, 16, 0, 0, 3, 0, 1, 2, 0, 6)},
      {"RXF", 0xed12'3010'40ae'0000, Format::kRXF, Expected(0, 16, 0, 4, 0, 1, 2, 0, 3, 2, 6)},
      {"RRS", 0xec12'3010'80f6'0000, Format::kRRS, Expected(0, 16, 0, 1, 2, 8, 0, 0, 3, 0, 6)},
      {"RIS", 0xec18'3010'fffe'0000, Format::kRIS, Expected(-1, 16, 0, 1, 0, 8, 0, 0, 3, 0, 6)},
  };
  for (const DecodeCase& c : cases) {
    Op op;
    DecodeOperands(c.text, {OpcodeOf(c.text), c.name, c.format, kBase, nullptr}, op);
    EXPECT_EQ(Show(op), Show(c.expected)) << c.name;
  }
}

}  // namespace
}  // namespace lethe::emulated
