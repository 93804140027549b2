#include "emulated-host/kvm/virtual_cpu.h"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "emulated-host/kvm/kernel_fixture.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

constexpr std::uint64_t kExternalNew = 0x1b0;
constexpr std::uint64_t kProgramNew = 0x1d0;
constexpr std::uint64_t kInputOutputNew = 0x1f0;
constexpr std::uint64_t kHandler = 0x20000;

void ExpectIntercept(const Vcpu& cpu, std::uint8_t code, std::uint16_t ipa, std::uint32_t ipb) {
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(cpu.run->s390_sieic.icptcode, code);
  EXPECT_EQ(cpu.run->s390_sieic.ipa, ipa);
  EXPECT_EQ(cpu.run->s390_sieic.ipb, ipb);
}

TEST(Run, LeavesForInstructionsOfTheUser) {
  struct {
    std::initializer_list<std::uint8_t> code;
    std::uint16_t ipa;
    std::uint32_t ipb;
  } const kCases[] = {
      {{0x83, 0x00, 0x05, 0x01}, 0x8300, 0x05010000},  // DIAG 0,0,0x501
      {{0x83, 0x24, 0x02, 0x88}, 0x8324, 0x02880000},  // DIAG 2,4,0x288
      {{0xb2, 0x20, 0x00, 0x12}, 0xb220, 0x00120000},  // SERVC 1,2
      {{0xae, 0x02, 0x00, 0x0b}, 0xae02, 0x000b0000},  // SIGP 0,2,11(0): initial CPU reset
  };
  for (const auto& c : kCases) {
    KernelUser user;
    Vcpu& cpu = user.AddCpu();
    user.Program(c.code);
    KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
    EXPECT_EQ(user.Run(cpu), 0);
    ExpectIntercept(cpu, abi::ICPT_INST, c.ipa, c.ipb);
    EXPECT_EQ(cpu.run->psw_addr, KernelUser::kProgramAt + 4);
  }
}

TEST(Run, TellsResetsByDiagnose308Apart) {
  struct {
    std::uint64_t subcode;
    std::uint32_t exit_reason;
    std::uint64_t flags;
  } constexpr kCases[] = {
      {3, abi::KVM_EXIT_S390_RESET, 30},
      {4, abi::KVM_EXIT_S390_RESET, 28},
      {1, abi::KVM_EXIT_S390_SIEIC, 0},
      {8, abi::KVM_EXIT_S390_SIEIC, 0},
  };
  for (const auto& c : kCases) {
    KernelUser user;
    Vcpu& cpu = user.AddCpu();
    user.Program({0x83, 0x24, 0x03, 0x08});
    KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
    cpu.run->s.regs.gprs[4] = c.subcode;
    EXPECT_EQ(user.Run(cpu), 0);
    EXPECT_EQ(cpu.run->exit_reason, c.exit_reason);
    if (c.exit_reason == abi::KVM_EXIT_S390_RESET) {
      EXPECT_EQ(cpu.run->s390_reset_flags, c.flags);
    }
  }
}

TEST(Run, SharesRegistersInPlace) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  EXPECT_EQ(cpu.run->kvm_valid_regs & 0xf, 0xfu);
  user.Program({0xa7, 0xba, 0x00, 0x01,    // AHI 11,1
                0x83, 0x00, 0x05, 0x01});  // DIAG 0,0,0x501
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  cpu.run->s.regs.gprs[11] = 0xbad1dea;
  cpu.run->s.regs.acrs[0] = 1 << 11;
  cpu.run->s.regs.diag318 = 0x1234;
  cpu.run->kvm_dirty_regs = abi::KVM_SYNC_DIAG318;
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->s.regs.gprs[11], 0xbad1debu);
  EXPECT_EQ(cpu.run->s.regs.acrs[0], 1u << 11);
  EXPECT_EQ(cpu.run->s.regs.diag318, 0x1234u);
  EXPECT_EQ(cpu.run->kvm_dirty_regs, 0u);
  // Not dirty: the kernel's value comes back.
  cpu.run->s.regs.diag318 = 0x4b1d;
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->s.regs.diag318, 0x1234u);
  abi::kvm_regs registers;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_GET_REGS, registers), 0);
  EXPECT_EQ(registers.gprs[11], 0xbad1decu);
}

TEST(Run, RefusesUnknownRegisterGroups) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  cpu.run->kvm_dirty_regs = 0x80000000;
  EXPECT_EQ(user.Run(cpu), -EINVAL);
  cpu.run->kvm_dirty_regs = 0;
  cpu.run->kvm_valid_regs |= 0x80000000;
  EXPECT_EQ(user.Run(cpu), -EINVAL);
  EXPECT_EQ(user.Call(cpu.fd, abi::KVM_RUN, 1), -EINVAL);
}

TEST(Run, DoesNotEnterTheGuestWithImmediateExit) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x83, 0x00, 0x05, 0x01});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  cpu.run->exit_reason = 77;
  cpu.run->immediate_exit = 1;
  EXPECT_EQ(user.Run(cpu), -EINTR);
  EXPECT_EQ(cpu.run->exit_reason, 77u);
  EXPECT_EQ(cpu.run->psw_addr, KernelUser::kProgramAt);
  cpu.run->immediate_exit = 0;
  EXPECT_EQ(user.Run(cpu), 0);
}

TEST(Run, RefusesStoppedCpusOnceTheUserControlsThem) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x83, 0x00, 0x05, 0x01});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Call(cpu.fd, abi::KVM_GET_MP_STATE), 5);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_LOAD), -ENXIO);
  EXPECT_EQ(user.Run(cpu), -EINVAL);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_CHECK_STOP), -ENXIO);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_EQ(user.Call(cpu.fd, abi::KVM_GET_MP_STATE), 5);
}

TEST(Run, ReportsADisabledWait) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  KernelUser::SetPsw(cpu, KernelUser::kDisabledWait, 0xdead);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_WAIT, 0, 0);
  EXPECT_EQ(cpu.run->psw_addr, 0xdeadu);
}

TEST(Run, ReportsAProgramLoop) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  // An operation exception, and a program-new PSW that is invalid.
  user.Program({0x00, 0x00});
  user.SetNewPsw(kProgramNew, ~std::uint64_t{0}, 0x1001);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(cpu.run->s390_sieic.icptcode, abi::ICPT_PROGI);
}

TEST(Run, GivesOperationExceptionsOfZerosToAUserWhoWantsThem) {
  KernelUser user;
  ASSERT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_USER_INSTR0), 0);
  Vcpu& cpu = user.AddCpu();
  user.Program({0x00, 0x00});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_OPEREXC, 0, 0);
}

TEST(Run, PresentsOperationExceptionsToTheGuest) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xb2, 0xfe, 0x00, 0x00});
  user.SetNewPsw(kProgramNew, KernelUser::kDisabledWait, 0xabc);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_WAIT, 0, 0);
  EXPECT_EQ(user.Load<std::uint16_t>(0x8e), 1);
  EXPECT_EQ(user.Load<std::uint16_t>(0x8c), 4);
  EXPECT_EQ(user.Load<std::uint64_t>(0x158), KernelUser::kProgramAt + 4);
}

TEST(Run, TakesProgramInterruptionsOfTheUser) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x83, 0x00, 0x05, 0x01});
  user.SetNewPsw(kProgramNew, KernelUser::kDisabledWait, 0xabc);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_PROGRAM_INT;
  irq.u.pgm.code = 6;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(user.Load<std::uint16_t>(0x8e), 6);
  EXPECT_EQ(user.Load<std::uint16_t>(0x8c), 4);
  EXPECT_EQ(user.Load<std::uint64_t>(0x158), KernelUser::kProgramAt + 4);
}

// An enabled wait, woken by `wake` from another thread (or before the wait: it must not be lost).
void ExpectWake(KernelUser& user, Vcpu& cpu, const std::function<void()>& wake) {
  std::thread other(wake);
  EXPECT_EQ(user.Run(cpu), 0);
  other.join();
  ExpectIntercept(cpu, abi::ICPT_WAIT, 0, 0);
  EXPECT_EQ(cpu.run->psw_addr, kHandler);
}

TEST(Interruptions, WakeAWaitingCpu) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.SetNewPsw(kExternalNew, KernelUser::kDisabledWait, kHandler);
  user.SetNewPsw(kInputOutputNew, KernelUser::kDisabledWait, kHandler);
  KernelUser::SetControl(cpu, 0, 0x200 | 0x4000);
  KernelUser::SetControl(cpu, 6, 0xff000000);
  const std::uint64_t wait =
      KernelUser::kDisabledWait | Psw::kExternal | Psw::kInputOutput | Psw::kMachineCheck;

  KernelUser::SetPsw(cpu, wait, 0x100);
  ExpectWake(user, cpu, [&] {
    abi::kvm_s390_interrupt service{static_cast<std::uint32_t>(abi::KVM_S390_INT_SERVICE), 0x12340,
                                    0};
    EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, service), 0);
  });
  EXPECT_EQ(user.Load<std::uint16_t>(0x86), 0x2401);
  EXPECT_EQ(user.Load<std::uint32_t>(0x80), 0x12340u);

  KernelUser::SetPsw(cpu, wait, 0x100);
  ExpectWake(user, cpu, [&] {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EMERGENCY;
    EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  });
  EXPECT_EQ(user.Load<std::uint16_t>(0x86), 0x1201);

  KernelUser::SetPsw(cpu, wait, 0x100);
  ExpectWake(user, cpu, [&] {
    abi::kvm_s390_interrupt io{0x1234, 0x00011234, std::uint64_t{0xcafe} << 32 | 0x18000000};
    EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, io), 0);
  });
  EXPECT_EQ(user.Load<std::uint32_t>(0xb8), 0x00011234u);
  EXPECT_EQ(user.Load<std::uint32_t>(0xbc), 0xcafeu);
  EXPECT_EQ(user.Load<std::uint32_t>(0xc0), 0x18000000u);
}

TEST(Interruptions, ClockComparatorEndsAWait) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.SetNewPsw(kExternalNew, KernelUser::kDisabledWait, kHandler);
  std::uint64_t now = 0;
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_LOW,
                                 reinterpret_cast<std::uintptr_t>(&now)};
  ASSERT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), 0);
  KernelUser::SetControl(cpu, 0, 0x800);
  cpu.run->s.regs.ckc = now + 4096 * 20000;  // 20 ms
  cpu.run->s.regs.cputm = 0x7fffffffffffffff;
  cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_ARCH0;
  KernelUser::SetPsw(cpu, KernelUser::kDisabledWait | Psw::kExternal, 0x100);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_WAIT, 0, 0);
  EXPECT_EQ(user.Load<std::uint16_t>(0x86), 0x1004);
}

TEST(Interruptions, CpuTimerRunsInAWait) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.SetNewPsw(kExternalNew, KernelUser::kDisabledWait, kHandler);
  KernelUser::SetControl(cpu, 0, 0x400);
  cpu.run->s.regs.ckc = ~std::uint64_t{0};
  cpu.run->s.regs.cputm = 4096 * 5000;
  cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_ARCH0;
  KernelUser::SetPsw(cpu, KernelUser::kDisabledWait | Psw::kExternal, 0x100);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(user.Load<std::uint16_t>(0x86), 0x1005);
}

TEST(Interruptions, ComeByPriority) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  // Each handler notes its turn in register 2, enables again and waits for the next.
  user.SetNewPsw(kExternalNew, KernelUser::kDisabledWait, 1);
  user.SetNewPsw(kInputOutputNew, KernelUser::kDisabledWait, 2);
  user.SetNewPsw(0x1e0, KernelUser::kDisabledWait, 3);  // machine check
  KernelUser::SetControl(cpu, 0, 0x200 | 0x4000 | 0x2000);
  KernelUser::SetControl(cpu, 6, 0xff000000);
  KernelUser::SetControl(cpu, 14, 1 << 28);
  const std::uint64_t all =
      KernelUser::kSupervisor | Psw::kExternal | Psw::kInputOutput | Psw::kMachineCheck;
  abi::kvm_s390_irq irq{};
  irq.type = 0x0001;
  irq.u.io.io_int_word = 5u << 27;
  irq.u.io.subchannel_nr = 5;
  abi::kvm_s390_interrupt io{1, 5, 5u << 27};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, io), 0);
  io = {1, 3, 3u << 27};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, io), 0);
  abi::kvm_s390_interrupt service{static_cast<std::uint32_t>(abi::KVM_S390_INT_SERVICE), 0x1001, 0};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, service), 0);
  irq = {};
  irq.type = abi::KVM_S390_INT_EXTERNAL_CALL;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), -EBUSY);
  irq.type = abi::KVM_S390_INT_EMERGENCY;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  irq = {};
  irq.type = abi::KVM_S390_MCHK;
  irq.u.mchk.cr14 = 1 << 28;
  irq.u.mchk.mcic = Psw::Bit(7);  // degradation
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);

  struct {
    std::uint64_t handler;
    std::uint64_t code_at;
    std::uint16_t code;
    std::uint32_t parameter;
  } constexpr kOrder[] = {
      {3, 0, 0, 0},         {1, 0x86, 0x1201, 0},      {1, 0x86, 0x1202, 0},
      {1, 0x86, 0x2401, 1}, {1, 0x86, 0x2401, 0x1000}, {2, 0xba, 3, 0},
      {2, 0xba, 5, 0},
  };
  for (const auto& expected : kOrder) {
    KernelUser::SetPsw(cpu, all);
    EXPECT_EQ(user.Run(cpu), 0);
    ExpectIntercept(cpu, abi::ICPT_WAIT, 0, 0);
    EXPECT_EQ(cpu.run->psw_addr, expected.handler);
    if (expected.code_at == 0) continue;
    EXPECT_EQ(user.Load<std::uint16_t>(expected.code_at), expected.code);
    if (expected.parameter != 0) {
      EXPECT_EQ(user.Load<std::uint32_t>(0x80), expected.parameter);
    }
  }
}

TEST(Interruptions, AreCheckedBeforeTheyAreQueued) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu(3);
  struct {
    std::uint64_t type;
    std::uint32_t parameter;
    int result;
  } constexpr kCases[] = {
      {abi::KVM_S390_PROGRAM_INT, 0x10000, -EINVAL},
      {abi::KVM_S390_INT_EMERGENCY, 0x10003, -EINVAL},
      {abi::KVM_S390_INT_EMERGENCY, 4, -EINVAL},  // no such source
      {abi::KVM_S390_INT_EMERGENCY, 3, 0},
      {abi::KVM_S390_INT_EXTERNAL_CALL, 3, 0},
      {abi::KVM_S390_INT_EXTERNAL_CALL, 3, -EBUSY},
      {abi::KVM_S390_INT_SERVICE, 0, -EINVAL},  // floating
      {abi::KVM_S390_INT_VIRTIO, 0, -EINVAL},
      {0x1234, 0, -EINVAL},
      {abi::KVM_S390_SIGP_STOP, 2, -EINVAL},
      {abi::KVM_S390_SIGP_STOP, 0, 0},  // stopped already
      {abi::KVM_S390_SIGP_SET_PREFIX, 0x2000, 0},
      {0xfffe0099, 0, -EINVAL},
  };
  for (const auto& c : kCases) {
    abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(c.type), c.parameter, 0};
    EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_INTERRUPT, old), c.result)
        << std::hex << c.type << " " << c.parameter;
  }
  abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(abi::KVM_S390_INT_EMERGENCY), 3, 0};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, old), -EINVAL);
}

TEST(Kick, EndsAWait) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  KernelUser::SetPsw(cpu, KernelUser::kDisabledWait | Psw::kExternal, 0x100);
  int result = 0;
  std::thread runner([&] { result = user.Run(cpu); });
  __atomic_store_n(&cpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  EXPECT_EQ(user.kernel().Kick(cpu.fd, runner.native_handle()), 0);
  runner.join();
  EXPECT_EQ(result, -EINTR);
}

TEST(Kick, EndsALoop) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xa7, 0xf4, 0x00, 0x00});  // J *
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  int result = 0;
  std::thread runner([&] { result = user.Run(cpu); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  __atomic_store_n(&cpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  EXPECT_EQ(user.kernel().Kick(cpu.fd, runner.native_handle()), 0);
  runner.join();
  EXPECT_EQ(result, -EINTR);
  EXPECT_EQ(cpu.run->psw_addr, KernelUser::kProgramAt);
}

// A client that ends KVM_RUN as one does on a kernel: by signals to the CPU's thread.
class Signals : public ::testing::Test {
 protected:
  Signals() : cpu_(user_.AddCpu()) {
    handled_ = 0;
    run_ = cpu_.run;
    user_.Program({0xa7, 0xf4, 0x00, 0x00});  // J *
  }
  ~Signals() override { sigaction(SIGUSR1, &before_, nullptr); }

  void Handle(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, &before_);
  }
  // One KVM_RUN that ends by a signal, sent at a moment that is different each time.
  void RunOnce(std::uint64_t mask, int pause) {
    handled_ = 0;
    cpu_.run->immediate_exit = 0;
    cpu_.run->exit_reason = 0;
    KernelUser::SetPsw(cpu_, mask);
    int result = 0;
    std::atomic<bool> started = false;
    std::thread runner([&] {
      started = true;
      result = user_.Run(cpu_);
    });
    while (!started) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(pause));
    pthread_kill(runner.native_handle(), SIGUSR1);
    runner.join();
    EXPECT_EQ(result, -EINTR);
    EXPECT_EQ(handled_, 1);
  }

  static inline std::atomic<int> handled_;
  static inline abi::kvm_run* run_;
  KernelUser user_;
  Vcpu& cpu_;
  struct sigaction before_ {};
};

constexpr std::uint64_t kEnabledWait = KernelUser::kDisabledWait | Psw::kExternal;

TEST_F(Signals, TheHandlerSetsImmediateExit) {
  Handle([](int) {
    ++handled_;
    __atomic_store_n(&run_->immediate_exit, 1, __ATOMIC_SEQ_CST);
  });
  for (int turn = 0; turn < 200; ++turn) {
    RunOnce(turn % 2 == 0 ? KernelUser::kSupervisor : kEnabledWait, turn);
  }
}

TEST_F(Signals, TheHandlerSaysSo) {
  Handle([](int) {
    ++handled_;
    EmulatedKernel::NoteSignal();
  });
  constexpr int kSurelyInside = 20000;
  RunOnce(KernelUser::kSupervisor, kSurelyInside);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
  EXPECT_EQ(cpu_.run->psw_addr, KernelUser::kProgramAt);
  RunOnce(kEnabledWait, kSurelyInside);
}

TEST_F(Signals, AnyHandlerEndsAWait) {
  Handle([](int) { ++handled_; });
  constexpr int kSurelyAsleep = 20000;
  RunOnce(kEnabledWait, kSurelyAsleep);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
}

TEST_F(Signals, OutsideOfKvmRunNothingIsNoted) {
  EmulatedKernel::NoteSignal();
  user_.Program({0x83, 0x00, 0x05, 0x01});  // DIAG 0,0,0x501
  KernelUser::SetPsw(cpu_, KernelUser::kSupervisor);
  EXPECT_EQ(user_.Run(cpu_), 0);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
}

TEST(MemorySlots, ChangeUnderARunningCpu) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xa7, 0xf4, 0x00, 0x00});  // J *
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  std::thread runner([&] { EXPECT_EQ(user.Run(cpu), -EINTR); });
  SharedMemory more(1 << 20);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(user.SetSlot(1, 16 << 20, more.size(), more.address()), 0);
    EXPECT_EQ(user.SetSlot(1, 0, 0, 0), 0);
  }
  __atomic_store_n(&cpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  user.kernel().Kick(cpu.fd, runner.native_handle());
  runner.join();
}

TEST(Stop, IsReportedAndStaysPendingUntilTheUserStopsTheCpu) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xa7, 0xf4, 0x00, 0x00});  // J *
  ASSERT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_OPERATING), 0);
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_SIGP_STOP;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), -EBUSY);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_STOP, 0, 0);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_STOP, 0, 0);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_EQ(user.SetState(cpu, abi::KVM_MP_STATE_OPERATING), 0);
  user.Program({0x83, 0x00, 0x05, 0x01});
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectIntercept(cpu, abi::ICPT_INST, 0x8300, 0x05010000);
}

// SIGP 2,4,order: status in register 2, parameter in register 3, CPU address in register 4.
struct SigpAnswer {
  std::uint32_t exit_reason;
  std::uint8_t icptcode;
  std::uint64_t status;
  unsigned cc;
};
SigpAnswer Signal(KernelUser& user, Vcpu& cpu, std::uint8_t order, std::uint64_t target,
                  std::uint64_t parameter = 0) {
  user.Program({0xae, 0x24, 0x00, order,   // SIGP
                0x83, 0x00, 0x05, 0x01});  // DIAG 0,0,0x501
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  cpu.run->s.regs.gprs[2] = 0;
  cpu.run->s.regs.gprs[3] = parameter;
  cpu.run->s.regs.gprs[4] = target;
  EXPECT_EQ(user.Run(cpu), 0);
  const bool left = cpu.run->s390_sieic.ipa == 0xae24;
  return {cpu.run->exit_reason, static_cast<std::uint8_t>(left ? 0xae : 0x83),
          cpu.run->s.regs.gprs[2], static_cast<unsigned>(cpu.run->psw_mask >> 44 & 3)};
}

TEST(Sigp, IsAnsweredAsTheArchitectureSays) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu(0);
  Vcpu& other = user.AddCpu(1);
  struct {
    std::uint8_t order;
    std::uint64_t target;
    std::uint64_t parameter;
    bool to_user;
    unsigned cc;
    std::uint64_t status;
  } constexpr kCases[] = {
      {1, 7, 0, false, 3, 0},                // sense: not operational
      {1, 1, 0, false, 1, 0x40},             // sense: stopped
      {21, 1, 0, false, 1, 0x400},           // sense running: not running
      {13, 1, 0x40000000, false, 1, 0x100},  // set prefix: no storage there
      {13, 0, 0x2000, false, 1, 0x200},      // set prefix: not stopped
      {14, 0, 0x3000, false, 1, 0x200},      // store status: not stopped
      {14, 1, 0x3000, false, 0, 0},          // store status
      {18, 0, 1, false, 1, 0x100},           // set architecture
      {2, 1, 0, false, 0, 0},                // external call
      {2, 1, 0, false, 1, 0x80},             // again
      {1, 1, 0, false, 1, 0xc0},             // sense
      {3, 1, 0, false, 0, 0},                // emergency signal
      {6, 1, 0, true, 0, 0},                 // restart
      {12, 1, 0, true, 0, 0},                // CPU reset
      {99, 1, 0, true, 0, 0},
  };
  for (const auto& c : kCases) {
    const SigpAnswer answer = Signal(user, cpu, c.order, c.target, c.parameter);
    EXPECT_EQ(answer.icptcode == 0xae, c.to_user) << +c.order;
    if (c.to_user) continue;
    EXPECT_EQ(answer.cc, c.cc) << +c.order << " to " << c.target;
    EXPECT_EQ(answer.status, c.status) << +c.order << " to " << c.target;
  }
  abi::kvm_s390_irq list[8];
  abi::kvm_s390_irq_state state{reinterpret_cast<std::uintptr_t>(list), 0, sizeof(list), {}};
  EXPECT_EQ(user.Pass(other.fd, abi::KVM_S390_GET_IRQ_STATE, state), 2 * 72);
}

TEST(Sigp, GoesToTheUserWhoAskedForIt) {
  KernelUser user;
  ASSERT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_USER_SIGP), 0);
  Vcpu& cpu = user.AddCpu(0);
  user.AddCpu(1);
  for (const std::uint8_t order : {1, 2, 3, 19, 21}) {
    EXPECT_EQ(Signal(user, cpu, order, 1).icptcode, 0x83) << +order;
  }
  for (const std::uint8_t order : {4, 5, 6, 9, 11, 12, 13, 14, 18}) {
    EXPECT_EQ(Signal(user, cpu, order, 1).icptcode, 0xae) << +order;
  }
}

TEST(Resets, LeaveWhatTheyMust) {
  struct {
    unsigned long request;
    bool initial, clear;
  } constexpr kCases[] = {
      {abi::KVM_S390_NORMAL_RESET, false, false},
      {abi::KVM_S390_INITIAL_RESET, true, false},
      {abi::KVM_S390_CLEAR_RESET, true, true},
  };
  for (const auto& c : kCases) {
    KernelUser user;
    Vcpu& cpu = user.AddCpu(3);
    user.Program({0x83, 0x00, 0x05, 0x01});
    abi::kvm_sync_regs& page = cpu.run->s.regs;
    page.gprs[5] = 5;
    page.acrs[9] = 9;
    page.fprs[0] = 0x123;
    page.fpc = 0x800000;
    for (int number : {2, 8, 10}) page.crs[number] = static_cast<std::uint64_t>(number);
    page.todpr = 7;
    page.pp = 8;
    page.pft = 9;
    cpu.run->kvm_dirty_regs = abi::KVM_SYNC_CRS | abi::KVM_SYNC_ARCH0 | abi::KVM_SYNC_PFAULT;
    KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
    ASSERT_EQ(user.Run(cpu), 0);
    abi::kvm_s390_irq emergency{};
    emergency.type = abi::KVM_S390_INT_EMERGENCY;
    emergency.u.emerg.code = 3;
    abi::kvm_s390_irq_state state{
        reinterpret_cast<std::uintptr_t>(&emergency), 0, sizeof(emergency), {}};
    ASSERT_EQ(user.Pass(cpu.fd, abi::KVM_S390_SET_IRQ_STATE, state), 0);
    EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_SET_IRQ_STATE, state), -EBUSY);

    ASSERT_EQ(user.Call(cpu.fd, c.request), 0);
    EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_GET_IRQ_STATE, state), 0);
    EXPECT_EQ(page.gprs[5], c.clear ? 0u : 5u);
    EXPECT_EQ(page.acrs[9], c.clear ? 0u : 9u);
    EXPECT_EQ(page.fprs[0], c.clear ? 0u : 0x123u);
    EXPECT_EQ(page.fpc, c.initial ? 0u : 0x800000u);
    EXPECT_EQ(page.crs[2], c.initial ? 0u : 2u);
    EXPECT_EQ(page.todpr, c.initial ? 0u : 7u);
    EXPECT_EQ(page.pp, c.initial ? 0u : 8u);
    EXPECT_EQ(cpu.run->psw_addr, c.initial ? 0u : KernelUser::kProgramAt + 4);
    if (c.initial) {
      EXPECT_EQ(page.crs[0], 0xe0u);
      EXPECT_EQ(page.crs[14], 0xc2000000u);
      EXPECT_EQ(page.gbea, 1u);
      abi::kvm_sregs registers;
      ASSERT_EQ(user.Pass(cpu.fd, abi::KVM_GET_SREGS, registers), 0);
      EXPECT_EQ(registers.crs[0], 0xe0u);
      std::uint64_t gbea = 0;
      abi::kvm_one_reg request{abi::KVM_REG_S390_GBEA, reinterpret_cast<std::uintptr_t>(&gbea)};
      ASSERT_EQ(user.Pass(cpu.fd, abi::KVM_GET_ONE_REG, request), 0);
      EXPECT_EQ(gbea, 1u);
    }
  }
}

TEST(Stsi, DescribesTheMachine) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xb2, 0x7d, 0x10, 0x00,    // STSI 0(1)
                0x83, 0x00, 0x05, 0x01});  // DIAG 0,0,0x501
  const auto run = [&](std::uint64_t r0, std::uint64_t r1) {
    KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
    cpu.run->s.regs.gprs[0] = r0;
    cpu.run->s.regs.gprs[1] = r1;
    EXPECT_EQ(user.Run(cpu), 0);
    return static_cast<unsigned>(cpu.run->psw_mask >> 44 & 3);
  };
  EXPECT_EQ(run(0, 0), 0u);
  EXPECT_EQ(cpu.run->s.regs.gprs[0], std::uint64_t{3} << 28);
  EXPECT_EQ(run(std::uint64_t{4} << 28, 0), 3u);
  user.Program({0xb2, 0x7d, 0x20, 0x00});  // STSI 0(2)
  cpu.run->s.regs.gprs[2] = 0x5000;
  EXPECT_EQ(run((std::uint64_t{3} << 28) | 2, 2), 0u);
  EXPECT_EQ(user.Load<std::uint64_t>(0x5000 + 32 + 24), 0xd2e5d461d38995a4u);  // KVM/Linu
  EXPECT_EQ(user.Load<std::uint16_t>(0x5000 + 32 + 4), 1);
  EXPECT_EQ(run((std::uint64_t{3} << 28) | 2, 3), 3u);
}

TEST(ChannelSubsystem, BelongsToTheUserOnceEnabled) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0xb2, 0x35, 0x00, 0x00,    // TSCH 0
                0x83, 0x00, 0x05, 0x01});  // DIAG 0,0,0x501
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_mask >> 44 & 3, 3u);
  ASSERT_EQ(user.EnableCapability(cpu.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
  for (const bool pending : {true, false}) {
    if (pending) {
      abi::kvm_s390_interrupt io{7, 0x00010007, std::uint64_t{0xcafe} << 32 | 0x18000000};
      ASSERT_EQ(user.Pass(user.vm(), abi::KVM_S390_INTERRUPT, io), 0);
    }
    KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
    cpu.run->s.regs.gprs[1] = 0x00010007;
    EXPECT_EQ(user.Run(cpu), 0);
    EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_TSCH);
    EXPECT_EQ(cpu.run->s390_tsch.dequeued, pending);
    if (pending) {
      EXPECT_EQ(cpu.run->s390_tsch.io_int_parm, 0xcafeu);
    }
  }
}

TEST(MachineWithTwoCpus, RunsThemConcurrently) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu(0);
  Vcpu& other = user.AddCpu(1);
  user.SetNewPsw(kExternalNew, KernelUser::kDisabledWait, kHandler);
  // CPU 1 waits for an emergency signal; CPU 0 sends it by SIGP.
  KernelUser::SetControl(other, 0, 0x4000);
  KernelUser::SetPsw(other, KernelUser::kDisabledWait | Psw::kExternal, 0x100);
  std::thread runner([&] { EXPECT_EQ(user.Run(other), 0); });
  const SigpAnswer answer = Signal(user, cpu, 3, 1);
  runner.join();
  EXPECT_EQ(answer.cc, 0u);
  ExpectIntercept(other, abi::ICPT_WAIT, 0, 0);
  EXPECT_EQ(other.run->psw_addr, kHandler);
  EXPECT_EQ(user.Load<std::uint16_t>(0x84), 0);  // from CPU 0
}

}  // namespace
}  // namespace lethe::emulated
