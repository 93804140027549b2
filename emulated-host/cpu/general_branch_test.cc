#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const BranchCase kBranches[] = {
    {.text = "bc 4,0(%r12)", .instruction = "4740c000", .cc = 1, .taken = true},
    {.text = "bc 4,0(%r12)", .instruction = "4740c000", .cc = 2, .taken = false},
    {.text = "bcr 15,%r12", .instruction = "07fc", .taken = true},
    {.text = "bcr 15,%r0", .instruction = "07f0", .taken = false},
    {.text = "brc 1,.+0x100", .instruction = "a7140080", .cc = 3, .taken = true},
    {.text = "brc 14,.+0x100", .instruction = "a7e40080", .cc = 3, .taken = false},
    {.text = "brcl 8,.+0x100", .instruction = "c08400000080", .taken = true},
    {.text = "bas %r1,0(%r12)",
     .instruction = "4d10c000",
     .taken = true,
     .expect_registers = {{1, 0x2004}}},
    {.text = "basr %r12,%r12",
     .instruction = "0dcc",
     .taken = true,
     .expect_registers = {{12, 0x2002}}},
    {.text = "basr %r1,%r0",
     .instruction = "0d10",
     .taken = false,
     .expect_registers = {{1, 0x2002}}},
    {.text = "bal %r1,0(%r12)",
     .instruction = "4510c000",
     .taken = true,
     .expect_registers = {{1, 0x2004}}},
    {.text = "bras %r1,.+0x100",
     .instruction = "a7150080",
     .taken = true,
     .expect_registers = {{1, 0x2004}}},
    {.text = "brasl %r1,.+0x100",
     .instruction = "c01500000080",
     .taken = true,
     .expect_registers = {{1, 0x2006}}},
    {.text = "bassm %r1,%r2",
     .instruction = "0c12",
     .registers = {{2, 0x2101}},
     .taken = true,
     .expect_registers = {{1, 0x2003}}},
    {.text = "bsm %r1,%r2",
     .instruction = "0b12",
     .registers = {{1, 0x10}, {2, 0x2101}},
     .taken = true,
     .expect_registers = {{1, 0x11}}},
    {.text = "bct %r1,0(%r12)",
     .instruction = "4610c000",
     .registers = {{1, 0x500000001}},
     .taken = false,
     .expect_registers = {{1, 0x500000000}}},
    {.text = "bct %r1,0(%r12)",
     .instruction = "4610c000",
     .registers = {{1, 0x500000000}},
     .taken = true,
     .expect_registers = {{1, 0x5ffffffff}}},
    {.text = "bctr %r1,%r0",
     .instruction = "0610",
     .registers = {{1, 7}},
     .taken = false,
     .expect_registers = {{1, 6}}},
    {.text = "bctgr %r1,%r12",
     .instruction = "b946001c",
     .registers = {{1, 0}},
     .taken = true,
     .expect_registers = {{1, ~U64{0}}}},
    {.text = "bctg %r1,0(%r12)",
     .instruction = "e310c0000046",
     .registers = {{1, 1}},
     .taken = false,
     .expect_registers = {{1, 0}}},
    {.text = "brct %r1,.+0x100",
     .instruction = "a7160080",
     .registers = {{1, 2}},
     .taken = true,
     .expect_registers = {{1, 1}}},
    {.text = "brctg %r1,.+0x100",
     .instruction = "a7170080",
     .registers = {{1, 1}},
     .taken = false,
     .expect_registers = {{1, 0}}},
    {.text = "brcth %r1,.+0x100",
     .instruction = "cc1600000080",
     .registers = {{1, 0x0000000200000000}},
     .taken = true,
     .expect_registers = {{1, 0x0000000100000000}}},
    {.text = "bxh %r1,%r2,0(%r12)",
     .instruction = "8612c000",
     .registers = {{1, 5}, {2, 1}, {3, 5}},
     .taken = true,
     .expect_registers = {{1, 6}}},
    {.text = "bxh %r1,%r2,0(%r12)",
     .instruction = "8612c000",
     .registers = {{1, 4}, {2, 1}, {3, 5}},
     .taken = false,
     .expect_registers = {{1, 5}}},
    {.text = "bxle %r1,%r3,0(%r12)",
     .instruction = "8713c000",
     .registers = {{1, 0xffffffff}, {3, 5}},
     .taken = true,
     .expect_registers = {{1, 4}}},
    {.text = "brxh %r3,%r3,.+0x100",
     .instruction = "84330080",
     .registers = {{3, 0x40000000}},
     .taken = false,
     .expect_registers = {{3, 0x80000000}}},
    {.text = "brxlg %r1,%r2,.+0x100",
     .instruction = "ec1200800045",
     .registers = {{1, ~U64{0}}, {2, 1}, {3, 0}},
     .taken = true,
     .expect_registers = {{1, 0}}},
    {.text = "bxhg %r1,%r2,0(%r12)",
     .instruction = "eb12c0000044",
     .registers = {{1, 1}, {2, 1}, {3, 1}},
     .taken = true,
     .expect_registers = {{1, 2}}},
    {.text = "crb %r1,%r2,4,0(%r12)",
     .instruction = "ec12c00040f6",
     .registers = {{1, 0xffffffff}, {2, 0}},
     .taken = true},
    {.text = "clrb %r1,%r2,4,0(%r12)",
     .instruction = "ec12c00040f7",
     .registers = {{1, 0xffffffff}, {2, 0}},
     .taken = false},
    {.text = "cgrj %r1,%r2,8,.+0x100",
     .instruction = "ec1200808064",
     .registers = {{1, 5}, {2, 5}},
     .taken = true},
    {.text = "clgrj %r1,%r2,2,.+0x100",
     .instruction = "ec1200802065",
     .registers = {{1, ~U64{0}}, {2, 5}},
     .taken = true},
    {.text = "crj %r1,%r2,6,.+0x100",
     .instruction = "ec1200806076",
     .registers = {{1, 5}, {2, 0x500000005}},
     .taken = false},
    {.text = "cib %r1,-1,8,0(%r12)",
     .instruction = "ec18c000fffe",
     .registers = {{1, 0xffffffff}},
     .taken = true},
    {.text = "clib %r1,255,8,0(%r12)",
     .instruction = "ec18c000ffff",
     .registers = {{1, 255}},
     .taken = true},
    {.text = "cgib %r1,-1,8,0(%r12)",
     .instruction = "ec18c000fffc",
     .registers = {{1, 0xffffffff}},
     .taken = false},
    {.text = "clgij %r1,255,4,.+0x100",
     .instruction = "ec140080ff7d",
     .registers = {{1, 254}},
     .taken = true},
    {.text = "cgij %r1,-128,2,.+0x100",
     .instruction = "ec120080807c",
     .registers = {{1, 0}},
     .taken = true},
    {.text = "cij %r1,0,4,.+0x100",
     .instruction = "ec140080007e",
     .registers = {{1, 0x80000000}},
     .taken = true},
    {.text = "sam64", .instruction = "010e", .taken = false},
};

TEST(GeneralBranchTest, Cases) {
  for (const BranchCase& row : kBranches) Check(row);
}

TEST(GeneralBranchTest, BranchAndLinkPacksThePswInThe24BitMode) {
  InstructionBench machine;
  machine.PutText(kTarget, kSupervisorCall);
  Register(machine, 12) = kTarget;
  Execute(machine, "4510c000", 2, Psw::Bit(22));  // bal %r1,0(%r12)
  EXPECT_EQ(machine.EndPsw().address, kTarget + 2);
  EXPECT_EQ(Register(machine, 1), 0xa2002004);
}

TEST(GeneralBranchTest, SetAddressingModeChangesThePsw) {
  InstructionBench machine;
  EXPECT_EQ(Execute(machine, "010d", 0), ProgramCode::kNone);  // sam31
  EXPECT_EQ(machine.EndPsw().mask & InstructionBench::kSupervisor, Psw::kBasicAddressing);
  EXPECT_EQ(Execute(machine, "010c", 0), ProgramCode::kNone);  // sam24
  EXPECT_EQ(machine.EndPsw().mask & InstructionBench::kSupervisor, 0u);
}

TEST(GeneralBranchTest, SetProgramMaskTakesConditionCodeAndMaskFromTheRegister) {
  InstructionBench machine;
  Register(machine, 1) = 0xff00000025000000;
  Execute(machine, "0410", 0);
  EXPECT_EQ(machine.Cc(), 2);
  EXPECT_EQ(machine.EndPsw().mask & Psw::kProgramMask, U64{5} << 40);
}

TEST(GeneralBranchTest, AddressingModeIsTested) {
  InstructionBench machine;
  EXPECT_EQ(Execute(machine, "010b", 1), ProgramCode::kNone);  // tam
  EXPECT_EQ(machine.Cc(), 3);
  EXPECT_EQ(Execute(machine, "010b", 0, Psw::kBasicAddressing), ProgramCode::kNone);
  EXPECT_EQ(machine.Cc(), 1);
  EXPECT_EQ(Execute(machine, "010b", 1, 0), ProgramCode::kNone);
  EXPECT_EQ(machine.Cc(), 0);
}

TEST(GeneralBranchTest, MonitorCallInterruptsForEnabledClassesOnly) {
  InstructionBench machine;
  EXPECT_EQ(Execute(machine, "af030123", 0), ProgramCode::kNone);  // mc 0x123,3
  machine.cpu().SetControl(8, 0x8000u >> 3);
  EXPECT_EQ(Execute(machine, "af030123", 0), ProgramCode::kMonitorEvent);
  EXPECT_EQ(machine.Get<U16>(0x94), 3);
  EXPECT_EQ(machine.Get<U64>(0xb0), 0x123u);
  EXPECT_EQ(Execute(machine, "af100123", 0), ProgramCode::kSpecification);
}

}  // namespace
}  // namespace lethe::emulated
