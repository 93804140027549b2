#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kUnicode[] = {
    {.text = "cu12 %r2,%r4",
     .instruction = "b2a70024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 6}},
     .storage = "000000000000000061c3a9e282ac",
     .expect_registers = {{2, 0x4006}, {3, 2}, {4, 0x400e}, {5, 0}},
     .expect_storage = "006100e920ac"},
    {.text = "cu12 %r2,%r4,1",
     .instruction = "b2a71024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 2}},
     .storage = "0000000000000000c080",
     .expect_cc = 2},
    {.text = "cu12 %r2,%r4",
     .instruction = "b2a70024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 4}},
     .storage = "0000000000000000f09f9880",
     .expect_registers = {{2, 0x4004}, {3, 4}, {4, 0x400c}, {5, 0}},
     .expect_storage = "d83dde00"},
    {.text = "cu21 %r2,%r4",
     .instruction = "b2a60024",
     .registers = {{2, 0x4000}, {3, 3}, {4, 0x4008}, {5, 4}},
     .storage = "0000000000000000d83dde00",
     .expect_registers = {{2, 0x4000}, {3, 3}, {4, 0x4008}, {5, 4}},
     .expect_cc = 1},
    {.text = "cu21 %r2,%r4",
     .instruction = "b2a60024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 4}},
     .storage = "0000000000000000d83dde00",
     .expect_registers = {{2, 0x4004}, {3, 4}, {4, 0x400c}, {5, 0}},
     .expect_storage = "f09f9880"},
    {.text = "cu42 %r2,%r4",
     .instruction = "b9b30024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 4}},
     .storage = "00000000000000000000d800",
     .expect_cc = 2},
    {.text = "cu14 %r2,%r4",
     .instruction = "b9b00024",
     .registers = {{2, 0x4000}, {3, 8}, {4, 0x4008}, {5, 2}},
     .storage = "0000000000000000e282"},
};

TEST(GeneralUnicodeTest, Cases) {
  for (const Case& row : kUnicode) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
