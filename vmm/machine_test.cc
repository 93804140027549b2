#include "vmm/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/status_matchers.h"
#include "image/ipl_parameters.h"
#include "vmm/boot_fixture.h"
#include "vmm/test_machine.h"

namespace lethe::vmm {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Matches;

MATCHER_P(Ends, kind, "") { return arg.ok() && arg->kind == kind; }

class MachineTest : public ::testing::Test {
 protected:
  MachineTest() {
    machine.config.boot.kernel = files.Write("kernel", BootFiles::LinuxImage());
    machine.config.memory_size = 64 << 20;
  }
  void PowerOffNext(unsigned cpu = 0) { machine.Do(cpu, PowerOffBy); }

  BootFiles files;
  TestMachine machine;
};

TEST_F(MachineTest, StartsTheFirstCpuAtTheKernelAndPowersOffWhenItStops) {
  kvm::Psw psw;
  machine.Do(0, [&](abi::kvm_run& run) {
    psw = {run.psw_mask, run.psw_addr};
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_EQ(psw, (kvm::Psw{0x180000000, 0x10000}));
  EXPECT_THAT(machine.events(),
              ElementsAre("memory", "first-instruction", "power-off", "stopped", "decision"));
  EXPECT_EQ(machine.kernel.open_descriptors(), 0);
}

TEST_F(MachineTest, CrashesInADisabledWaitWithItsPsw) {
  machine.Do(0, [](abi::kvm_run& run) {
    run.psw_mask = 0x0002000180000000;
    run.psw_addr = 0xdead;
    LeaveWithIntercept(run, abi::ICPT_WAIT);
  });
  const auto outcome = machine.Run();
  ASSERT_THAT(outcome, Ends(Outcome::Kind::kCrashed));
  EXPECT_EQ(outcome->psw, (kvm::Psw{0x0002000180000000, 0xdead}));
  EXPECT_EQ(outcome->reason, "disabled wait");
}

TEST_F(MachineTest, TakesTheQuiescedWaitForAPowerOff) {
  machine.Do(0, [](abi::kvm_run& run) {
    run.psw_addr = 0xfff;
    LeaveWithIntercept(run, abi::ICPT_WAIT);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(MachineTest, LivesOnWhileAnotherCpuOperates) {
  machine.config.cpus = 2;
  machine.Do(0, [](abi::kvm_run& run) {
    run.s.regs.gprs[3] = 1;
    LeaveWithSignal(run, 1, 3, 6);  // restart
  });
  PowerOffNext(0);
  machine.Do(1, [&](abi::kvm_run& run) {
    while (machine.kernel.Trace().back() != "cpu 0 stopped") std::this_thread::yield();
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_TRUE(machine.Injected(abi::KVM_S390_RESTART));
}

TEST_F(MachineTest, FailsWhenACpuCannotRun) {
  machine.kernel.on_run = [](unsigned, abi::kvm_run&) { return -EFAULT; };
  EXPECT_THAT(machine.Run(), FailsWith(AllOf(HasSubstr("CPU 0"), HasSubstr("KVM_RUN"))));
}

TEST_F(MachineTest, FailsOnAnInterceptThatItDoesNotKnow) {
  machine.Do(0, [](abi::kvm_run& run) { LeaveWithIntercept(run, 0x38, 0xe503, 0); });
  EXPECT_THAT(machine.Run(), FailsWith(AllOf(HasSubstr("0x38"), HasSubstr("e503"))));
}

TEST_F(MachineTest, RefusesMoreCpusThanTheHostHas) {
  machine.kernel.capabilities[abi::KVM_CAP_MAX_VCPUS] = 2;
  machine.config.cpus = 3;
  EXPECT_THAT(machine.Run(), FailsWith(HasSubstr("at most 2")));
}

TEST_F(MachineTest, EndsOnRequestFromOutside) {
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.machine->End(Cause::kSignal);
    LeaveWithInstruction(run, 0xb23a);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kEnded));
}

TEST_F(MachineTest, GivesUnknownInstructionsAnOperationException) {
  machine.Do(0, [](abi::kvm_run& run) { LeaveWithInstruction(run, 0xb9a4); });
  machine.Do(0, [](abi::kvm_run& run) { LeaveWithInstruction(run, 0xe3d0); });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(1, 1));
}

TEST_F(MachineTest, AnswersProbesOfUnknownDiagnosesWithASpecificationException) {
  for (const std::uint16_t code : {0x204, 0x260, 0x288, 0x2c4, 0x318, 0x501})
    machine.Do(0, [code](abi::kvm_run& run) { LeaveWithDiagnose(run, 0, 0, code); });
  machine.Do(0, [](abi::kvm_run& run) { LeaveWithDiagnose(run, 0, 0, 0x44); });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6, 6, 6, 6, 6));
}

// --- SERVC

class ServiceCallTest : public MachineTest {
 protected:
  static void Call(abi::kvm_run& run, std::uint32_t command, std::uint64_t sccb) {
    run.s.regs.gprs[1] = command;
    run.s.regs.gprs[2] = sccb;
    LeaveWithInstruction(run, 0xb220, 0x00120000);
  }
};

TEST_F(ServiceCallTest, ReadsInformationAndSignals) {
  machine.config.cpus = 2;
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0x5000, Be16(4096));
    Call(run, 0x00020001, 0x5000);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(ConditionCode(run), 0u);
    EXPECT_EQ(machine.Load<Be16>(0x5006), 0x0010);
    EXPECT_EQ(machine.Load<Be16>(0x5008), 64);
    EXPECT_EQ(machine.Load<Be16>(0x5010), 2);
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.service_signals(), ElementsAre(0x5000));
}

TEST_F(ServiceCallTest, ChecksTheControlBlocksAddress) {
  machine.Do(0, [&](abi::kvm_run& run) { Call(run, 0x00020001, 0x5004); });
  machine.Do(0, [&](abi::kvm_run& run) { Call(run, 0x00020001, 0x1000); });
  machine.Do(0, [&](abi::kvm_run& run) { Call(run, 0x00020001, 64 << 20); });
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0x5000, Be16(7));
    Call(run, 0x00020001, 0x5000);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    run.psw_mask |= 0x0001000000000000;
    Call(run, 0x00020001, 0x5000);
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6, 5, 6, 2));
  EXPECT_THAT(machine.service_signals(), IsEmpty());
}

TEST_F(ServiceCallTest, RefusesBlocksThatCrossAPage) {
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0x5ff8, Be16(16));
    Call(run, 0x00020001, 0x5ff8);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(machine.Load<Be16>(0x5ffe), 0x0100);
    machine.Store(0x5ff8, Be16(16));
    Call(run, 0x00040001, 0x5ff8);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(machine.Load<Be16>(0x5ffe), 0x01f0);
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(ServiceCallTest, ReportsTheFirstOutputOnce) {
  for (int i = 0; i < 2; ++i)
    machine.Do(0, [&](abi::kvm_run& run) {
      machine.Store(0x5000, Be16(8 + 6 + 1));
      machine.Store(0x5008, Be16(7));
      machine.Store(0x500a, std::uint8_t{0x1a});
      machine.Store(0x500e, 'x');
      Call(run, 0x00760005, 0x5000);
    });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.events(), ElementsAre("memory", "first-instruction", "first-output",
                                            "power-off", "stopped", "decision"));
}

// --- SIGP

class SigpTest : public MachineTest {
 protected:
  SigpTest() { machine.config.cpus = 2; }
  // Sends an order to CPU 1, then checks the answer.
  void Send(std::uint8_t order, std::uint64_t parameter, unsigned condition_code,
            std::uint32_t status = 0, std::uint64_t target = 1) {
    machine.Do(0, [=](abi::kvm_run& run) {
      run.s.regs.gprs[3] = target;
      run.s.regs.gprs[4] = 0xaaaaaaaa00000000;
      run.s.regs.gprs[5] = parameter;
      LeaveWithSignal(run, 4, 3, order);
    });
    machine.Do(0, [=](abi::kvm_run& run) {
      EXPECT_EQ(ConditionCode(run), condition_code) << "order " << int{order};
      EXPECT_EQ(run.s.regs.gprs[4], 0xaaaaaaaa00000000 | status) << "order " << int{order};
      LeaveWithInstruction(run, 0xb23a);
    });
  }
};

TEST_F(SigpTest, SetsPrefixOfAStoppedCpuAndRestartsIt) {
  std::uint64_t prefix = 0;
  Send(13, 0x8000, 0);
  machine.Do(1, [&](abi::kvm_run& run) {
    prefix = run.s.regs.prefix;
    EXPECT_TRUE(run.kvm_dirty_regs & abi::KVM_SYNC_PREFIX);
    PowerOffBy(run);
  });
  Send(6, 0, 0);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_EQ(prefix, 0x8000u);
}

TEST_F(SigpTest, RefusesWhatTheOrdersRefuse) {
  Send(13, 64 << 20, 1, 0x100);              // prefix outside of storage
  Send(14, 64 << 20, 1, 0x100);              // status area outside of storage
  Send(23, 0, 1, 0x2);                       // unknown order
  Send(5, 0, 3, 0, /*target=*/7);            // no such CPU
  Send(18, 1, 1, 0x100);                     // already in z/Architecture mode
  Send(13, 0x8000, 1, 0x200, /*target=*/0);  // not stopped
  Send(14, 0x8000, 1, 0x200, /*target=*/0);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(SigpTest, StoresTheStatusOfAStoppedCpu) {
  machine.Do(1, [&](abi::kvm_run& run) {
    run.s.regs.gprs[7] = 0x7777;
    run.s.regs.prefix = 0x4000;
    run.s.regs.ckc = 0x123456789abcde00;
    run.psw_addr = 0xabc;
    LeaveWithIntercept(run, abi::ICPT_STOP);
  });
  Send(4, 0, 0);
  // The order is refused until CPU 1 has stopped.
  machine.Do(0, [&](abi::kvm_run& run) {
    while (machine.kernel.Trace().back() != "cpu 1 stopped") std::this_thread::yield();
    LeaveWithInstruction(run, 0xb23a);
  });
  Send(14, 0x6000, 0);
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(machine.Load<Be64>(0x6080 + 7 * 8), 0x7777u);
    EXPECT_EQ(machine.Load<Be64>(0x6108), 0xabcu);
    EXPECT_EQ(machine.Load<Be32>(0x6118), 0x4000u);
    EXPECT_EQ(machine.Load<Be64>(0x6130), 0x00123456789abcdeu);
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(SigpTest, StopsAnOperatingCpuThroughTheKernel) {
  machine.Do(0, [](abi::kvm_run& run) { LeaveWithSignal(run, 4, 3, 5); });  // CPU 0 itself
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_TRUE(machine.Injected(abi::KVM_S390_SIGP_STOP));
}

TEST_F(SigpTest, IsBusyWhenTheKernelIs) {
  machine.kernel.On(abi::KVM_S390_IRQ, [](int, std::uintptr_t) { return -EBUSY; });
  Send(5, 0, 2, 0, /*target=*/0);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(SigpTest, ResetsAnotherCpu) {
  Send(12, 0, 0);
  Send(11, 0, 0);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.kernel.Trace(), Contains("cpu 1 normal-reset"));
  EXPECT_THAT(machine.kernel.Trace(), Contains("cpu 1 initial-reset"));
}

// --- Channel subsystem

TEST_F(MachineTest, HasNoSubchannels) {
  for (const std::uint16_t opcode : {0xb230, 0xb231, 0xb232, 0xb233, 0xb234, 0xb238, 0xb276}) {
    machine.Do(0, [=](abi::kvm_run& run) {
      run.s.regs.gprs[1] = 0x00010000;
      run.psw_mask &= ~(std::uint64_t{3} << 44);
      LeaveWithInstruction(run, opcode);
    });
    machine.Do(0, [=](abi::kvm_run& run) {
      EXPECT_EQ(ConditionCode(run), 3u) << std::hex << opcode;
      run.s.regs.gprs[1] = 0;  // no identification: operand exception
      LeaveWithInstruction(run, opcode);
    });
  }
  machine.Do(0, [](abi::kvm_run& run) {
    run.s.regs.gprs[1] = 0x00010000;
    LeaveWithInstruction(run, 0xb234, 0x00020000);  // misaligned operand
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(),
              ElementsAre(0x15, 0x15, 0x15, 0x15, 0x15, 0x15, 0x15, 6));
}

TEST_F(MachineTest, AnswersChannelSubsystemCalls) {
  std::array<std::uint8_t, 4096> page{};
  machine.kernel.On(abi::KVM_S390_MEM_OP, [&](int, std::uintptr_t argument) {
    const auto& operation = *reinterpret_cast<const abi::kvm_s390_mem_op*>(argument);
    auto* buffer = reinterpret_cast<std::uint8_t*>(operation.buf);
    if (operation.op == abi::KVM_S390_MEMOP_LOGICAL_READ)
      std::copy_n(page.begin(), operation.size, buffer);
    else
      std::copy_n(buffer, operation.size, page.begin());
    return 0;
  });
  const auto call = [&](std::uint16_t length, std::uint16_t command) {
    machine.Do(0, [&, length, command](abi::kvm_run& run) {
      StoreBigEndian(page.data(), length);
      StoreBigEndian(page.data() + 2, command);
      run.s.regs.gprs[1] = 0x6000;
      LeaveWithInstruction(run, 0xb25f, 0x00100000);
    });
  };
  const auto expect = [&](std::size_t at, std::uint16_t length, std::uint16_t code) {
    machine.Do(0, [&, at, length, code](abi::kvm_run& run) {
      EXPECT_EQ(ConditionCode(run), 0u);
      EXPECT_EQ(LoadBigEndian<std::uint16_t>(&page[at]), length);
      EXPECT_EQ(LoadBigEndian<std::uint16_t>(&page[at + 2]), code);
      LeaveWithInstruction(run, 0xb23a);
    });
  };
  call(16, 0x0010);
  expect(16, 4080, 1);
  call(24, 0x0010);
  expect(24, 8, 3);
  call(32, 0x0031);
  expect(32, 8, 4);
  call(16, 0x000e);
  expect(16, 8, 5);
  call(4088, 0x0004);
  expect(4088, 8, 4);
  call(4096, 0x0004);
  call(15, 0x0004);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(0x15, 0x15));
}

// --- STSI

TEST_F(MachineTest, NamesItselfInSystemInformation) {
  machine.config.name = "mnemosyne";
  machine.config.uuid[0] = 0x42;
  std::array<std::uint8_t, 4096> page{};
  page[31] = 1;
  machine.kernel.On(abi::KVM_S390_MEM_OP, [&](int, std::uintptr_t argument) {
    const auto& operation = *reinterpret_cast<const abi::kvm_s390_mem_op*>(argument);
    auto* buffer = reinterpret_cast<std::uint8_t*>(operation.buf);
    if (operation.op == abi::KVM_S390_MEMOP_LOGICAL_READ)
      std::copy_n(page.begin(), operation.size, buffer);
    else
      std::copy_n(buffer, operation.size, page.begin());
    return 0;
  });
  machine.Do(0, [](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_STSI;
    run.s390_stsi = {0x6000, 0, 0, 3, 2, 2};
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_EQ(page[44], 0x94);  // EBCDIC m
  EXPECT_STREQ(reinterpret_cast<const char*>(&page[2048]), "mnemosyne");
  EXPECT_EQ(page[80], 0x42);
}

// --- DIAGNOSE 308 and the life of protected guests

class Diagnose308Test : public MachineTest {
 protected:
  // Subcode in register 3, block address in 0, return code in 1.
  static void Call(abi::kvm_run& run, std::uint64_t subcode, std::uint64_t block = 0) {
    run.s.regs.gprs[3] = subcode;
    run.s.regs.gprs[0] = block;
    run.s.regs.gprs[1] = 0;
    LeaveWithDiagnose(run, 0, 3, 0x308);
  }
  void ExpectCode(std::uint64_t code) {
    machine.Do(0, [code](abi::kvm_run& run) {
      EXPECT_EQ(run.s.regs.gprs[1], code);
      LeaveWithInstruction(run, 0xb23a);
    });
  }
  static Bytes ProtectedBlock() {
    return MakeIplBlock({0x8000, 640, {{0x1000, 0x10000, 0x2000}, {0x2000, 0x20000, 0x1000}}});
  }
  // The way of a loader into secure mode.
  void StartProtected() {
    machine.Do(0, [&](abi::kvm_run& run) {
      const Bytes block = ProtectedBlock();
      std::copy(block.begin(), block.end(), machine.storage() + 0x7000);
      Call(run, 8, 0x7000);
    });
    ExpectCode(1);
    machine.Do(0, [&](abi::kvm_run& run) { Call(run, 10); });
  }
  // A protected guest's DIAGNOSE, with the text that the Ultravisor gives it.
  static void SecureCall(abi::kvm_run& run, std::uint64_t subcode) {
    run.s.regs.gprs[5] = 0x308;
    run.s.regs.gprs[2] = subcode;
    LeaveWithIntercept(run, abi::ICPT_PV_INSTR, 0x8302, 0x50000000);
  }
};

TEST_F(Diagnose308Test, KeepsTheBootBlock) {
  machine.Do(0, [](abi::kvm_run& run) { Call(run, 6, 0x7000); });
  ExpectCode(0x102);
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0x7000, Be32(200));
    machine.Store(0x700c, std::uint8_t{2});
    machine.Store(0x70c7, std::uint8_t{0x99});
    Call(run, 5, 0x7000);
  });
  ExpectCode(1);
  machine.Do(0, [](abi::kvm_run& run) { Call(run, 6, 0x9000); });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(run.s.regs.gprs[1], 1u);
    EXPECT_EQ(machine.Load<std::uint8_t>(0x90c7), 0x99);
    machine.Store(0x7000, Be32(199));
    Call(run, 5, 0x7000);
  });
  ExpectCode(0x402);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(Diagnose308Test, ChecksSubcodesAndOperands) {
  for (const std::uint64_t subcode : {2, 7, 11, 0x10005})
    machine.Do(0, [=](abi::kvm_run& run) { Call(run, subcode, 0x7000); });
  machine.Do(0, [](abi::kvm_run& run) { Call(run, 5, 0x7008); });
  machine.Do(0, [](abi::kvm_run& run) { Call(run, 8, 64 << 20); });
  machine.Do(0, [](abi::kvm_run& run) {
    run.s.regs.gprs[3] = 6;
    LeaveWithDiagnose(run, 1, 3, 0x308);
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6, 6, 6, 6, 5, 6));
}

TEST_F(Diagnose308Test, HidesSecureModeOnHostsWithoutIt) {
  machine.kernel.capabilities[abi::KVM_CAP_S390_PROTECTED] = 0;
  for (const std::uint64_t subcode : {8, 9, 10})
    machine.Do(0, [=](abi::kvm_run& run) { Call(run, subcode, 0x7000); });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6, 6));
}

TEST_F(Diagnose308Test, LoadsTheMachineAnew) {
  machine.config.cpus = 2;
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0x10008, std::uint8_t{0});
    machine.kernel.ClearTrace();
    run.exit_reason = abi::KVM_EXIT_S390_RESET;
    run.s390_reset_flags = 30;
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(run.psw_addr, 0x10000u);
    EXPECT_EQ(machine.Load<char>(0x10008), 'S');
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.events(), ElementsAre("memory", "first-instruction", "reset-request",
                                            "guest-restarted", "power-off", "stopped", "decision"));
  EXPECT_THAT(machine.kernel.Trace(),
              ElementsAre("cpu 0 stopped", "cpu 0 clear-reset", "cpu 1 clear-reset",
                          "cpu 0 operating", "cpu 0 stopped"));
}

TEST_F(Diagnose308Test, RestartsInPlaceAtThePswInStorage) {
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.Store(0, Be64(0x0008000180012340));
    machine.Store(0x10008, std::uint8_t{0});
    machine.kernel.ClearTrace();
    Call(run, 1);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(run.psw_addr, 0x12340u);
    EXPECT_EQ(run.psw_mask, 0x0000000180000000u);
    EXPECT_EQ(machine.Load<char>(0x10008), 0);  // storage is kept
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.kernel.Trace(), Contains("cpu 0 initial-reset"));
}

TEST_F(Diagnose308Test, RefusesSecureModeWithoutABlock) {
  machine.Do(0, [](abi::kvm_run& run) { Call(run, 10); });
  ExpectCode(0x902);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(Diagnose308Test, EntersSecureMode) {
  machine.config.cpus = 2;
  StartProtected();
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_TRUE(machine.kernel.is_protected());
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  std::vector<std::string> trace = machine.kernel.Trace();
  trace.erase(trace.begin(), std::find(trace.begin(), trace.end(), "pv enable"));
  EXPECT_THAT(trace,
              ElementsAre("pv enable", "pv set-parameters 640", "pv unpack 0x10000 0x2000 0x1000",
                          "pv unpack 0x20000 0x1000 0x2000", "pv verify", "cpu 0 load",
                          "cpu 0 operating", "cpu 0 operating", "cpu 0 stopped", "pv disable"));
}

TEST_F(Diagnose308Test, TellsTheGuestWhySecureModeFailed) {
  machine.kernel.On(abi::KVM_S390_PV_COMMAND, [](int, std::uintptr_t) { return -EIO; });
  StartProtected();
  ExpectCode(0xa02);
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
}

TEST_F(Diagnose308Test, ExchangesServiceCallsOfProtectedGuestsThroughTheirArea) {
  StartProtected();
  machine.Do(0, [&](abi::kvm_run& run) {
    std::fill_n(machine.storage() + 0x5000, 4096, 0xee);
    run.s.regs.gprs[1] = 0x00040001;
    run.s.regs.gprs[2] = 0x5000;
    LeaveWithIntercept(run, abi::ICPT_PV_INSTR, 0xb220, 0x00120000);
  });
  // The area is all zero: a block of length 0.
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_EQ(machine.storage()[0x5006], 0xee);  // storage was not touched
    LeaveWithIntercept(run, abi::ICPT_PV_INSTR, 0xb9a2, 0);
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  // The second would be an operation exception, which the Ultravisor does not take from us.
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6));
}

TEST_F(Diagnose308Test, RefusesNestedSubcodesInsideSecureMode) {
  StartProtected();
  for (const std::uint64_t subcode : {4, 7, 8, 9, 10})
    machine.Do(0, [=](abi::kvm_run& run) { SecureCall(run, subcode); });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.program_interruptions(), ElementsAre(6, 6, 6, 6, 6));
}

TEST_F(Diagnose308Test, LeavesTheRestartPswOfAProtectedCpuToTheUltravisor) {
  machine.config.cpus = 2;
  StartProtected();
  machine.Do(0, [](abi::kvm_run& run) {  // SIGP, with the text that the Ultravisor gives it
    run.s.regs.gprs[2] = 1;
    run.s.regs.gprs[5] = 6;
    LeaveWithIntercept(run, abi::ICPT_PV_INSTR, 0xae02, 0x50000000);
  });
  PowerOffNext(0);
  machine.Do(1, [&](abi::kvm_run& run) {
    while (machine.kernel.Trace().back() != "cpu 0 stopped") std::this_thread::yield();
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_FALSE(machine.Injected(abi::KVM_S390_RESTART));
}

TEST_F(Diagnose308Test, SetsAProtectedGuestAsideOnReboot) {
  machine.config.memory_size = std::uint64_t{3} << 30;
  machine.config.destroy = DestroyMode::kLazy;
  StartProtected();
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.kernel.ClearTrace();
    run.exit_reason = abi::KVM_EXIT_S390_RESET;
    run.s390_reset_flags = 30;
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_FALSE(machine.kernel.is_protected());
    EXPECT_EQ(run.psw_addr, 0x10000u);
    LeaveWithInstruction(run, 0xb23a);
  });
  StartProtected();  // again, possibly while the first is being cleaned
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_TRUE(machine.kernel.is_protected());
    // The cleaner gives up what has not begun when the machine ends.
    while (!Matches(Contains("pv perform"))(machine.kernel.Trace())) std::this_thread::yield();
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  const std::vector<std::string> trace = machine.kernel.Trace();
  const auto at = [&](const char* what) {
    return std::find(trace.begin(), trace.end(), what) - trace.begin();
  };
  EXPECT_LT(at("pv prepare"), at("cpu 0 clear-reset"));
  EXPECT_THAT(trace, Contains("pv perform"));
  EXPECT_THAT(machine.events(),
              AllOf(Contains("prepare"), Contains("guest-restarted"), Contains("perform-end")));
}

TEST_F(Diagnose308Test, DestroysInTheForegroundWhenTold) {
  machine.config.memory_size = std::uint64_t{3} << 30;
  machine.config.destroy = DestroyMode::kSync;
  StartProtected();
  machine.Do(0, [](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_RESET;
    run.s390_reset_flags = 30;
  });
  PowerOffNext();
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  EXPECT_THAT(machine.kernel.Trace(), Contains("pv disable"));
}

TEST_F(Diagnose308Test, ResetsAProtectedGuestInPlace) {
  machine.config.cpus = 2;
  StartProtected();
  machine.Do(0, [&](abi::kvm_run& run) {
    machine.kernel.ClearTrace();
    SecureCall(run, 1);
  });
  machine.Do(0, [&](abi::kvm_run& run) {
    EXPECT_TRUE(machine.kernel.is_protected());
    PowerOffBy(run);
  });
  EXPECT_THAT(machine.Run(), Ends(Outcome::Kind::kPoweredOff));
  const std::vector<std::string> trace = machine.kernel.Trace();
  const std::vector<std::string> wanted = {"pv unshare-all",      "pv prepare-reset",
                                           "cpu 0 initial-reset", "cpu 1 normal-reset",
                                           "cpu 0 load",          "cpu 0 operating"};
  auto position = trace.begin();
  for (const std::string& step : wanted) {
    position = std::find(position, trace.end(), step);
    EXPECT_NE(position, trace.end()) << step;
  }
}

}  // namespace
}  // namespace lethe::vmm
