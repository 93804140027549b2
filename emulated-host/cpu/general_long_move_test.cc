#include <string>

#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kLongMoves[] = {
    {.text = "mvcl %r2,%r4",
     .instruction = "0e24",
     .registers = {{2, 0x4000}, {3, 6}, {4, 0x4008}, {5, 0x5a000003}},
     .storage = "0000000000000000616263",
     .expect_registers = {{2, 0x4006}, {3, 0}, {4, 0x400b}, {5, 0x5a000000}},
     .expect_cc = 2,
     .expect_storage = "6162635a5a5a0000616263"},
    {.text = "mvcl %r2,%r4",
     .instruction = "0e24",
     .registers = {{2, 0x4001}, {3, 6}, {4, 0x4000}, {5, 6}},
     .storage = "61",
     .expect_cc = 3,
     .expect_storage = "6100"},
    {.text = "mvcl %r2,%r4",
     .instruction = "0e24",
     .registers = {{2, 0x4000}, {3, 0xff000001}, {4, 0x4008}, {5, 3}},
     .storage = "0000000000000000616263",
     .expect_registers = {{2, 0x4001}, {3, 0xff000000}, {4, 0x4009}, {5, 2}},
     .expect_cc = 1,
     .expect_storage = "6100"},
    {.text = "clcl %r2,%r4",
     .instruction = "0f24",
     .registers = {{2, 0x4000}, {3, 4}, {4, 0x4008}, {5, 0x20000002}},
     .storage = "616220210000000061620000",
     .expect_registers = {{2, 0x4003}, {3, 1}, {4, 0x400a}, {5, 0x20000000}},
     .expect_cc = 2},
    {.text = "mvcle %r2,%r4,0x40",
     .instruction = "a8240040",
     .registers = {{2, 0x4000}, {3, 3}, {4, 0x4008}, {5, 1}},
     .storage = "000000000000000061",
     .expect_registers = {{2, 0x4003}, {3, 0}, {4, 0x4009}, {5, 0}},
     .expect_cc = 2,
     .expect_storage = "614040000000000061"},
    {.text = "mvcle %r3,%r4,0",
     .instruction = "a8340000",
     .expect_program = ProgramCode::kSpecification},
    {.text = "clcle %r2,%r4,0x20",
     .instruction = "a9240020",
     .registers = {{2, 0x4000}, {3, 2}, {4, 0x4008}, {5, 3}},
     .storage = "6162000000000000616220",
     .expect_registers = {{2, 0x4002}, {3, 0}, {4, 0x400b}, {5, 0}}},
    {.text = "mvclu %r2,%r4,0x41",
     .instruction = "eb240041008e",
     .registers = {{2, 0x4000}, {3, 4}, {4, 0x4008}, {5, 2}},
     .storage = "00000000000000006162",
     .expect_registers = {{2, 0x4004}, {3, 0}, {4, 0x400a}, {5, 0}},
     .expect_cc = 2,
     .expect_storage = "616200410000"},
    {.text = "mvclu %r2,%r4,0x41",
     .instruction = "eb240041008e",
     .registers = {{2, 0x4000}, {3, 3}, {4, 0x4008}, {5, 2}},
     .expect_program = ProgramCode::kSpecification},
};

TEST(GeneralLongMoveTest, Cases) {
  for (const Case& row : kLongMoves) Check(row);
}

TEST(GeneralLongMoveTest, MoveLongGoesOnUntilItIsDone) {
  InstructionBench machine;
  Register(machine, 2) = 0x5100;
  Register(machine, 3) = 0x6200;
  Register(machine, 4) = 0xc000;
  Register(machine, 5) = 0x2a000010;
  Put(machine, 0xc000, std::string(16, 's'));
  EXPECT_EQ(Execute(machine, "0e24", 0), ProgramCode::kNone);
  EXPECT_EQ(machine.Cc(), 2);
  EXPECT_EQ(Register(machine, 2), 0x5100u + 0x6200);
  EXPECT_EQ(Register(machine, 3), 0u);
  EXPECT_EQ(Register(machine, 5), 0x2a000000u);
  EXPECT_EQ(Get(machine, 0x5100, 0x6200), std::string(16, 's') + std::string(0x61f0, '*'));
}

// Instructions that stop after a CPU-determined amount are repeated as programs do.
TEST(GeneralLongMoveTest, RepeatingOnConditionCode3Completes) {
  InstructionBench machine;
  Register(machine, 2) = 0x5001;
  Register(machine, 3) = 0x3000;
  Register(machine, 4) = 0x8803;
  Register(machine, 5) = 0x3000;
  Put(machine, 0x8803, std::string(0x2fff, 'q') + "e");
  Execute(machine, "a8240000a714fffe", 0);  // mvcle %r2,%r4,0; brc 1,back
  EXPECT_EQ(machine.Cc(), 0);
  EXPECT_EQ(Get(machine, 0x5001, 0x3000), std::string(0x2fff, 'q') + "e");
  EXPECT_EQ(Register(machine, 5), 0u);
}

}  // namespace
}  // namespace lethe::emulated
