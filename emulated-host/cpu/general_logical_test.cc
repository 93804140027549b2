#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kLogical[] = {
    {.text = "nilf %r1,0xf0",
     .instruction = "c01b000000f0",
     .registers = {{1, 0xffffffffffffffff}},
     .expect_registers = {{1, 0xffffffff000000f0}},
     .expect_cc = 1},
    {.text = "oihl %r1,0", .instruction = "a5190000", .registers = {{1, 0xffff0000ffffffff}}},
    {.text = "xihf %r1,0xffffffff",
     .instruction = "c016ffffffff",
     .registers = {{1, 0xffffffff00000001}},
     .expect_registers = {{1, 1}}},
    {.text = "tm 0(%r14),0x81", .instruction = "9181e000", .storage = "80", .expect_cc = 1},
    {.text = "tm 0(%r14),0x81", .instruction = "9181e000", .storage = "ff", .expect_cc = 3},
    {.text = "tm 0(%r14),0", .instruction = "9100e000", .storage = "ff"},
    {.text = "tmll %r1,0x8001",
     .instruction = "a7118001",
     .registers = {{1, 0x8000}},
     .expect_cc = 2},
    {.text = "tmll %r1,0x8001",
     .instruction = "a7118001",
     .registers = {{1, 0x7fff}},
     .expect_cc = 1},
    {.text = "tmhh %r1,0xffff",
     .instruction = "a712ffff",
     .registers = {{1, 0xffff000000000000}},
     .expect_cc = 3},
    {.text = "ni 0(%r14),0x0f", .instruction = "940fe000", .storage = "f0", .expect_storage = "00"},
    {.text = "xi 0(%r14),0xff",
     .instruction = "97ffe000",
     .storage = "0f",
     .expect_cc = 1,
     .expect_storage = "f0"},
    {.text = "risbg %r1,%r2,60,3,4",
     .instruction = "ec123c030455",
     .registers = {{1, 0x1111111111111111}, {2, 0xabcdef0123456789}},
     .expect_registers = {{1, 0xb11111111111111a}},
     .expect_cc = 1},
    {.text = "risbg %r1,%r2,0,189,2",
     .instruction = "ec1200bd0255",
     .registers = {{1, ~U64{0}}, {2, 0x0000000000000003}},
     .expect_registers = {{1, 0xc}},
     .expect_cc = 2},
    {.text = "rosbg %r1,%r2,32,63,0",
     .instruction = "ec12203f0056",
     .registers = {{1, 0xf0000000000000f0}, {2, 0x0f}},
     .expect_registers = {{1, 0xf0000000000000ff}},
     .expect_cc = 1},
    {.text = "rnsbg %r1,%r2,128,63,0",
     .instruction = "ec12803f0054",
     .registers = {{1, 0xff}, {2, 0xff00}}},
    {.text = "rxsbg %r1,%r2,0,63,63",
     .instruction = "ec12003f3f57",
     .registers = {{1, 1}, {2, 2}},
     .expect_registers = {{1, 0}}},
    {.text = "risbhg %r1,%r2,0,31,32",
     .instruction = "ec12001f205d",
     .registers = {{1, 0x1111111122222222}, {2, 0x00000000abcdef01}},
     .cc = 2,
     .expect_registers = {{1, 0xabcdef0122222222}},
     .expect_cc = 2},
    {.text = "risblg %r1,%r2,24,159,0",
     .instruction = "ec12189f0051",
     .registers = {{1, 0x1111111122222222}, {2, 0x12345678}},
     .expect_registers = {{1, 0x1111111100000078}}},
};

TEST(GeneralLogicalTest, Cases) {
  for (const Case& row : kLogical) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
