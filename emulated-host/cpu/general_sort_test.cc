#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

constexpr U64 k31Bit = Psw::kBasicAddressing;

const Case kCodewords[] = {
    // Keys of 12 bytes, which differ in the second six.
    {.text = "cfc 6",
     .instruction = "b21a0006",
     .registers = {{1, 0x4000}, {2, 0}, {3, 0x4010}},
     .storage = "00000000000100000000000200000000000000000001000000000003",
     .expect_registers = {{2, 0x000c'ffff'ffff'fffc}},
     .expect_cc = 1},
    {.text = "cfc 7",  // descending: they are out of sequence
     .instruction = "b21a0007",
     .registers = {{1, 0x4000}, {2, 0}, {3, 0x4010}},
     .storage = "00000000000100000000000200000000000000000001000000000003",
     .expect_registers = {{1, 0x4010}, {2, 0x000c'0000'0000'0002}, {3, 0x4000}},
     .expect_cc = 2},
    {.text = "cfc 4",  // equal up to the limit
     .instruction = "b21a0004",
     .registers = {{1, 0x4000}, {2, 0}, {3, 0x4010}},
     .storage = "00000000000100000000000200000000000000000001000000000003",
     .expect_registers = {{2, 0x8000'0000'0000'4010}}},
    {.text = "cfc 6",
     .instruction = "b21a0006",
     .registers = {{1, 0x4000}, {2, 1}, {3, 0x4010}},
     .expect_program = ProgramCode::kSpecification},
};

TEST(GeneralSortTest, Codewords) {
  for (const Case& row : kCodewords) Check(row);
}

TEST(GeneralSortTest, ShortCodewordsOutsideOfThe64BitMode) {
  InstructionBench machine;
  machine.PutText(kOperand, "00010005");
  machine.PutText(kOperand + 0x10, "00010003");
  Register(machine, 1) = kOperand;
  Register(machine, 2) = U64{7} << 32;
  Register(machine, 3) = kOperand + 0x10;
  EXPECT_EQ(Execute(machine, "b21a0002", 0, k31Bit), ProgramCode::kNone);
  EXPECT_EQ(machine.Cc(), 2);
  EXPECT_EQ(Register(machine, 1), kOperand + 0x10);
  EXPECT_EQ(Register(machine, 2), U64{7} << 32 | 0x0004'fffa);
  EXPECT_EQ(Register(machine, 3), kOperand);
}

TEST(GeneralSortTest, LongKeysAreComparedInParts) {
  InstructionBench machine;
  machine.Put<U8>(kOperand + 30000, 1);
  Register(machine, 1) = kOperand;
  Register(machine, 2) = 0;
  Register(machine, 3) = kOperand + 0x8000;
  EXPECT_EQ(Execute(machine, "b21ac001", 0), ProgramCode::kNone);  // limit: register 12
  Register(machine, 2) = 0;
  Register(machine, 12) = 0x7ffe;
  EXPECT_EQ(Execute(machine, "b21ac000", 0), ProgramCode::kNone);
  EXPECT_EQ(machine.Cc(), 2);
  EXPECT_EQ(Register(machine, 2) >> 48, 30006u);
}

// Nodes of a tree at the operand, from number 1 on: codeword and data.
const Case kTrees[] = {
    {.text = "upt",  // nodes 2 and 1 are higher one after the other
     .instruction = "0102",
     .registers = {{0, 5}, {1, 0xd0}, {4, 0x4000}, {5, 0x40}},
     .storage = "0000000000000000"
                "0000000000000000"
                "0000000000000009"
                "00000000000000d1"
                "0000000000000007"
                "00000000000000d2",
     .expect_registers = {{0, 9}, {1, 0xd1}, {5, 0}},
     .expect_cc = 1,
     .expect_storage = "0000000000000000"
                       "0000000000000000"
                       "0000000000000007"
                       "00000000000000d2"
                       "0000000000000005"
                       "00000000000000d0"},
    {.text = "upt",  // an equal codeword
     .instruction = "0102",
     .registers = {{0, 7}, {1, 0xd0}, {4, 0x4000}, {5, 0x40}},
     .storage = "0000000000000000"
                "0000000000000000"
                "0000000000000009"
                "00000000000000d1"
                "0000000000000007"
                "00000000000000d2",
     .expect_registers = {{2, 7}, {3, 0xd2}, {5, 0x20}}},
    {.text = "upt",  // a negative one
     .instruction = "0102",
     .registers = {{0, U64{1} << 63}, {4, 0x4000}, {5, 0x40}},
     .expect_registers = {{5, 0x20}},
     .expect_cc = 3},
    {.text = "upt",
     .instruction = "0102",
     .registers = {{4, 0x4008}, {5, 0x40}},
     .expect_program = ProgramCode::kSpecification},
};

TEST(GeneralSortTest, Trees) {
  for (const Case& row : kTrees) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
