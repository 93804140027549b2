#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kTranslations[] = {
    {.text = "tr 0(4,%r14),16(%r14)",
     .instruction = "dc03e000e010",
     .storage = "00010203000000000000000000000000a0a1a2a3",
     .expect_storage = "a0a1a2a3"},
    {.text = "trt 0(4,%r14),16(%r14)",
     .instruction = "dd03e000e010",
     .registers = {{1, 0xffffffffffffffff}, {2, 0x1100}},
     .storage = "00000200000000000000000000000000000007",
     .expect_registers = {{1, 0x4002}, {2, 0x1107}},
     .expect_cc = 1},
    {.text = "trt 0(3,%r14),16(%r14)",
     .instruction = "dd02e000e010",
     .registers = {{1, 0}, {2, 0}},
     .storage = "00000200000000000000000000000000000007",
     .expect_registers = {{1, 0x4002}, {2, 7}},
     .expect_cc = 2},
    {.text = "trt 0(2,%r14),16(%r14)",
     .instruction = "dd01e000e010",
     .registers = {{1, 5}, {2, 5}},
     .storage = "00000200000000000000000000000000000007"},
    {.text = "trtr 3(4,%r14),16(%r14)",
     .instruction = "d003e003e010",
     .storage = "02000000000000000000000000000000000007",
     .expect_registers = {{1, 0x4000}, {2, 7}},
     .expect_cc = 2},
    {.text = "troo %r2,%r4",
     .instruction = "b9930024",
     .registers = {{0, 0xff}, {1, 0x4010}, {2, 0x4000}, {3, 3}, {4, 0x4008}},
     .storage = "00000000000000000102000000000000ffa1a2",
     .expect_registers = {{2, 0x4002}, {3, 1}, {4, 0x400a}},
     .expect_cc = 1,
     .expect_storage = "a1a200"},
    {.text = "tre %r2,%r4",
     .instruction = "b2a50024",
     .registers = {{0, 0xee}, {2, 0x4000}, {3, 3}, {4, 0x4010}},
     .storage = "0102ee00000000000000000000000000ffa1a2",
     .expect_registers = {{2, 0x4002}, {3, 1}},
     .expect_cc = 1,
     .expect_storage = "a1a2ee"},
    {.text = "trte %r2,%r4",
     .instruction = "b9bf0024",
     .registers = {{1, 0x4010}, {2, 0x4000}, {3, 4}, {4, 0x1111}},
     .storage = "00000200000000000000000000000000000007",
     .expect_registers = {{2, 0x4002}, {3, 2}, {4, 7}},
     .expect_cc = 1},
    {.text = "trte %r2,%r4",
     .instruction = "b9bf0024",
     .registers = {{1, 0x4010}, {2, 0x4000}, {3, 2}, {4, 0x1111}},
     .storage = "00000200000000000000000000000000000007",
     .expect_registers = {{2, 0x4002}, {3, 0}, {4, 0}}},
    // Two-byte arguments and function codes.
    {.text = "trte %r2,%r4,12",
     .instruction = "b9bfc024",
     .registers = {{1, 0x4010}, {2, 0x4000}, {3, 6}, {4, 0x1111}},
     .storage = "0000000100020000000000000000000000000000abcd",
     .expect_registers = {{2, 0x4004}, {3, 2}, {4, 0xabcd}},
     .expect_cc = 1},
    // With the argument limit, arguments above 255 are not looked up.
    {.text = "trte %r2,%r4,10",
     .instruction = "b9bfa024",
     .registers = {{1, 0x4010}, {2, 0x4000}, {3, 4}, {4, 0x1111}},
     .storage = "0102000200000000000000000000000000000005",
     .expect_registers = {{2, 0x4004}, {3, 0}, {4, 0}}},
    {.text = "trte %r2,%r4,8",
     .instruction = "b9bf8024",
     .registers = {{1, 0x4010}, {2, 0x4000}, {3, 3}},
     .expect_program = ProgramCode::kSpecification},
    {.text = "trtre %r2,%r4",
     .instruction = "b9bd0024",
     .registers = {{1, 0x4010}, {2, 0x4003}, {3, 4}, {4, 0x1111}},
     .storage = "00020000000000000000000000000000000007",
     .expect_registers = {{2, 0x4001}, {3, 2}, {4, 7}},
     .expect_cc = 1},
};

TEST(GeneralTranslateTest, Cases) {
  for (const Case& row : kTranslations) Check(row);
}

}  // namespace
}  // namespace lethe::emulated
