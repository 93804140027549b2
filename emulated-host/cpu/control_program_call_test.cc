// PROGRAM CALL, PROGRAM TRANSFER and PROGRAM RETURN.

#include <gtest/gtest.h>

#include <cstdint>

#include "emulated-host/cpu/program_machine.h"

namespace lethe::emulated {
namespace {

// Tables.
constexpr std::uint64_t kSegmentTable = 0x10000;
constexpr std::uint64_t kPageTable = 0x11000;
constexpr std::uint64_t kOtherSegmentTable = 0x14000;
constexpr std::uint64_t kPrimaryAste = 0x20000;
constexpr std::uint64_t kLinkageTable = 0x21000;
constexpr std::uint64_t kEntryTable = 0x22000;
constexpr std::uint64_t kAsnFirstTable = 0x23000;
constexpr std::uint64_t kAsnSecondTable = 0x24000;
constexpr std::uint64_t kAuthorityTable = 0x25000;
constexpr std::uint64_t kStack = 0x80000;

constexpr std::uint64_t kCalled = 0x3000;
constexpr std::uint16_t kOldAsn = 1;
constexpr std::uint16_t kNewAsn = 2;
constexpr std::uint32_t kPcNumber = 0x203;  // linkage index 2, entry index 3
constexpr std::uint64_t kEntry = kEntryTable + 3 * 32;
constexpr std::uint64_t kDat = ProgramMachine::kSupervisor | Psw::kDat;
constexpr std::uint64_t kDatProblem = kDat | Psw::kProblemState;
constexpr std::uint64_t kStacking = Psw::Bit(0);
constexpr std::uint64_t kLong = Psw::Bit(1);

class ProgramCallTest : public testing::Test {
 protected:
  ProgramCallTest() {
    for (const std::uint64_t table : {kSegmentTable, kOtherSegmentTable}) {
      for (int i = 0; i < 512; ++i) machine_.Put<std::uint64_t>(table + 8 * i, 0x20);
      machine_.Put<std::uint64_t>(table, kPageTable);
    }
    for (std::uint64_t page = 0; page < 256; ++page) {
      machine_.Put<std::uint64_t>(kPageTable + 8 * page, page * kPageSize);
    }
    cpu_.SetControl(1, kSegmentTable);
    cpu_.SetControl(3, 0x8000'0000 | kOldAsn);  // key mask: key 0
    cpu_.SetControl(4, 5 << 16 | kOldAsn);
    cpu_.SetControl(5, kPrimaryAste);
    cpu_.SetControl(7, kSegmentTable);
    cpu_.SetControl(8, 0x1111'0000);
    cpu_.SetControl(13, kSegmentTable);
    cpu_.SetControl(14, kAsnFirstTable / kPageSize | Psw::Bit(44));
    machine_.Put<std::uint32_t>(kAsnFirstTable, kAsnSecondTable);
    PutSpace(kOldAsn, kSegmentTable);
    PutSpace(kNewAsn, kOtherSegmentTable);
    machine_.Put<std::uint8_t>(kAuthorityTable + 1, 0x30);  // index 5: both
    machine_.Put<std::uint32_t>(kPrimaryAste + 24, 0x8000'0000 | kLinkageTable);
    machine_.Put<std::uint32_t>(kLinkageTable + 2 * 4, kEntryTable);
    PutEntry(kLong, 0);
    machine_.Put<std::uint64_t>(kStack, 0);
    machine_.Put<std::uint64_t>(kStack + 8, std::uint64_t{9} << 56 | std::uint64_t{1000} << 32);
    cpu_.SetControl(15, kStack + 8);
    cpu_.gr(1) = kPcNumber;
  }

  void PutSpace(std::uint16_t asn, std::uint64_t asce) {
    const std::uint64_t entry = kAsnSecondTable + asn * 64;
    machine_.Put<std::uint32_t>(entry, kAuthorityTable);
    machine_.Put<std::uint16_t>(entry + 4, 5);
    machine_.Put<std::uint64_t>(entry + 8, asce);
  }
  void PutEntry(std::uint64_t options, std::uint16_t asn) {
    machine_.Put<std::uint64_t>(kEntry, kCalled);
    machine_.Put<std::uint16_t>(kEntry + 8, 0x8000);  // callers with key 0 in their mask
    machine_.Put<std::uint16_t>(kEntry + 10, asn);
    machine_.Put<std::uint16_t>(kEntry + 12, 0x0100);  // gains key 7
    machine_.Put<std::uint64_t>(kEntry + 16, options | (kAsnSecondTable + kNewAsn * 64));
    machine_.Put<std::uint64_t>(kEntry + 24, 0x1234'5678'9abc'def0);
  }

  static constexpr const char* kCall = "b2181000";

  ProgramMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

TEST_F(ProgramCallTest, BasicCallIsUndoneByTransfer) {
  machine_.PutText(kCalled, "b228003e");  // PT 3,14
  EXPECT_EQ(machine_.Run(kCall, kDatProblem), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().address, ProgramMachine::kProgram + 6);
  EXPECT_NE(machine_.EndPsw().mask & Psw::kProblemState, 0u);
  EXPECT_EQ(cpu_.gr(4), 0x1234'5678'9abc'def0u);
  EXPECT_EQ(cpu_.Low(3), 0x8000'0000u | kOldAsn);
  EXPECT_EQ(cpu_.gr(14), (ProgramMachine::kProgram + 4) | 1);
  EXPECT_EQ(cpu_.cr(3), 0x8000'0000u | kOldAsn);
}

TEST_F(ProgramCallTest, CallGrantsKeysAndTheSupervisorState) {
  machine_.PutText(kCalled, "0a00");
  EXPECT_EQ(machine_.Run(kCall, kDatProblem), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().address, kCalled + 2);
  EXPECT_EQ(machine_.EndPsw().mask & Psw::kProblemState, 0u);
  EXPECT_EQ(cpu_.cr(3), 0x8100'0000u | kOldAsn);
}

TEST_F(ProgramCallTest, CallerNeedsAKeyOfTheEntry) {
  cpu_.SetControl(3, 0x4000'0000 | kOldAsn);
  EXPECT_EQ(machine_.Run(kCall, kDatProblem), ProgramCode::kPrivilegedOperation);
}

TEST_F(ProgramCallTest, StackingCallIntoAnotherSpaceIsUndoneByReturn) {
  PutEntry(kStacking | kLong, kNewAsn);
  machine_.PutText(kCalled, "b2260000 b22700f0 0101");  // EPAR 0, ESAR 15, PR
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().address, ProgramMachine::kProgram + 6);
  EXPECT_EQ(cpu_.Low(0), kNewAsn);
  EXPECT_EQ(cpu_.Low(15), kOldAsn);
  EXPECT_EQ(cpu_.cr(1), kSegmentTable);
  EXPECT_EQ(cpu_.cr(4) & 0xffff, kOldAsn);
  EXPECT_EQ(cpu_.cr(3), 0x8000'0000u | kOldAsn);
  EXPECT_EQ(cpu_.cr(7), kSegmentTable);
  EXPECT_EQ(cpu_.cr(15), kStack + 8);
}

TEST_F(ProgramCallTest, StackedStateNamesTheCall) {
  PutEntry(kStacking | kLong, kNewAsn);
  machine_.PutText(kCalled, "a7590002 b24a0065 0a00");  // LGHI 5,2; ESTA 6,5
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(cpu_.Low(6), std::uint32_t{kNewAsn} << 16);
  EXPECT_EQ(cpu_.Low(7), 0x8000'0000u | kPcNumber);
  EXPECT_EQ(cpu_.cr(1), kOtherSegmentTable);
  EXPECT_EQ(cpu_.cr(7), kSegmentTable);
}

TEST_F(ProgramCallTest, SwitchOfTheSpaceMayBeAnEvent) {
  PutEntry(kStacking | kLong, kNewAsn);
  PutSpace(kNewAsn, kOtherSegmentTable | 0x40);
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kSpaceSwitch);
  EXPECT_EQ(machine_.TranslationException(), kOldAsn);
  EXPECT_EQ(machine_.ProgramOldPsw(), (Psw{kDat, kCalled}));
}

TEST_F(ProgramCallTest, NumbersWithoutAnEntryAreTranslationExceptions) {
  cpu_.gr(1) = 0x20'03;  // linkage index 32: beyond the table
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kLxTranslation);
  EXPECT_EQ(machine_.TranslationException(), 0x2003u);
  cpu_.gr(1) = 0x204;  // entry index 4: beyond the table
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kExTranslation);
  machine_.Put<std::uint32_t>(kLinkageTable + 2 * 4, 0x8000'0000);
  cpu_.gr(1) = kPcNumber;
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kLxTranslation);
  machine_.Put<std::uint32_t>(kPrimaryAste + 24, kLinkageTable);
  EXPECT_EQ(machine_.Run(kCall, kDat), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run(kCall, ProgramMachine::kSupervisor), ProgramCode::kSpecialOperation);
}

TEST_F(ProgramCallTest, TransferNeverGivesTheSupervisorState) {
  cpu_.gr(2) = 0xffff'0000 | kOldAsn;
  cpu_.gr(3) = kCalled;
  machine_.PutText(kCalled, "0a00");
  EXPECT_EQ(machine_.Run("b2280023", kDatProblem), ProgramCode::kPrivilegedOperation);
  cpu_.gr(3) = kCalled | 1;
  EXPECT_EQ(machine_.Run("b2280023", kDatProblem), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().address, kCalled + 2);
}

TEST_F(ProgramCallTest, TransferIntoAnotherSpaceNeedsAuthority) {
  cpu_.gr(2) = 0xffff'0000 | kNewAsn;
  cpu_.gr(3) = kCalled;
  machine_.PutText(kCalled, "0a00");
  EXPECT_EQ(machine_.Run("b2280023", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(1), kOtherSegmentTable);
  EXPECT_EQ(cpu_.cr(7), kOtherSegmentTable);
  EXPECT_EQ(cpu_.cr(3), 0x8000'0000u | kNewAsn);
  cpu_.gr(2) = 0xffff'0000 | kOldAsn;
  cpu_.SetControl(5, kPrimaryAste);
  machine_.Put<std::uint8_t>(kAuthorityTable + 1, 0x10);  // secondary only
  EXPECT_EQ(machine_.Run("b2280023", kDat), ProgramCode::kPrimaryAuthority);
  EXPECT_EQ(machine_.TranslationException(), kOldAsn);
}

}  // namespace
}  // namespace lethe::emulated
