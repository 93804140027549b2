// The decimal instructions on a CPU. Values are those of the manual's appendix where it has any;
// the rest follows from its text. (The differential test cannot help: its oracle knows no packed
// arithmetic.)

#include <string>

#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

// Operands in storage: the first one at 0(14), the second one at 32(14).
struct DecimalCase {
  absl::string_view text;
  absl::string_view instruction;
  absl::string_view first;
  absl::string_view second;
  absl::string_view expect_first;  // unchanged if empty
  int expect_cc = -1;              // -1: unchanged (1 before)
  ProgramCode expect_program = ProgramCode::kNone;
};

constexpr U64 kSecond = kOperand + 32;
constexpr U64 kDecimalOverflowEnabled = Psw::Bit(21);

std::string HexAt(const InstructionBench& machine, U64 at, std::size_t length) {
  return absl::BytesToHexString(Get(machine, at, length));
}

void Check(const DecimalCase& c, U64 mask = InstructionBench::kSupervisor) {
  SCOPED_TRACE(std::string(c.text) + " " + std::string(c.first) + " " + std::string(c.second));
  InstructionBench machine;
  SetRegisters(machine, {});
  machine.PutText(kOperand, c.first);
  machine.PutText(kSecond, c.second);
  EXPECT_EQ(Execute(machine, c.instruction, 1, mask), c.expect_program);
  const auto expected = c.expect_first.empty() ? c.first : c.expect_first;
  EXPECT_EQ(HexAt(machine, kOperand, c.first.size() / 2), expected);
  if (c.expect_program == ProgramCode::kNone) {
    EXPECT_EQ(machine.Cc(), c.expect_cc < 0 ? 1 : c.expect_cc);
  } else if (c.expect_cc >= 0) {
    EXPECT_EQ(static_cast<int>(machine.ProgramOldPsw().mask >> 44 & 3), c.expect_cc);
  }
  if (c.expect_program == ProgramCode::kData) {
    EXPECT_EQ(machine.Get<U8>(kDataExceptionCode), 0);
  }
}

const DecimalCase kAdd[] = {
    {"ap 0(4,14),32(2,14)", "fa31e000e020", "0123456c", "004c", "0123460c", 2},
    {"ap", "fa31e000e020", "0000003c", "005d", "0000002d", 1},
    {"ap", "fa31e000e020", "0000005d", "005c", "0000000c", 0},
    {"ap: zero is positive", "fa31e000e020", "0000000d", "000d", "0000000c", 0},
    {"ap: any sign code", "fa31e000e020", "0000001a", "002e", "0000003c", 2},
    {"ap: any sign code", "fa31e000e020", "0000001b", "002d", "0000003d", 1},
    {"ap: overflow drops digits", "fa11e000e020", "999c", "002c", "001c", 3},
    {"ap: second longer, fits", "fa13e000e020", "001c", "0000002c", "003c", 2},
    {"ap: second longer, overflow", "fa13e000e020", "001c", "0012345c", "346c", 3},
    {"ap: a zero from overflow keeps its sign", "fa11e000e020", "999d", "001d", "000d", 3},
    {"ap: sixteen bytes", "faffe000e020", "9999999999999999999999999999999c",
     "0000000000000000000000000000001c", "0000000000000000000000000000000c", 3},
    {"ap: bad digit", "fa11e000e020", "0a1c", "002c", "", -1, ProgramCode::kData},
    {"ap: bad sign", "fa11e000e020", "001c", "0022", "", -1, ProgramCode::kData},
    {"sp", "fb31e000e020", "0000001c", "003c", "0000002d", 1},
    {"sp", "fb31e000e020", "0000001d", "003d", "0000002c", 2},
    {"zap", "f832e000e020", "ffffffff", "12345d", "0012345d", 1},
    {"zap: the first operand is not looked at", "f832e000e020", "abcdefab", "00000d", "0000000c",
     0},
    {"zap: overflow", "f812e000e020", "0000", "12345d", "345d", 3},
    {"zap: bad digit", "f832e000e020", "00000000", "1234a5", "", -1, ProgramCode::kData},
};

TEST(DecimalInstructions, AddSubtractAndZeroAndAdd) {
  for (const DecimalCase& c : kAdd) Check(c);
}

TEST(DecimalInstructions, OverflowInterruptsAfterTheResultIsStored) {
  Check({"ap", "fa11e000e020", "999c", "002c", "001c", 3, ProgramCode::kDecimalOverflow},
        InstructionBench::kSupervisor | kDecimalOverflowEnabled);
}

const DecimalCase kCompare[] = {
    {"cp", "f932e000e020", "0000123c", "00123c", "", 0},
    {"cp: zeros are equal", "f932e000e020", "0000000c", "00000d", "", 0},
    {"cp: low", "f932e000e020", "1725356d", "00123c", "", 1},
    {"cp: high", "f932e000e020", "0000124c", "00123c", "", 2},
    {"cp: bad digit", "f932e000e020", "0000f12c", "00123c", "", -1, ProgramCode::kData},
};

TEST(DecimalInstructions, Compare) {
  for (const DecimalCase& c : kCompare) Check(c);
}

const DecimalCase kMultiplyAndDivide[] = {
    // The manual's appendix.
    {"mp 0(5,14),32(3,14)", "fc42e000e020", "000038460d", "00321d", "", -1, ProgramCode::kData},
    {"mp", "fc42e000e020", "000000384d", "00321d", "000123264c"},
    {"mp: the sign of zero", "fc42e000e020", "000000000c", "00321d", "000000000d"},
    {"mp: second too long", "fc22e000e020", "00001c", "00321d", "", -1,
     ProgramCode::kSpecification},
    {"mp: nine bytes", "fcf8e000e020", "0000000000000000000000000000001c", "00000000000000001c", "",
     -1, ProgramCode::kSpecification},
    {"dp", "fd41e000e020", "012345678c", "321d", "38460d018c"},
    {"dp: quotient too large", "fd41e000e020", "999999999c", "001c", "", -1,
     ProgramCode::kDecimalDivide},
    {"dp: by zero", "fd41e000e020", "000000001c", "000c", "", -1, ProgramCode::kDecimalDivide},
    {"dp: sign of the remainder", "fd41e000e020", "000000007d", "002d", "00003c001d"},
    {"dp: data before divide", "fd41e000e020", "0000000a1c", "000c", "", -1, ProgramCode::kData},
    {"dp: second too long", "fd22e000e020", "00001c", "00321d", "", -1,
     ProgramCode::kSpecification},
};

TEST(DecimalInstructions, MultiplyAndDivide) {
  for (const DecimalCase& c : kMultiplyAndDivide) Check(c);
}

const DecimalCase kShift[] = {
    // SRP D1(L1,B1),D2(B2),I3: the amount's rightmost six bits, signed.
    {"srp 0(5,14),3(0),0", "f040e0000003", "000000123c", "", "000123000c", 2},
    {"srp: right by four, rounded", "f045e000003c", "012345678d", "", "000001235d", 1},
    {"srp: right by four, cut off", "f040e000003c", "012345678d", "", "000001234d", 1},
    {"srp: lost digits", "f040e0000003", "001234567c", "", "234567000c", 3},
    {"srp: a zero that lost digits keeps its sign", "f040e0000009", "000000001d", "", "000000000d",
     3},
    {"srp: right to nothing", "f040e000002f", "000000001d", "", "000000000c", 0},
    {"srp: rounds up to one", "f045e000003f", "000000005c", "", "000000001c", 2},
    {"srp: bad rounding digit, even if left", "f04ae0000001", "000000001c", "", "", -1,
     ProgramCode::kData},
    {"srp: farthest right", "f049e0000020", "999999999c", "", "000000000c", 0},
};

TEST(DecimalInstructions, ShiftAndRound) {
  for (const DecimalCase& c : kShift) Check(c);
}

const DecimalCase kTest[] = {
    {"tp 0(3,14)", "eb20e00000c0", "12345c", "", "", 0},
    {"tp: sign", "eb20e00000c0", "123459", "", "", 1},
    {"tp: digit", "eb20e00000c0", "1a345c", "", "", 2},
    {"tp: both", "eb20e00000c0", "1a3459", "", "", 3},
};

TEST(DecimalInstructions, TestDecimal) {
  for (const DecimalCase& c : kTest) Check(c);
}

const DecimalCase kEdit[] = {
    // The manual's appendix: 0257426+ into b d d , d d S . d d b C R.
    {"ed 0(13,14),32(14)", "de0ce000e020", "4020206b2020214b202040c3d9", "0257426c",
     "4040f26bf5f7f44bf2f6404040", 2},
    {"ed", "de0ce000e020", "4020206b2020214b202040c3d9", "0000026d", "404040404040404bf2f640c3d9",
     1},
    {"ed: bad digit", "de0ce000e020", "4020206b2020214b202040c3d9", "a257426c", "", -1,
     ProgramCode::kData},
};

TEST(DecimalInstructions, Edit) {
  for (const DecimalCase& c : kEdit) Check(c);
}

TEST(DecimalInstructions, EditAndMarkSaysWhereSignificanceBegins) {
  InstructionBench machine;
  SetRegisters(machine, {{1, 0xaaaaaaaabbbbbbbb}});
  machine.PutText(kOperand, "4020206b2020214b202040c3d9");
  machine.PutText(kSecond, "0257426c");
  EXPECT_EQ(Execute(machine, "df0ce000e020", 0), ProgramCode::kNone);
  EXPECT_EQ(Register(machine, 1), kOperand + 2);
}

TEST(DecimalInstructions, EditAndMarkLeavesTheLeftOfTheRegisterIn31BitMode) {
  InstructionBench machine;
  SetRegisters(machine, {{1, 0xaaaaaaaabbbbbbbb}});
  machine.PutText(kOperand, "402020");
  machine.PutText(kSecond, "02");
  EXPECT_EQ(Execute(machine, "df02e000e020", 0, Psw::kBasicAddressing), ProgramCode::kNone);
  EXPECT_EQ(Register(machine, 1), 0xaaaaaaaa00000000 | (kOperand + 2));
}

TEST(DecimalInstructions, EditAndMarkLeavesTheRegisterIfSignificanceWasForced) {
  InstructionBench machine;
  SetRegisters(machine, {{1, 77}});
  machine.PutText(kOperand, "402120");
  machine.PutText(kSecond, "02");
  EXPECT_EQ(Execute(machine, "df02e000e020", 0), ProgramCode::kNone);
  EXPECT_EQ(Register(machine, 1), 77u);
}

}  // namespace
}  // namespace lethe::emulated
