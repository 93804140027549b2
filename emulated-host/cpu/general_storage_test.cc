#include <string>

#include "absl/strings/string_view.h"
#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

const Case kStorageToStorage[] = {
    {.text = "mvc 1(7,%r14),0(%r14)",
     .instruction = "d206e001e000",
     .storage = "aa00000000000000",
     .expect_storage = "aaaaaaaaaaaaaaaa"},
    {.text = "mvc 2(6,%r14),0(%r14)",
     .instruction = "d205e002e000",
     .storage = "aabb000000000000",
     .expect_storage = "aabbaabbaabbaabb"},
    {.text = "mvc 0(7,%r14),1(%r14)",
     .instruction = "d206e000e001",
     .storage = "0011223344556677",
     .expect_storage = "1122334455667777"},
    {.text = "mvn 0(2,%r14),2(%r14)",
     .instruction = "d101e000e002",
     .storage = "12345678",
     .expect_storage = "16385678"},
    {.text = "mvz 0(2,%r14),2(%r14)",
     .instruction = "d301e000e002",
     .storage = "12345678",
     .expect_storage = "52745678"},
    {.text = "mvcin 0(4,%r14),7(%r14)",
     .instruction = "e803e000e007",
     .storage = "0000000011223344",
     .expect_storage = "4433221111223344"},
    {.text = "mvo 0(3,%r14),4(2,%r14)",
     .instruction = "f121e000e004",
     .storage = "00000c001234",
     .expect_storage = "01234c001234"},
    {.text = "xc 0(8,%r14),0(%r14)",
     .instruction = "d707e000e000",
     .storage = "1122334455667788",
     .expect_storage = "0000000000000000"},
    {.text = "nc 0(2,%r14),2(%r14)",
     .instruction = "d401e000e002",
     .storage = "ff0f0ff0",
     .expect_cc = 1,
     .expect_storage = "0f000ff0"},
    {.text = "oc 1(3,%r14),0(%r14)",
     .instruction = "d602e001e000",
     .storage = "01020408",
     .expect_cc = 1,
     .expect_storage = "0103070f"},
    {.text = "clc 0(3,%r14),4(%r14)",
     .instruction = "d502e000e004",
     .storage = "1122ff0011230000",
     .expect_cc = 1},
};

TEST(GeneralStorageTest, Cases) {
  for (const Case& row : kStorageToStorage) Check(row);
}

// The operand goes on behind the end of storage; nothing may be stored before that is noticed.
TEST(GeneralStorageTest, StorageInstructionsStoreNothingIfAnOperandIsNotThere) {
  constexpr U64 kEdge = InstructionBench::kSize - 16;
  for (const absl::string_view instruction : {"d21fe0001000",     // mvc 0(32,%r14),0(%r1)
                                              "d21f1000e000",     // mvc 0(32,%r1),0(%r14)
                                              "d71f1000e000",     // xc 0(32,%r1),0(%r14)
                                              "dc1f1000e000",     // tr 0(32,%r1),0(%r14)
                                              "f3f71009e000",     // unpk 9(16,%r1),0(8,%r14)
                                              "eb0310000024"}) {  // stmg %r0,%r3,0(%r1)
    SCOPED_TRACE(instruction);
    InstructionBench machine;
    Register(machine, 1) = kEdge;
    Register(machine, 14) = kOperand;
    Put(machine, kEdge, std::string(16, 'x'));
    Put(machine, kOperand, std::string(32, 'o'));
    EXPECT_EQ(Execute(machine, instruction, 0), ProgramCode::kAddressing);
    EXPECT_EQ(Get(machine, kEdge, 16), std::string(16, 'x'));
    EXPECT_EQ(Get(machine, kOperand, 32), std::string(32, 'o'));
  }
}

TEST(GeneralStorageTest, MoveCharactersPropagatesAcrossAPageBoundary) {
  InstructionBench machine;
  Register(machine, 14) = 0x4f80;
  Put(machine, 0x4f80, "z");
  EXPECT_EQ(Execute(machine, "d2ffe001e000", 0), ProgramCode::kNone);  // mvc 1(256,%r14),0(%r14)
  EXPECT_EQ(Get(machine, 0x4f80, 257), std::string(257, 'z'));
  EXPECT_EQ(Get(machine, 0x4f80 + 257, 1), std::string(1, '\0'));
}

}  // namespace
}  // namespace lethe::emulated
