#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kConversions[] = {
    {.text = "pack 0(3,%r14),4(5,%r14)",
     .instruction = "f224e000e004",
     .storage = "fffffffff1f2f3f4d5",
     .expect_storage = "12345dff"},
    {.text = "pack 0(1,%r14),0(1,%r14)",
     .instruction = "f200e000e000",
     .storage = "c5",
     .expect_storage = "5c"},
    {.text = "unpk 0(5,%r14),6(3,%r14)",
     .instruction = "f342e000e006",
     .storage = "00000000000012345d",
     .expect_storage = "f1f2f3f4d5"},
    {.text = "pka 0(%r14),16(3,%r14)",
     .instruction = "e902e000e010",
     .storage = "ffffffffffffffffffffffffffffffff313233",
     .expect_storage = "0000000000000000000000000000123c"},
    {.text = "unpka 0(4,%r14),8(%r14)",
     .instruction = "ea03e000e008",
     .storage = "00000000000000000000000000000000000000000001234d",
     .expect_cc = 1,
     .expect_storage = "31323334"},
    {.text = "unpku 0(4,%r14),8(%r14)",
     .instruction = "e203e000e008",
     .storage = "000000000000000000000000000000000000000000012347",
     .expect_cc = 3,
     .expect_storage = "00330034"},
    {.text = "cvb %r1,0(%r14)",
     .instruction = "4f10e000",
     .registers = {{1, 0xff00000000}},
     .storage = "000002147483647c",
     .expect_registers = {{1, 0xff7fffffff}}},
    {.text = "cvb %r1,0(%r14)",
     .instruction = "4f10e000",
     .registers = {{1, 0}},
     .storage = "00000000000000a0",
     .expect_program = ProgramCode::kData},
    {.text = "cvbg %r1,0(%r14)",
     .instruction = "e310e000000e",
     .storage = "0000000000009223372036854775808d",
     .expect_registers = {{1, 0x8000000000000000}}},
    {.text = "cvbg %r1,0(%r14)",
     .instruction = "e310e000000e",
     .registers = {{1, 5}},
     .storage = "0000000000009223372036854775808c",
     .expect_program = ProgramCode::kFixedPointDivide},
    {.text = "cvd %r1,0(%r14)",
     .instruction = "4e10e000",
     .registers = {{1, 0x80000000}},
     .expect_storage = "000002147483648d"},
    {.text = "cvdg %r1,0(%r14)",
     .instruction = "e310e000002e",
     .registers = {{1, 0x8000000000000000}},
     .expect_storage = "0000000000009223372036854775808d"},
};

TEST(GeneralConvertTest, Cases) {
  for (const Case& row : kConversions) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
