#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kCompare[] = {
    {.text = "cgfr %r1,%r2",
     .instruction = "b9300012",
     .registers = {{1, ~U64{0}}, {2, 0xffffffff}}},
    {.text = "clgfr %r1,%r2",
     .instruction = "b9310012",
     .registers = {{1, ~U64{0}}, {2, 0xffffffff}},
     .expect_cc = 2},
    {.text = "cli 0(%r14),0x80", .instruction = "9580e000", .storage = "7f", .expect_cc = 1},
    {.text = "clghsi 0(%r14),65535", .instruction = "e559e000ffff", .storage = "000000000000ffff"},
    {.text = "cghsi 0(%r14),-1", .instruction = "e558e000ffff", .storage = "ffffffffffffffff"},
    {.text = "chhsi 0(%r14),0", .instruction = "e554e0000000", .storage = "8000", .expect_cc = 1},
    {.text = "clm %r1,5,0(%r14)",
     .instruction = "bd15e000",
     .registers = {{1, 0x00aa00bb}},
     .storage = "aabc",
     .expect_cc = 1},
    {.text = "clm %r1,0,0(%r14)",
     .instruction = "bd10e000",
     .registers = {{1, 1}},
     .cc = 2,
     .storage = "aabc"},
    {.text = "chf %r1,0(%r14)",
     .instruction = "e310e00000cd",
     .registers = {{1, 0x8000000000000000}},
     .storage = "00000000",
     .expect_cc = 1},
    {.text = "clih %r1,5", .instruction = "cc1f00000005", .registers = {{1, 0x0000000500000000}}},
    {.text = "cgit %r1,5,8",
     .instruction = "ec1000058070",
     .registers = {{1, 5}},
     .expect_program = ProgramCode::kData,
     .expect_dxc = 0xff},
    {.text = "cgit %r1,5,6", .instruction = "ec1000056070", .registers = {{1, 5}}},
    {.text = "clrt %r1,%r2,2",
     .instruction = "b9732012",
     .registers = {{1, 0xffffffff}, {2, 1}},
     .expect_program = ProgramCode::kData,
     .expect_dxc = 0xff},
    {.text = "clfit %r1,65535,4",
     .instruction = "ec10ffff4073",
     .registers = {{1, 65534}},
     .expect_program = ProgramCode::kData,
     .expect_dxc = 0xff},
};

TEST(GeneralCompareTest, Cases) {
  for (const Case& row : kCompare) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
