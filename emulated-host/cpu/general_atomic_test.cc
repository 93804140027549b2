#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kInterlocked[] = {
    {.text = "cs %r1,%r3,0(%r14)",
     .instruction = "ba13e000",
     .registers = {{1, 0xff00000005}, {3, 6}},
     .storage = "00000005",
     .expect_storage = "00000006"},
    {.text = "cs %r1,%r3,0(%r14)",
     .instruction = "ba13e000",
     .registers = {{1, 0xff00000005}, {3, 6}},
     .storage = "00000007",
     .expect_registers = {{1, 0xff00000007}},
     .expect_cc = 1,
     .expect_storage = "00000007"},
    {.text = "cs %r1,%r3,2(%r14)",
     .instruction = "ba13e002",
     .expect_program = ProgramCode::kSpecification},
    {.text = "cdsg %r2,%r4,0(%r14)",
     .instruction = "eb24e000003e",
     .registers = {{2, 1}, {3, 2}, {4, 3}, {5, 4}},
     .storage = "00000000000000010000000000000002",
     .expect_storage = "00000000000000030000000000000004"},
    {.text = "cds %r2,%r4,0(%r14)",
     .instruction = "bb24e000",
     .registers = {{2, 1}, {3, 2}, {4, 3}, {5, 4}},
     .storage = "0000000900000008",
     .expect_registers = {{2, 9}, {3, 8}},
     .expect_cc = 1},
    {.text = "laa %r1,%r2,0(%r14)",
     .instruction = "eb12e00000f8",
     .registers = {{2, 1}},
     .storage = "7fffffff",
     .expect_registers = {{1, 0x7fffffff}},
     .expect_cc = 3,
     .expect_storage = "80000000"},
    {.text = "lang %r1,%r2,0(%r14)",
     .instruction = "eb12e00000e4",
     .registers = {{2, 0xf0}},
     .storage = "00000000000000ff",
     .expect_registers = {{1, 0xff}},
     .expect_cc = 1,
     .expect_storage = "00000000000000f0"},
    {.text = "laalg %r1,%r2,0(%r14)",
     .instruction = "eb12e00000ea",
     .registers = {{2, 1}},
     .storage = "ffffffffffffffff",
     .expect_registers = {{1, ~U64{0}}},
     .expect_cc = 2,
     .expect_storage = "0000000000000000"},
    {.text = "ts 0(%r14)", .instruction = "9300e000", .storage = "7f", .expect_storage = "ff"},
    {.text = "ts 0(%r14)",
     .instruction = "9300e000",
     .storage = "80",
     .expect_cc = 1,
     .expect_storage = "ff"},
    {.text = "csst 0(%r14),8(%r14),%r2",
     .instruction = "c822e000e008",
     .registers = {{0, 0x0200}, {1, 0x4010}, {2, 5}},
     .storage = "0000000500000000000000000000000000000006000000000000000000000000abcd1234",
     .expect_storage = "0000000600000000abcd123400000000"},
    {.text = "csst 0(%r14),8(%r14),%r2",
     .instruction = "c822e000e008",
     .registers = {{0, 0x0200}, {1, 0x4010}, {2, 4}},
     .storage = "0000000500000000000000000000000000000006000000000000000000000000abcd1234",
     .expect_registers = {{2, 5}},
     .expect_cc = 1,
     .expect_storage = "00000005000000000000000000000000"},
    {.text = "csst 0(%r14),8(%r14),%r2, the last bits of register 1 ignored",
     .instruction = "c822e000e008",
     .registers = {{0, 0x0200}, {1, 0x401d}, {2, 5}},
     .storage = "0000000500000000000000000000000000000006000000000000000000000000abcd1234",
     .expect_storage = "0000000600000000abcd123400000000"},
    {.text = "plo %r2,0(%r14),%r4,8(%r14)",
     .instruction = "ee24e000e008",
     .registers = {{0, 12}, {1, 0x4000}, {2, 5}, {3, 6}, {4, 7}},
     .storage = "000000050000000000000000",
     .expect_storage = "000000060000000000000007"},
    {.text = "plo %r2,0(%r14),%r4,8(%r14)",
     .instruction = "ee24e000e008",
     .registers = {{0, 8}, {2, 5}, {3, 6}, {4, 1}, {5, 2}},
     .storage = "000000050000000000000003",
     .expect_registers = {{4, 3}},
     .expect_cc = 2},
    {.text = "plo %r2,0(%r14),%r4,8(%r14)",
     .instruction = "ee24e000e008",
     .registers = {{0, 0x118}},
     .expect_cc = 3},
};

TEST(GeneralAtomicTest, Cases) {
  for (const Case& row : kInterlocked) Check(row);
}

TEST(GeneralAtomicTest, LockedOperationLooksAtBoundariesBeforeItAccesses) {
  constexpr U64 kBeyondStorage = 0x100'0000;
  InstructionBench machine;
  Register(machine, 0) = 12;  // compare and swap and store
  Register(machine, 14) = kBeyondStorage;
  EXPECT_EQ(Execute(machine, "ee24e000e008", 0), ProgramCode::kAddressing);
  Register(machine, 14) = kBeyondStorage;
  EXPECT_EQ(Execute(machine, "ee24e000e00a", 0), ProgramCode::kSpecification);
}

}  // namespace
}  // namespace lethe::emulated
