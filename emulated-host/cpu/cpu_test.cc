#include "emulated-host/cpu/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {
namespace {

using Verdict = CpuHost::Verdict;

// Real locations.
constexpr std::uint64_t kProgramCodeAt = 0x8e;
constexpr std::uint64_t kProgramLengthAt = 0x8c;
constexpr std::uint64_t kProgramOldAt = 0x150;
constexpr std::uint64_t kProgramNewAt = 0x1d0;
constexpr std::uint64_t kExternalOldAt = 0x130;
constexpr std::uint64_t kExternalNewAt = 0x1b0;

class CpuTest : public ::testing::Test {
 protected:
  CpuTest() {
    machine_.WaitOnInterruptions();
    machine_.SetNewPsw(0x900, TestMachine::kDisabledWait, 0x1234);
  }

  // The program ended with LPSWE 0x900.
  void ExpectEnd(const Exit& exit) {
    EXPECT_EQ(exit.reason, Exit::Reason::kWait);
    EXPECT_EQ(machine_.cpu().registers().psw.address, 0x1234);
  }
  // It was interrupted, with the old PSW at `address`.
  void ExpectProgramInterruption(const Exit& exit, ProgramCode code, std::uint64_t address,
                                 std::uint16_t length) {
    EXPECT_EQ(exit.reason, Exit::Reason::kWait);
    EXPECT_EQ(machine_.cpu().registers().psw.address, kProgramNewAt);
    EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), static_cast<std::uint16_t>(code));
    EXPECT_EQ(machine_.Get<std::uint64_t>(kProgramOldAt + 8), address);
    EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramLengthAt), length);
  }
  std::uint64_t gr(int number) { return machine_.cpu().registers().general[number]; }
  void SetGr(int number, std::uint64_t value) {
    machine_.cpu().registers().general[number] = value;
  }

  TestMachine machine_;
};

TEST_F(CpuTest, RunsALoop) {
  machine_.Program(0x2000, {
                               "a719 000a  lghi r1,10",
                               "a729 0000  lghi r2,0",
                               "b908 0021  agr r2,r1",
                               "a717 fffe  brctg r1,0x2008",
                               "e320 0800 0024  stg r2,2048",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x800), 55);
}

// --- exits ---------------------------------------------------------------------------------------

TEST_F(CpuTest, HostInstructionLeavesWithItsTextAndThePswBehindIt) {
  machine_.Program(0x2000, {
                               "b220 0012  servc r1,r2",
                               "b2b2 0900  lpswe 2304",
                           });
  const Exit exit = machine_.RunFrom(0x2000);
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  EXPECT_EQ(exit.ipa, 0xb220);
  EXPECT_EQ(exit.ipb, 0x00120000);
  EXPECT_EQ(exit.length, 4);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x2004);
  ExpectEnd(machine_.cpu().Run());
}

TEST_F(CpuTest, ExecutedHostInstructionHasTheLengthOfExecute) {
  machine_.Program(0x2000, {
                               "c610 0000 0008  exrl r1,0x2010",
                               "b2b2 0900  lpswe 2304",
                           });
  machine_.Program(0x2010, {
                               "b220 0012  servc r1,r2",
                           });
  const Exit exit = machine_.RunFrom(0x2000);
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  EXPECT_EQ(exit.ipa, 0xb220);
  EXPECT_EQ(exit.length, 6);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x2006);
}

TEST_F(CpuTest, UnknownInstructionGoesToTheHostThatAskedForIt) {
  CpuModel model = CpuModel::Default();
  model.intercept_operation = true;
  TestMachine machine(1 << 20, 1, model);
  machine.Program(0x2000, {"0000  illegal"});
  const Exit exit = machine.RunFrom(0x2000);
  EXPECT_EQ(exit.reason, Exit::Reason::kOperation);
  EXPECT_EQ(exit.ipa, 0);
  EXPECT_EQ(machine.cpu().registers().psw.address, 0x2002);
}

TEST_F(CpuTest, InvalidProgramNewPswIsALoop) {
  machine_.SetNewPsw(kProgramNewAt, ~std::uint64_t{0}, 0);
  machine_.Program(0x2000, {"0000  illegal"});
  EXPECT_EQ(machine_.RunFrom(0x2000).reason, Exit::Reason::kProgramLoop);
}

TEST_F(CpuTest, ProgramNewPswAtTheFaultingInstructionIsALoop) {
  machine_.SetNewPsw(kProgramNewAt, TestMachine::kSupervisor, 0x2000);
  machine_.Program(0x2000, {"0000  illegal"});
  const Exit exit = machine_.RunFrom(0x2000);
  EXPECT_EQ(exit.reason, Exit::Reason::kProgramLoop);
  EXPECT_EQ(exit.program, ProgramCode::kOperation);
}

// --- interruptions -------------------------------------------------------------------------------

TEST_F(CpuTest, SupervisorCallStoresNumberAndLength) {
  machine_.Program(0x2000, {
                               "0a07  svc 7",
                           });
  EXPECT_EQ(machine_.RunFrom(0x2000, TestMachine::kProblem).reason, Exit::Reason::kWait);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x1c0);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x88), 0x0002'0007);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x140), TestMachine::kProblem);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x148), 0x2002);
}

TEST_F(CpuTest, ExecutedSupervisorCallTakesItsNumberFromTheModifier) {
  SetGr(1, 0x2b);
  machine_.Program(0x2000, {
                               "c610 0000 0008  exrl r1,0x2010",
                           });
  machine_.Program(0x2010, {
                               "0a00  svc 0",
                           });
  machine_.RunFrom(0x2000);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x88), 0x0006'002b);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x148), 0x2006);
}

TEST_F(CpuTest, OperationExceptionIsSuppressed) {
  machine_.Program(0x2000, {"b2fe 0000  illegal"});
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kOperation, 0x2004, 4);
}

TEST_F(CpuTest, PrivilegedInstructionInTheProblemState) {
  machine_.Program(0x2000, {
                               "eb00 0800 002f  lctlg c0,c0,2048",
                           });
  ExpectProgramInterruption(machine_.RunFrom(0x2000, TestMachine::kProblem),
                            ProgramCode::kPrivilegedOperation, 0x2006, 6);
}

TEST_F(CpuTest, OddInstructionAddressIsASpecificationException) {
  SetGr(1, 0x2101);
  machine_.Program(0x2000, {
                               "07f1  br r1",
                           });
  machine_.RunFrom(0x2000);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 6);
}

TEST_F(CpuTest, InvalidPswInterruptsEarlyWithLengthZero) {
  machine_.SetNewPsw(0x910, TestMachine::kSupervisor | 1, 0x5000);
  machine_.Program(0x2000, {
                               "b2b2 0910  lpswe 2320",
                           });
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kSpecification, 0x5000, 0);
}

TEST_F(CpuTest, AccessBeyondStorageIsAnAddressingException) {
  SetGr(2, 1 << 30);
  machine_.Program(0x2000, {
                               "e310 2000 0004  lg r1,0(r2)",
                           });
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kAddressing, 0x2006, 6);
}

TEST_F(CpuTest, HostPresentsInterruptionsWhenThePswIsEnabled) {
  int asked = 0;
  machine_.on_attention = [&](Cpu& cpu) {
    ++asked;
    cpu.SetInterruptionPending(false);
    cpu.PresentExternal(0x1201, 5, 0x1111'2222, 0);
    return Verdict::kContinue;
  };
  machine_.cpu().SetInterruptionPending(true);
  machine_.Program(0x2000, {
                               "a719 0001  lghi r1,1",
                               "ad01 0800  stosm 2048,1",
                               "a719 0002  lghi r1,2",
                           });
  machine_.RunFrom(0x2000);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(gr(1), 1);
  EXPECT_EQ(machine_.cpu().registers().psw.address, kExternalNewAt);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kExternalOldAt + 8), 0x2008);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x80), 0x1111'2222);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x84), 0x0005'1201);
}

TEST_F(CpuTest, MachineCheckSavesTheStatus) {
  SetGr(3, 0x1122'3344'5566'7788);
  machine_.cpu().SetPsw({TestMachine::kSupervisor, 0x4444});
  machine_.cpu().PresentMachineCheck(0xfeed, 0xbeef, 7);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x1e0);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0xe8), 0xfeed);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0xf4), 7);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0xf8), 0xbeef);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x1280 + 3 * 8), 0x1122'3344'5566'7788);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x1308), 0x4444);
}

TEST_F(CpuTest, InterruptionsUseThePrefixArea) {
  machine_.cpu().SetPrefix(0x10000);
  machine_.SetNewPsw(0x10000 + kProgramNewAt, TestMachine::kDisabledWait, 0x77);
  machine_.Program(0x2000, {"0000  illegal"});
  machine_.RunFrom(0x2000);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x77);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x10000 + kProgramCodeAt), 1);
}

// --- EXECUTE -------------------------------------------------------------------------------------

TEST_F(CpuTest, ExecuteModifiesTheSecondByteOfItsTarget) {
  SetGr(1, 0x1203);  // four bytes
  machine_.Set<std::uint64_t>(0x800, 0x1122'3344'5566'7788);
  machine_.Program(0x2000, {
                               "a729 2100  lghi r2,8448",
                               "4410 2000  ex r1,0(r2)",
                               "4410 2000  ex r1,0(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  machine_.Program(0x2100, {
                               "d200 0810 0800  mvc 2064(1,r0),2048",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x810), 0x1122'3344'0000'0000);
  EXPECT_EQ(machine_.Get<std::uint8_t>(0x2101), 0);
}

TEST_F(CpuTest, ExecutedRelativeBranchIsRelativeToTheTarget) {
  machine_.Program(0x2000, {
                               "c600 0000 0080  exrl r0,0x2100",
                           });
  machine_.Program(0x2100, {
                               "a7f4 0008  j 0x2110",
                           });
  machine_.Program(0x2110, {
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
}

TEST_F(CpuTest, ExecutedCallReturnsBehindExecute) {
  machine_.Program(0x2000, {
                               "c600 0000 0080  exrl r0,0x2100",
                               "b2b2 0900  lpswe 2304",
                           });
  machine_.Program(0x2100, {
                               "a7e5 0008  bras r14,0x2110",
                           });
  machine_.Program(0x2110, {
                               "07fe  br r14",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(14), 0x2006);
}

TEST_F(CpuTest, ExecuteOfExecuteIsAnExecuteException) {
  machine_.Program(0x2000, {
                               "c600 0000 0000  exrl r0,0x2000",
                           });
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kExecute, 0x2006, 6);
}

TEST_F(CpuTest, ExceptionOfATargetHasTheLengthOfExecute) {
  SetGr(2, 1 << 30);
  machine_.Program(0x2000, {
                               "c600 0000 0080  exrl r0,0x2100",
                           });
  machine_.Program(0x2100, {
                               "1811  lr r1,r1",
                           });
  machine_.Program(0x2100, {"5810 2000  l r1,0(r2)"});
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kAddressing, 0x2006, 6);
}

// --- pages ---------------------------------------------------------------------------------------

TEST_F(CpuTest, InstructionsAndOperandsMayCrossPages) {
  machine_.Set<std::uint64_t>(0x3ffc, 0x0102'0304'0506'0708);
  SetGr(2, 0x4000);
  machine_.Program(0x2ffa, {
                               "a739 0001  lghi r3,1",
                               "e310 2ffc ff04  lg r1,-4(r2)",
                               "e310 2ffd ff24  stg r1,-3(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2ffa));
  EXPECT_EQ(gr(1), 0x0102'0304'0506'0708);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x3ffd), 0x0102'0304'0506'0708);
}

TEST_F(CpuTest, BranchIntoTheMiddleOfAnInstruction) {
  // The immediate of LGHI is "br 14" as an instruction of its own.
  SetGr(1, 0x2006);
  SetGr(14, 0x2010);
  machine_.Program(0x2000, {
                               "0700  nopr",
                               "0700  nopr",
                               "a739 07fe  lghi r3,2046",
                               "07f1  br r1",
                               "0707  nopr r7",
                           });
  machine_.Program(0x2010, {
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(3), 0x7fe);
}

// --- code that changes ---------------------------------------------------------------------------

TEST_F(CpuTest, StoreIntoTheNextInstructionTakesEffectAtOnce) {
  machine_.Program(0x2000, {
                               "a749 2000  lghi r4,8192",
                               "922a 400b  mvi 11(r4),42",
                               "a719 0001  lghi r1,1",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(1), 0x2a);
}

TEST_F(CpuTest, MoveOverCodeTakesEffectAtOnce) {
  machine_.Program(0x2100, {
                               "a719 002a  lghi r1,42",
                           });
  machine_.Program(0x2000, {
                               "a749 2000  lghi r4,8192",
                               "d203 400a 4100  mvc 10(4,r4),256(r4)",
                               "a719 0001  lghi r1,1",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(1), 42);
}

TEST_F(CpuTest, LoopThatPatchesItselfManyTimes) {
  // The immediate of AHI counts up: 1 + 2 + ... + 100.
  machine_.Program(0x2000, {
                               "a749 2000  lghi r4,8192",
                               "a759 0064  lghi r5,100",
                               "a719 0000  lghi r1,0",
                               "a769 0001  lghi r6,1",
                               "4060 4016  sth r6,22(r4)",
                               "a71b 0000  aghi r1,0",
                               "a76b 0001  aghi r6,1",
                               "a757 fffa  brctg r5,0x2010",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(1), 5050);
}

TEST_F(CpuTest, DataBesideCodeLeavesTheCodeAlone) {
  machine_.Program(0x2000, {
                               "a749 2000  lghi r4,8192",
                               "a759 03e8  lghi r5,1000",
                               "e350 4800 0024  stg r5,2048(r4)",
                               "e360 4800 0004  lg r6,2048(r4)",
                               "b908 0076  agr r7,r6",
                               "a757 fff8  brctg r5,0x2008",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(7), 500'500);
}

TEST_F(CpuTest, DeviceStoresIntoCodeAreSeenInTheNextRun) {
  machine_.Program(0x2000, {
                               "a719 0001  lghi r1,1",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(1), 1);
  machine_.Program(0x2000, {
                               "a719 0002  lghi r1,2",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(gr(1), 2);
}

// --- addressing modes ----------------------------------------------------------------------------

TEST_F(CpuTest, AddressesWrapInTheAddressingMode) {
  machine_.Set<std::uint32_t>(0x800, 0xcafe);
  SetGr(2, 0xffff'ffff'8000'0000);
  machine_.Program(0x2000, {
                               "5810 2800  l r1,2048(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000, Psw::kBasicAddressing));
  EXPECT_EQ(gr(1), 0xcafe);
  SetGr(2, 0x0100'0000);
  ExpectEnd(machine_.RunFrom(0x2000, 0));
  EXPECT_EQ(gr(1), 0xcafe);
}

// --- protection ----------------------------------------------------------------------------------

TEST_F(CpuTest, StoreNeedsTheKeyOrKeyZero) {
  machine_.key(0x4000) = 0x30;
  SetGr(2, 0x4000);
  machine_.Program(0x2000, {
                               "e310 2000 0004  lg r1,0(r2)",
                               "e310 2000 0024  stg r1,0(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  const auto with_key = [](std::uint64_t key) { return TestMachine::kSupervisor | key << 52; };
  machine_.key(0) = 0;
  ExpectEnd(machine_.RunFrom(0x2000, with_key(0)));
  ExpectEnd(machine_.RunFrom(0x2000, with_key(3)));
  ExpectProgramInterruption(machine_.RunFrom(0x2000, with_key(5)), ProgramCode::kProtection, 0x200c,
                            6);
}

TEST_F(CpuTest, FetchProtectedPageNeedsTheKey) {
  machine_.key(0x4000) = 0x38;
  SetGr(2, 0x4000);
  machine_.Program(0x2000, {
                               "e310 2000 0004  lg r1,0(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectProgramInterruption(
      machine_.RunFrom(0x2000, TestMachine::kSupervisor | std::uint64_t{5} << 52),
      ProgramCode::kProtection, 0x2006, 6);
}

TEST_F(CpuTest, AccessesSetReferenceAndChange) {
  SetGr(2, 0x4000);
  machine_.Program(0x2000, {
                               "e310 2000 0004  lg r1,0(r2)",
                               "e310 2100 0024  stg r1,256(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  machine_.key(0x5000) = 0;
  machine_.RunFrom(0x2000);
  EXPECT_EQ(machine_.key(0x4000), 0x06 | kLoggedStore);
  EXPECT_EQ(machine_.key(0x5000), 0x00);
}

TEST_F(CpuTest, LowAddressProtectionCoversTheFirst512BytesOnly) {
  machine_.cpu().SetControl(0, Psw::Bit(35));
  machine_.Program(0x2000, {
                               "e310 0200 0024  stg r1,512",
                               "e310 0a00 0024  stg r1,2560",
                               "e310 01f8 0024  stg r1,504",
                           });
  ExpectProgramInterruption(machine_.RunFrom(0x2000), ProgramCode::kProtection, 0x2012, 6);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0xa8) & 0x84, 0x80);
}

// --- page ownership ------------------------------------------------------------------------------

TEST_F(CpuTest, HostResolvesAPageThatDoesNotAdmitTheCpu) {
  const PageState mine(PageKind::kSecure, 7, false);
  for (std::uint64_t page = 0; page < 0x8000; page += kPageSize) machine_.state(page) = mine.word();
  machine_.state(0x4000) = PageState().word();
  machine_.cpu().SetConfiguration(7);
  int faults = 0;
  machine_.on_secure_fault = [&](Cpu& cpu, std::uint64_t absolute, SecureFault fault) {
    ++faults;
    EXPECT_EQ(absolute & kPageMask, 0x4000);
    EXPECT_EQ(fault, SecureFault::kNonSecureStorageAccess);
    EXPECT_EQ(cpu.registers().psw.address, 0x2000);
    machine_.group().PurgeAll();
    machine_.state(0x4000) = mine.word();
    return Verdict::kContinue;
  };
  SetGr(2, 0x4000);
  machine_.Program(0x2000, {
                               "e310 2000 0004  lg r1,0(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  ExpectEnd(machine_.RunFrom(0x2000));
  EXPECT_EQ(faults, 1);
}

TEST_F(CpuTest, HostLeavesWithThePswAtTheInstruction) {
  machine_.state(0x4000) = PageState(PageKind::kSecure, 7, false).word();
  machine_.on_secure_fault = [](Cpu&, std::uint64_t, SecureFault fault) {
    EXPECT_EQ(fault, SecureFault::kSecureStorageAccess);
    return Verdict::kLeave;
  };
  SetGr(2, 0x4000);
  machine_.Program(0x2000, {
                               "a719 0001  lghi r1,1",
                               "e310 2000 0004  lg r1,0(r2)",
                           });
  EXPECT_EQ(machine_.RunFrom(0x2000).reason, Exit::Reason::kHost);
  EXPECT_EQ(machine_.cpu().registers().psw.address, 0x2004);
}

// --- timers --------------------------------------------------------------------------------------

TEST_F(CpuTest, ClockComparatorInterruptsALoop) {
  machine_.on_attention = [](Cpu& cpu) {
    cpu.PresentTimers();
    return Verdict::kContinue;
  };
  machine_.cpu().SetControl(0, Psw::Bit(52));
  machine_.cpu().SetClockComparator(machine_.cpu().Tod() + 4096 * 2000);
  machine_.Program(0x2000, {
                               "a7f4 0000  j 0x2000",
                           });
  machine_.RunFrom(0x2000, TestMachine::kSupervisor | Psw::kExternal);
  EXPECT_EQ(machine_.cpu().registers().psw.address, kExternalNewAt);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x86), 0x1004);
  EXPECT_GT(machine_.cpu().Tod(), machine_.cpu().registers().clock_comparator);
}

TEST_F(CpuTest, CpuTimerInterruptsALoopAndStandsStillOutside) {
  machine_.on_attention = [](Cpu& cpu) {
    cpu.PresentTimers();
    return Verdict::kContinue;
  };
  machine_.cpu().SetControl(0, Psw::Bit(53));
  machine_.cpu().SetCpuTimer(4096 * 2000);
  EXPECT_EQ(machine_.cpu().cpu_timer(), 4096 * 2000);
  machine_.Program(0x2000, {
                               "a7f4 0000  j 0x2000",
                           });
  machine_.RunFrom(0x2000, TestMachine::kSupervisor | Psw::kExternal);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x86), 0x1005);
  const std::int64_t after = machine_.cpu().cpu_timer();
  EXPECT_LT(after, 0);
  EXPECT_EQ(machine_.cpu().cpu_timer(), after);
}

TEST_F(CpuTest, MaskedTimerInterruptsWhenItIsEnabled) {
  machine_.on_attention = [](Cpu& cpu) {
    cpu.PresentTimers();
    return Verdict::kContinue;
  };
  machine_.cpu().SetControl(0, Psw::Bit(52));
  machine_.cpu().SetClockComparator(0);
  machine_.Program(0x2000, {
                               "a719 0001  lghi r1,1",
                               "ad01 0800  stosm 2048,1",
                               "a7f4 0000  j 0x2008",
                           });
  machine_.RunFrom(0x2000);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kExternalOldAt + 8), 0x2008);
}

TEST_F(CpuTest, DeadlineOfAWaitIsTheClockComparator) {
  Cpu& cpu = machine_.cpu();
  cpu.SetControl(0, Psw::Bit(52));
  cpu.SetClockComparator(~std::uint64_t{0} - 1);
  EXPECT_EQ(cpu.NextTimerDeadline(), ~std::uint64_t{0});
  cpu.SetPsw({TestMachine::kDisabledWait | Psw::kExternal, 0});
  EXPECT_EQ(cpu.NextTimerDeadline(), ~std::uint64_t{0});
  cpu.SetClockComparator(cpu.Tod() + (std::uint64_t{1} << 40));
  EXPECT_EQ(cpu.NextTimerDeadline(), cpu.registers().clock_comparator + 1);
  cpu.SetClockComparator(0);
  EXPECT_EQ(cpu.NextTimerDeadline(), 0);
}

TEST_F(CpuTest, AHeldClockComparatorLeavesTheCpuTimer) {
  Cpu& cpu = machine_.cpu();
  cpu.SetControl(0, Psw::Bit(52) | Psw::Bit(53));
  cpu.SetPsw({TestMachine::kDisabledWait | Psw::kExternal, 0});
  cpu.SetClockComparator(0);
  cpu.SetCpuTimer(1);
  cpu.SetDebug({.holds_clock_comparator = true});
  EXPECT_FALSE(cpu.PresentTimers());
  EXPECT_NE(cpu.NextTimerDeadline(), 0);
  cpu.SetCpuTimer(-1);
  EXPECT_EQ(cpu.NextTimerDeadline(), 0);
  EXPECT_TRUE(cpu.PresentTimers());
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x86), 0x1005);
}

// --- several CPUs --------------------------------------------------------------------------------

TEST(CpuGroupTest, CpusThatPurgeAtTheSameTimeServeEachOther) {
  TestMachine machine(1 << 20, 2);
  machine.SetNewPsw(0x900, TestMachine::kDisabledWait, 0x1234);
  machine.Program(0x2000, {
                              "a719 07d0  lghi r1,2000",
                              "b20d 0000  ptlb",
                              "a717 fffe  brctg r1,0x2004",
                              "b2b2 0900  lpswe 2304",
                          });
  machine.Program(0x5000, {
                              "a719 07d0  lghi r1,2000",
                              "b20d 0000  ptlb",
                              "a717 fffe  brctg r1,0x5004",
                              "b2b2 0900  lpswe 2304",
                          });
  std::thread other([&] { machine.RunFrom(0x5000, TestMachine::kSupervisor, 1); });
  for (int i = 0; i < 1000; ++i) machine.group().PurgeAll();
  machine.RunFrom(0x2000);
  other.join();
  EXPECT_EQ(machine.cpu(0).registers().psw.address, 0x1234);
  EXPECT_EQ(machine.cpu(1).registers().psw.address, 0x1234);
}

TEST(CpuGroupTest, PageIsOutOfReachWhenThePurgeReturns) {
  TestMachine machine(1 << 20, 1);
  machine.SetNewPsw(0x900, TestMachine::kDisabledWait, 0x1234);
  machine.on_secure_fault = [&](Cpu&, std::uint64_t, SecureFault) { return Verdict::kLeave; };
  machine.cpu().registers().general[2] = 0x4000;
  machine.Program(0x2000, {
                              "e310 2000 0004  lg r1,0(r2)",
                              "a71b 0001  aghi r1,1",
                              "e310 2000 0024  stg r1,0(r2)",
                              "a7f4 fff8  j 0x2000",
                          });
  std::thread other([&] {
    const Exit exit = machine.RunFrom(0x2000);
    EXPECT_EQ(exit.reason, Exit::Reason::kHost);
  });
  while (__atomic_load_n(machine.bytes(0x4000 + 7), __ATOMIC_RELAXED) < 100) {
  }
  machine.state(0x4000) = PageState(PageKind::kSecure, 7, false).word();
  machine.group().PurgePage(0x4000);
  const auto after = machine.Get<std::uint64_t>(0x4000);
  other.join();
  EXPECT_EQ(machine.Get<std::uint64_t>(0x4000), after);
}

TEST(CpuGroupTest, CodePatchedByAnotherCpuTakesEffect) {
  TestMachine machine(1 << 20, 2);
  machine.SetNewPsw(0x900, TestMachine::kDisabledWait, 0x1234);
  // CPU 1 counts at 0x4000 and loops until its branch becomes a NOP.
  machine.Program(0x5000, {
                              "e310 07f8 0004  lg r1,2040",
                              "a71b 0001  aghi r1,1",
                              "e310 07f8 0024  stg r1,2040",
                              "a7f4 fff8  j 0x5000",
                              "b2b2 0900  lpswe 2304",
                          });
  machine.Program(0x2000, {
                              "e310 07f8 0004  lg r1,2040",
                              "a71f 03e8  cghi r1,1000",
                              "a744 fffb  jl 0x2000",
                              "a729 5000  lghi r2,20480",
                              "9204 2011  mvi 17(r2),4",
                              "b2b2 0900  lpswe 2304",
                          });
  std::thread other([&] { machine.RunFrom(0x5000, TestMachine::kSupervisor, 1); });
  machine.RunFrom(0x2000);
  other.join();
  EXPECT_EQ(machine.cpu(1).registers().psw.address, 0x1234);
}

}  // namespace
}  // namespace lethe::emulated
