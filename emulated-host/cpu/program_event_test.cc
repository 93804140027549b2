// Program-event recording and the breaking-event address (Principles of Operation, "Control").
#include "emulated-host/cpu/program_event.h"

#include <gtest/gtest.h>

#include <string>

#include "emulated-host/cpu/program_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kPer = TestMachine::kSupervisor | Psw::kPer;
constexpr std::uint64_t kProgram = ProgramMachine::kProgram;
constexpr std::uint64_t kData = ProgramMachine::kData;

class PerMachine {
 public:
  // Control registers 9, 10 and 11.
  void Watch(std::uint64_t control, std::uint64_t first = 0,
             std::uint64_t last = ~std::uint64_t{0}) {
    machine.cpu().SetControl(9, control);
    machine.cpu().SetControl(10, first);
    machine.cpu().SetControl(11, last);
  }
  int RunCode(absl::string_view hex, std::uint64_t mask = kPer) {
    machine.Put<std::uint32_t>(0x96, 0);
    return static_cast<int>(machine.Run(hex, mask));
  }
  int Code() { return machine.Get<std::uint8_t>(0x96); }
  int Mode() { return machine.Get<std::uint8_t>(0x97); }
  std::uint64_t Address() { return machine.Get<std::uint64_t>(0x98); }
  int Length() { return machine.Get<std::uint16_t>(0x8c); }
  std::uint64_t BreakingEvent() { return machine.Get<std::uint64_t>(0x110); }
  std::uint64_t Old() { return machine.ProgramOldPsw().address; }
  Cpu& cpu() { return machine.cpu(); }

  ProgramMachine machine;
};

TEST(Per, FetchingIsRecordedOncePerInstructionOfTheArea) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram + 4, kProgram + 5);
  EXPECT_EQ(per.RunCode("a7190001 b9040021 a7390002"), 0x80);
  EXPECT_EQ(per.Code(), PerCode::kFetching);
  EXPECT_EQ(per.Address(), kProgram + 4);
  EXPECT_EQ(per.Old(), kProgram + 8);
  EXPECT_EQ(per.Length(), 4);
  EXPECT_EQ(per.Mode(), 0xe0);
  EXPECT_EQ(per.cpu().gr(2), 1u);  // it was executed
}

TEST(Per, OnlyTheFirstByteOfAnInstructionCounts) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram + 1, kProgram + 3);
  EXPECT_EQ(per.RunCode("a7190001"), 0);
}

TEST(Per, IsOffWithoutTheBitInThePsw) {
  PerMachine per;
  per.Watch(PerControl::kFetching | PerControl::kBranching | PerControl::kAlteration);
  EXPECT_EQ(per.RunCode("a7190001", TestMachine::kSupervisor), 0);
}

TEST(Per, AreaMayWrapAround) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram + 4, kProgram + 1);
  EXPECT_EQ(per.RunCode("1812 1813 1814"), 0x80);
  EXPECT_EQ(per.Address(), kProgram);
  per.Watch(PerControl::kFetching, kProgram + 4, kProgram - 1);
  EXPECT_EQ(per.RunCode("1812 1813 1814"), 0x80);
  EXPECT_EQ(per.Address(), kProgram + 4);
}

TEST(Per, NullificationComesBeforeTheInstruction) {
  PerMachine per;
  per.cpu().gr(1) = 7;
  per.Watch(PerControl::kFetching | PerControl::kNullification);
  EXPECT_EQ(per.RunCode("a7190001"), 0x80);
  EXPECT_EQ(per.Code(), PerCode::kFetching | PerCode::kNullification);
  EXPECT_EQ(per.Old(), kProgram);
  EXPECT_EQ(per.Length(), 4);
  EXPECT_EQ(per.cpu().gr(1), 7u);
}

TEST(Per, TargetOfExecuteIsFetchedToo) {
  PerMachine per;
  per.machine.PutText(kData, "1812");
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kFetching, kData, kData);
  EXPECT_EQ(per.RunCode("44005000"), 0x80);
  EXPECT_EQ(per.Address(), kProgram);
  EXPECT_EQ(per.Old(), kProgram + 4);
  EXPECT_EQ(per.Length(), 4);
  per.Watch(PerControl::kFetching | PerControl::kNullification, kData, kData);
  EXPECT_EQ(per.RunCode("44005000"), 0x80);
  EXPECT_EQ(per.Old(), kProgram);
}

TEST(Per, BranchesAreRecordedIfTaken) {
  PerMachine per;
  per.Watch(PerControl::kBranching);
  EXPECT_EQ(per.RunCode("a7040004"), 0);                    // brc 0
  EXPECT_EQ(per.RunCode("0700 a7f40003 0000 1812"), 0x80);  // brc 15,.+6
  EXPECT_EQ(per.Code(), PerCode::kBranching);
  EXPECT_EQ(per.Address(), kProgram + 2);
  EXPECT_EQ(per.Old(), kProgram + 8);
  EXPECT_EQ(per.BreakingEvent(), kProgram + 2);
}

TEST(Per, BranchesMayBeRecordedByTheirTargets) {
  PerMachine per;
  const std::uint64_t control = PerControl::kBranching | PerControl::kBranchAddress;
  per.Watch(control, kProgram + 6, kProgram + 6);
  EXPECT_EQ(per.RunCode("a7f40003 0000"), 0x80);
  per.Watch(control, kProgram, kProgram + 5);
  EXPECT_EQ(per.RunCode("a7f40003 0000"), 0);
}

TEST(Per, BranchToItsOwnSuccessorIsABranch) {
  PerMachine per;
  per.Watch(PerControl::kBranching);
  EXPECT_EQ(per.RunCode("a7f40002"), 0x80);
  EXPECT_EQ(per.RunCode("1812"), 0);
}

TEST(Per, LoadingThePswIsNoBranchButABreakingEvent) {
  PerMachine per;
  per.machine.Put<std::uint64_t>(kData, kPer);
  per.machine.Put<std::uint64_t>(kData + 8, kProgram + 8);
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kBranching | PerControl::kFetching, kProgram + 8, kProgram + 8);
  EXPECT_EQ(per.RunCode("b2b25000 0000 0000"), 0x80);  // lpswe, up to the supervisor call
  EXPECT_EQ(per.Code(), PerCode::kFetching);
  EXPECT_EQ(per.Address(), kProgram + 8);
  EXPECT_EQ(per.BreakingEvent(), kProgram);
}

TEST(Per, StoresAreRecordedByAddress) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kAlteration, kData + 16, kData + 23);
  EXPECT_EQ(per.RunCode("e31050080024"), 0);  // stg 8 bytes before the area
  EXPECT_EQ(per.RunCode("e31050180024"), 0);  // and behind it
  EXPECT_EQ(per.RunCode("e31050100024"), 0x80);
  EXPECT_EQ(per.Code(), PerCode::kAlteration);
  EXPECT_EQ(per.Mode(), 0xe0);
  EXPECT_EQ(per.RunCode("5010500d"), 0x80);  // its last byte
  EXPECT_EQ(per.RunCode("5010500c"), 0);
  EXPECT_EQ(per.RunCode("e31050100004"), 0);  // a fetch
  EXPECT_EQ(per.RunCode("92aa5017"), 0x80);
  EXPECT_EQ(per.RunCode("92aa5018"), 0);
  EXPECT_EQ(per.RunCode("d20f50005100"), 0);  // mvc
  EXPECT_EQ(per.RunCode("d21050005100"), 0x80);
}

TEST(Per, StoringTheSameValueIsAlteration) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kAlteration, kData, kData);
  EXPECT_EQ(per.RunCode("96005000"), 0x80);  // oi 0
}

TEST(Per, StoreUsingRealAddressHasItsOwnEvent) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kAlteration);
  EXPECT_EQ(per.RunCode("b2460015"), 0);
  per.Watch(PerControl::kAlteration | PerControl::kStoreReal, 0, 0);
  EXPECT_EQ(per.RunCode("b2460015"), 0x80);
  EXPECT_EQ(per.Code(), PerCode::kStoreReal);
  per.Watch(PerControl::kStoreReal);
  EXPECT_EQ(per.RunCode("b2460015"), 0);
}

TEST(Per, SuppressedInstructionWasFetchedAndHasNotStored) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kFetching | PerControl::kAlteration);
  EXPECT_EQ(per.RunCode("e3105004008e"), 0x86);  // stpq, odd register
  EXPECT_EQ(per.Code(), PerCode::kFetching);
  EXPECT_EQ(per.Address(), kProgram);
  EXPECT_EQ(per.RunCode("0001"), 0x81);
  // Two pages, the second one beyond storage: nothing is stored.
  per.cpu().gr(5) = ProgramMachine::kSize - 4;
  EXPECT_EQ(per.RunCode("e31050000024"), 0x85);
  EXPECT_EQ(per.Code(), PerCode::kFetching);
}

TEST(Per, CompletedInstructionHasStored) {
  PerMachine per;
  per.cpu().gr(1) = 0x7fffffff;
  per.Watch(PerControl::kFetching, kProgram, kProgram);
  EXPECT_EQ(per.RunCode("1a11", kPer | Psw::Bit(20)), 0x88);
  EXPECT_EQ(per.Old(), kProgram + 2);
}

// The specification exception comes of the PSW that it has made.
TEST(Per, InstructionThatMakesThePswInvalidHasStored) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kAlteration, kData, kData);
  EXPECT_EQ(per.RunCode("ad805000"), 0x86);  // stosm
  EXPECT_EQ(per.Code(), PerCode::kAlteration);
  EXPECT_EQ(per.Address(), kProgram);
  EXPECT_EQ(per.Old(), kProgram + 4);
  EXPECT_EQ(per.Length(), 4);
}

TEST(Per, InstructionThatWasNotFetchedIsNotRecorded) {
  PerMachine per;
  per.cpu().gr(5) = ProgramMachine::kSize;
  per.Watch(PerControl::kFetching, ProgramMachine::kSize, ProgramMachine::kSize + 16);
  EXPECT_EQ(per.RunCode("07f5"), 0x05);
  EXPECT_EQ(per.BreakingEvent(), kProgram);
}

TEST(Per, ChangesHoldFromTheNextInstructionOn) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  // lctlg 9,9: on. It is not recorded itself, what follows is.
  per.Watch(0);
  per.machine.Put<std::uint64_t>(kData, PerControl::kFetching);
  EXPECT_EQ(per.RunCode("eb995000002f 1812"), 0x80);
  EXPECT_EQ(per.Address(), kProgram + 6);
  // Off: it is recorded itself.
  per.Watch(PerControl::kFetching);
  per.machine.Put<std::uint64_t>(kData, 0);
  EXPECT_EQ(per.RunCode("eb995000002f 1812"), 0x80);
  EXPECT_EQ(per.Address(), kProgram);
  // The bit in the PSW, by STOSM.
  per.Watch(PerControl::kFetching);
  EXPECT_EQ(per.RunCode("ad405000 1812", TestMachine::kSupervisor), 0x80);
  EXPECT_EQ(per.Address(), kProgram + 4);
}

TEST(Per, SupervisorCallIsTakenFirst) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram, kProgram);
  per.machine.Put<std::uint64_t>(0x1c8, 0x900);
  EXPECT_EQ(per.RunCode("0a07"), 0x80);
  EXPECT_EQ(per.Address(), kProgram);
  EXPECT_EQ(per.Old(), 0x900u);
  EXPECT_EQ(per.Length(), 2);
  EXPECT_EQ(per.machine.EndPsw().address, kProgram + 2);
}

TEST(Per, InvalidPswIsReportedTogether) {
  PerMachine per;
  per.machine.Put<std::uint64_t>(kData, kPer | 1);
  per.machine.Put<std::uint64_t>(kData + 8, 0x1234);
  per.cpu().gr(5) = kData;
  per.Watch(PerControl::kFetching);
  EXPECT_EQ(per.RunCode("b2b25000"), 0x86);
  EXPECT_EQ(per.Old(), 0x1234u);
  EXPECT_EQ(per.Length(), 0);
  EXPECT_EQ(per.Address(), kProgram);
}

TEST(Per, InterruptibleInstructionIsInterruptedBetweenUnits) {
  PerMachine per;
  per.cpu().gr(2) = 0x10000;
  per.cpu().gr(3) = 0x4000;
  per.cpu().gr(4) = 0x20000;
  per.cpu().gr(5) = 0x4000;
  per.Watch(PerControl::kAlteration, 0x10000, 0x10000);
  EXPECT_EQ(per.RunCode("0e24"), 0x80);
  EXPECT_EQ(per.Code(), PerCode::kAlteration);
  EXPECT_EQ(per.Old(), kProgram);
  EXPECT_GT(per.cpu().gr(2), 0x10000u);
  EXPECT_EQ(per.cpu().gr(3), 0x14000 - per.cpu().gr(2));
  EXPECT_EQ(per.BreakingEvent(), 1u);
}

TEST(Per, HostCompletesTheInstructionFirst) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram, kProgram);
  per.machine.PutText(kProgram, "83000000 1812 0a00");
  Exit exit = per.machine.RunFrom(kProgram, kPer);
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  EXPECT_EQ(per.cpu().registers().psw.address, kProgram + 4);
  exit = per.cpu().Run();
  EXPECT_EQ(per.machine.Get<std::uint16_t>(0x8e), 0x80);
  EXPECT_EQ(per.Address(), kProgram);
  EXPECT_EQ(per.Old(), kProgram + 4);
}

TEST(Per, HostInterruptsTheInstruction) {
  PerMachine per;
  per.Watch(PerControl::kFetching, kProgram, kProgram);
  per.machine.PutText(kProgram, "83000000 1812 0a00");
  per.machine.RunFrom(kProgram, kPer);
  per.cpu().PresentProgram({.code = ProgramCode::kSpecification}, 4);
  EXPECT_EQ(per.machine.Get<std::uint16_t>(0x8e), 0x86);
  EXPECT_EQ(per.Old(), kProgram + 4);
}

TEST(BreakingEvent, IsTheLastBranchTaken) {
  struct Case {
    const char* hex;
    std::uint64_t expect;  // offset in the program
  };
  // Each ends in an operation exception.
  const Case cases[] = {
      {"a7f40002 0001", 0},                   // brc
      {"a7f40002 a7f40002 0001", 4},          // two
      {"a7f40002 a7040002 0001", 0},          // the second one is not taken
      {"1812 07f5", 2},                       // bcr
      {"c00000000000 c0f400000003 0001", 6},  // brcl
      {"a7150002 0001", 0},                   // bras
      {"a7160002 0001", 0},                   // brct
      {"ec1600040064 0000 0001", 1},          // cgrj, mask 0: not taken, the address stays
      {"c65000000004 0001 07f5", 0},          // exrl of bcr 15,5: that of EXRL
  };
  for (const Case& one : cases) {
    PerMachine per;
    per.machine.PutText(kData, "0001");
    per.cpu().gr(5) = kData;
    per.cpu().registers().breaking_event_address = 1;
    EXPECT_EQ(per.RunCode(one.hex, TestMachine::kSupervisor), 1) << one.hex;
    EXPECT_EQ(per.BreakingEvent(), one.expect == 1 ? 1 : kProgram + one.expect) << one.hex;
  }
}

TEST(BreakingEvent, IsTheSameWithPerOn) {
  PerMachine per;
  per.Watch(PerControl::kFetching, 0, 0);
  EXPECT_EQ(per.RunCode("a7f40002 1812 0001"), 1);
  EXPECT_EQ(per.BreakingEvent(), kProgram);
}

TEST(BreakingEvent, OutlivesItsPageAndLoops) {
  PerMachine per;
  // brctg over a page boundary and back, then straight on into the next page.
  per.machine.PutText(0x5ffa, "a7170002 1812 1813 0001");  // brctg r1,.+4; the page ends at +6
  per.cpu().gr(5) = 0x5ffa;
  per.cpu().gr(1) = 5;
  EXPECT_EQ(per.RunCode("07f5", TestMachine::kSupervisor), 1);
  EXPECT_EQ(per.BreakingEvent(), 0x5ffau);
}

constexpr DebugRequest kEveryInstruction{PerCode::kFetching, {0, ~std::uint64_t{0}}};

TEST(Debug, StepsOneInstruction) {
  PerMachine per;
  per.cpu().SetDebug(kEveryInstruction);
  per.machine.PutText(kProgram, "a7190001 a7f40003 0000 0001");
  Exit exit = per.machine.RunFrom(kProgram);
  EXPECT_EQ(exit.reason, Exit::Reason::kDebug);
  EXPECT_EQ(exit.debug.code, PerCode::kFetching);
  EXPECT_EQ(exit.debug.address, kProgram);
  EXPECT_EQ(exit.debug.next, kProgram + 4);
  EXPECT_EQ(per.cpu().Run().debug.next, kProgram + 10);
  EXPECT_EQ(per.cpu().Run().debug.next, 0x700u);  // the program-new PSW
  EXPECT_EQ(per.machine.Get<std::uint16_t>(0x8e), 1);
  // DIAG: first the host's part, then the step.
  exit = per.cpu().Run();
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  exit = per.cpu().Run();
  EXPECT_EQ(exit.reason, Exit::Reason::kDebug);
  EXPECT_EQ(exit.debug.next, 0x704u);
}

TEST(Debug, RecordsWhatIsInTheRangeOnly) {
  PerMachine per;
  per.cpu().gr(5) = kData;
  per.machine.PutText(kProgram, "a7190001 92aa5003 a7f40002 0a00");
  const auto stop = [&](std::uint8_t events, AddressRange range) {
    per.cpu().SetDebug({events, range});
    return per.machine.RunFrom(kProgram);
  };
  Exit exit = stop(PerCode::kFetching, {kProgram + 2, kProgram + 4});
  EXPECT_EQ(exit.debug.code, PerCode::kFetching);
  EXPECT_EQ(exit.debug.address, kProgram + 4);
  exit = stop(PerCode::kAlteration, {kData, kData + 7});
  EXPECT_EQ(exit.debug.code, PerCode::kAlteration);
  EXPECT_EQ(exit.debug.next, kProgram + 8);
  exit = stop(PerCode::kBranching, {kProgram + 12, kProgram + 12});
  EXPECT_EQ(exit.debug.code, PerCode::kBranching);
  EXPECT_EQ(exit.debug.address, kProgram + 8);
  EXPECT_EQ(stop(PerCode::kBranching, {kProgram + 8, kProgram + 8}).reason,
            Exit::Reason::kInstruction);
  per.cpu().SetDebug({});
  EXPECT_EQ(per.machine.RunFrom(kProgram).reason, Exit::Reason::kInstruction);
}

TEST(Debug, GuestSeesNothingOfIt) {
  PerMachine per;
  per.cpu().SetDebug(kEveryInstruction);
  per.machine.PutText(kProgram, "0001");
  per.machine.RunFrom(kProgram);
  EXPECT_EQ(per.machine.Get<std::uint16_t>(0x8e), 1);
  EXPECT_EQ(per.machine.ProgramOldPsw().mask & Psw::kPer, 0u);
}

}  // namespace
}  // namespace lethe::emulated
