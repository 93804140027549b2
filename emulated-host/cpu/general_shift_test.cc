#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kShift[] = {
    {.text = "sla %r1,1",
     .instruction = "8b100001",
     .registers = {{1, 0x9900000040000000}},
     .expect_registers = {{1, 0x9900000000000000}},
     .expect_cc = 3},
    {.text = "sla %r1,31",
     .instruction = "8b10001f",
     .registers = {{1, 0xffffffff}},
     .expect_registers = {{1, 0x80000000}},
     .expect_cc = 1},
    {.text = "sla %r1,32",
     .instruction = "8b100020",
     .registers = {{1, 0xffffffff}},
     .expect_registers = {{1, 0x80000000}},
     .expect_cc = 3},
    {.text = "slag %r1,%r2,63",
     .instruction = "eb12003f000b",
     .registers = {{2, 1}},
     .expect_registers = {{1, 0}},
     .expect_cc = 3},
    {.text = "slag %r1,%r2,3",
     .instruction = "eb120003000b",
     .registers = {{2, ~U64{0}}},
     .expect_registers = {{1, ~U64{7}}},
     .expect_cc = 1},
    {.text = "sra %r1,63",
     .instruction = "8a10003f",
     .registers = {{1, 0x80000000}},
     .expect_registers = {{1, 0xffffffff}},
     .expect_cc = 1},
    {.text = "srl %r1,33",
     .instruction = "88100021",
     .registers = {{1, 0x11ffffffff}},
     .expect_registers = {{1, 0x1100000000}}},
    {.text = "sll %r1,65(%r2)",
     .instruction = "89102041",
     .registers = {{1, 3}, {2, 64}},
     .expect_registers = {{1, 6}}},
    {.text = "slda %r2,1",
     .instruction = "8f200001",
     .registers = {{2, 0x7700000040000000}, {3, 0x8800000000000000}},
     .expect_registers = {{2, 0x7700000000000000}, {3, 0x8800000000000000}},
     .expect_cc = 3},
    {.text = "srda %r2,32",
     .instruction = "8e200020",
     .registers = {{2, 0x80000000}, {3, 5}},
     .expect_registers = {{2, 0xffffffff}, {3, 0x80000000}},
     .expect_cc = 1},
    {.text = "sldl %r2,32",
     .instruction = "8d200020",
     .registers = {{2, 1}, {3, 0xff00000002}},
     .expect_registers = {{2, 2}, {3, 0xff00000000}}},
    {.text = "srdl %r3,1",
     .instruction = "8c300001",
     .expect_program = ProgramCode::kSpecification},
    {.text = "rllg %r1,%r2,-8",
     .instruction = "eb120ff8ff1c",
     .registers = {{2, 0x00000000000000ab}},
     .expect_registers = {{1, 0xab00000000000000}}},
    {.text = "rll %r1,%r2,36",
     .instruction = "eb120024001d",
     .registers = {{1, 0x100000000}, {2, 0xf0000001}},
     .expect_registers = {{1, 0x10000001f}}},
};

TEST(GeneralShiftTest, Cases) {
  for (const Case& row : kShift) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
