#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kStrings[] = {
    {.text = "clst %r2,%r4",
     .instruction = "b25d0024",
     .registers = {{0, 0}, {2, 0x4000}, {4, 0x4008}},
     .storage = "616263000000000061626300"},
    {.text = "clst %r2,%r4",
     .instruction = "b25d0024",
     .registers = {{0, 0}, {2, 0x4000}, {4, 0x4008}},
     .storage = "616200000000000061626300",
     .expect_registers = {{2, 0x4002}, {4, 0x400a}},
     .expect_cc = 1},
    {.text = "clst %r2,%r4",
     .instruction = "b25d0024",
     .registers = {{0, 0x80}, {2, 0x4000}, {4, 0x4008}},
     .storage = "618000000000000061620000",
     .expect_registers = {{2, 0x4001}, {4, 0x4009}},
     .expect_cc = 1},
    {.text = "clst %r2,%r4",
     .instruction = "b25d0024",
     .registers = {{0, 0x100}, {2, 0x4000}, {4, 0x4008}},
     .expect_program = ProgramCode::kSpecification},
    {.text = "srst %r2,%r4",
     .instruction = "b25e0024",
     .registers = {{0, 0x63}, {2, 0x4010}, {4, 0x4000}},
     .storage = "6162636465",
     .expect_registers = {{2, 0x4002}},
     .expect_cc = 1},
    {.text = "srst %r2,%r4",
     .instruction = "b25e0024",
     .registers = {{0, 0x66}, {2, 0x4004}, {4, 0x4000}},
     .storage = "6162636465",
     .expect_cc = 2},
    {.text = "srst %r2,%r4",
     .instruction = "b25e0024",
     .registers = {{0, 0x66}, {2, 0x4000}, {4, 0x4000}},
     .expect_cc = 2},
    {.text = "srstu %r2,%r4",
     .instruction = "b9be0024",
     .registers = {{0, 0x6364}, {2, 0x4010}, {4, 0x4000}},
     .storage = "616263636364",
     .expect_registers = {{2, 0x4004}},
     .expect_cc = 1},
    {.text = "mvst %r2,%r4",
     .instruction = "b2550024",
     .registers = {{0, 0}, {2, 0x4008}, {4, 0x4000}},
     .storage = "616200ffffffffffffffffff",
     .expect_registers = {{2, 0x400a}},
     .expect_cc = 1,
     .expect_storage = "616200ffffffffff616200ff"},
    {.text = "cksm %r2,%r4",
     .instruction = "b2410024",
     .registers = {{2, 0xffffffff}, {4, 0x4000}, {5, 5}},
     .storage = "0000000180",
     .expect_registers = {{2, 0x80000001}, {4, 0x4005}, {5, 0}}},
    {.text = "cksm %r2,%r5",
     .instruction = "b2410025",
     .expect_program = ProgramCode::kSpecification},
    {.text = "cuse %r2,%r4",
     .instruction = "b2570024",
     .registers = {{0, 2}, {1, 0}, {2, 0x4000}, {3, 4}, {4, 0x4008}, {5, 4}},
     .storage = "61626364000000007a626300",
     .expect_registers = {{2, 0x4001}, {3, 3}, {4, 0x4009}, {5, 3}}},
};

TEST(GeneralStringTest, Cases) {
  for (const Case& row : kStrings) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
