#include "accel/kvm-s390/vcpu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "accel/kvm-s390/pv_command.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"

namespace lethe::kvm {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VcpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<System> system = System::Open(faults_);
    ASSERT_THAT(system, IsOk());
    absl::StatusOr<Vm> vm = system->CreateVm();
    ASSERT_THAT(vm, IsOk());
    vm_.emplace(*std::move(vm));
    absl::StatusOr<std::unique_ptr<Vcpu>> vcpu = vm_->CreateVcpu(3);
    ASSERT_THAT(vcpu, IsOk());
    vcpu_ = *std::move(vcpu);
  }

  // Enter() with a KVM_RUN that does `run` and returns 0.
  absl::StatusOr<VcpuExit> EnterWith(std::function<void(abi::kvm_run&)> run) {
    kernel_.on_run = [run = std::move(run)](unsigned, abi::kvm_run& area) {
      run(area);
      return 0;
    };
    return vcpu_->Enter();
  }

  FakeKernel kernel_;
  FaultInjectingKernel faults_{kernel_};
  std::optional<Vm> vm_;
  std::unique_ptr<Vcpu> vcpu_;
};

TEST_F(VcpuTest, DecodesAnIntercept) {
  absl::StatusOr<VcpuExit> exit = EnterWith([](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
    run.s390_sieic = {.icptcode = abi::ICPT_PV_INSTR, .ipa = 0x8302, .ipb = 0x50000000};
  });
  ASSERT_THAT(exit, IsOk());
  EXPECT_EQ(std::get<Intercept>(*exit), (Intercept{104, 0x8302, 0x50000000}));
}

TEST_F(VcpuTest, DecodesAResetRequest) {
  absl::StatusOr<VcpuExit> exit = EnterWith([](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_RESET;
    run.s390_reset_flags = 30;
  });
  ASSERT_THAT(exit, IsOk());
  EXPECT_EQ(std::get<ResetRequest>(*exit), ResetRequest{30});
}

TEST_F(VcpuTest, DecodesTestSubchannelWithAndWithoutInterruption) {
  auto run = [](bool dequeued) {
    return [dequeued](abi::kvm_run& area) {
      area.exit_reason = abi::KVM_EXIT_S390_TSCH;
      area.s390_tsch = {.subchannel_id = 1,
                        .subchannel_nr = 2,
                        .io_int_parm = 3,
                        .io_int_word = 4,
                        .ipb = 5,
                        .dequeued = dequeued ? std::uint8_t{1} : std::uint8_t{0}};
    };
  };
  absl::StatusOr<VcpuExit> exit = EnterWith(run(true));
  ASSERT_THAT(exit, IsOk());
  auto tsch = std::get<TestSubchannel>(*exit);
  EXPECT_EQ(tsch.ipb, 5u);
  ASSERT_TRUE(tsch.dequeued.has_value());
  EXPECT_EQ(tsch.dequeued->subchannel_number, 2);
  exit = EnterWith(run(false));
  ASSERT_THAT(exit, IsOk());
  EXPECT_FALSE(std::get<TestSubchannel>(*exit).dequeued.has_value());
}

TEST_F(VcpuTest, DecodesStoreSystemInformationAndDebug) {
  absl::StatusOr<VcpuExit> exit = EnterWith([](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_STSI;
    run.s390_stsi = {.addr = 0x1000, .ar = 1, .reserved = 0, .fc = 3, .sel1 = 2, .sel2 = 0x202};
  });
  ASSERT_THAT(exit, IsOk());
  auto stsi = std::get<StoreSystemInformation>(*exit);
  EXPECT_EQ(stsi.address, 0x1000u);
  EXPECT_EQ(stsi.function_code, 3);
  EXPECT_EQ(stsi.selector_2, 0x202);
  exit = EnterWith([](abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_DEBUG;
    run.debug.arch = {.addr = 0x42, .type = abi::KVM_SINGLESTEP, .pad = {}};
  });
  ASSERT_THAT(exit, IsOk());
  EXPECT_EQ(std::get<DebugStop>(*exit).address, 0x42u);
}

TEST_F(VcpuTest, KeepsTheReasonOfAnExitItDoesNotKnow) {
  absl::StatusOr<VcpuExit> exit = EnterWith([](abi::kvm_run& run) { run.exit_reason = 77; });
  ASSERT_THAT(exit, IsOk());
  EXPECT_EQ(std::get<UnknownExit>(*exit).reason, 77u);
}

TEST_F(VcpuTest, NamesCpuAndPswWhenTheGuestCannotGoOn) {
  vcpu_->set_psw({0x180000000, 0x10000});
  kernel_.on_run = [](unsigned, abi::kvm_run&) { return -EINVAL; };
  EXPECT_THAT(vcpu_->Enter(), FailsWith(AllOf(HasSubstr("CPU 3"), HasSubstr("0000000000010000"))));
}

TEST_F(VcpuTest, EntersAgainWhenTheKernelAsksForIt) {
  int runs = 0;
  kernel_.on_run = [&runs](unsigned, abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
    return ++runs < 3 ? -EAGAIN : 0;
  };
  EXPECT_THAT(vcpu_->Enter(), IsOk());
  EXPECT_EQ(runs, 3);
}

TEST_F(VcpuTest, KickBeforeEnterIsNotLost) {
  vcpu_->Kick();
  absl::StatusOr<VcpuExit> exit = vcpu_->Enter();
  ASSERT_THAT(exit, IsOk());
  EXPECT_TRUE(std::holds_alternative<Interrupted>(*exit));
  // It counts once.
  exit = EnterWith([](abi::kvm_run& run) { run.exit_reason = abi::KVM_EXIT_S390_SIEIC; });
  ASSERT_THAT(exit, IsOk());
  EXPECT_TRUE(std::holds_alternative<Intercept>(*exit));
}

TEST_F(VcpuTest, EveryKickIsSeenByTheThreadThatRuns) {
  constexpr int kRequests = 2000;
  std::atomic<int> requested = 0;
  std::thread runner([&] {
    while (requested.load() < kRequests) {
      absl::StatusOr<VcpuExit> exit = vcpu_->Enter();
      ASSERT_THAT(exit, IsOk());
      ASSERT_TRUE(std::holds_alternative<Interrupted>(*exit));
    }
  });
  for (int i = 0; i < kRequests; ++i) {
    requested.fetch_add(1);
    vcpu_->Kick();
  }
  runner.join();
}

TEST_F(VcpuTest, StateIsTheResultOfTheRequest) {
  absl::StatusOr<VcpuState> state = vcpu_->State();
  ASSERT_THAT(state, IsOk());
  EXPECT_EQ(*state, VcpuState::kStopped);
  EXPECT_THAT(vcpu_->SetState(VcpuState::kOperating), IsOk());
  state = vcpu_->State();
  ASSERT_THAT(state, IsOk());
  EXPECT_EQ(*state, VcpuState::kOperating);
  EXPECT_THAT(vcpu_->SetState(VcpuState::kLoad), FailsWith(HasSubstr("CPU 3")));
}

TEST_F(VcpuTest, ResetsAreThreeRequests) {
  EXPECT_THAT(vcpu_->NormalReset(), IsOk());
  EXPECT_THAT(vcpu_->InitialReset(), IsOk());
  EXPECT_THAT(vcpu_->ClearReset(), IsOk());
  EXPECT_THAT(kernel_.Trace(),
              ElementsAre("cpu 3 normal-reset", "cpu 3 initial-reset", "cpu 3 clear-reset"));
}

TEST_F(VcpuTest, SidaBelongsToProtectedCpus) {
  const std::uint8_t out[] = {1, 2, 3};
  EXPECT_FALSE(vcpu_->WriteSida(0, out).ok());
  ASSERT_TRUE(PvCommand(*vm_).Enable().ok());
  EXPECT_THAT(vcpu_->WriteSida(4093, out), IsOk());
  std::uint8_t in[3] = {};
  EXPECT_THAT(vcpu_->ReadSida(4093, absl::MakeSpan(in)), IsOk());
  EXPECT_THAT(in, ElementsAre(1, 2, 3));
  EXPECT_FALSE(vcpu_->ReadSida(4094, absl::MakeSpan(in)).ok());
}

TEST_F(VcpuTest, RegistersByIdHaveTheirWidth) {
  EXPECT_THAT(vcpu_->SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 0x123456789abcdef0), IsOk());
  absl::StatusOr<std::uint64_t> value = vcpu_->OneRegister(abi::KVM_REG_S390_CPU_TIMER);
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(*value, 0x123456789abcdef0u);
  EXPECT_THAT(vcpu_->SetOneRegister(abi::KVM_REG_S390_TODPR, 0xfeedc0fe), IsOk());
  value = vcpu_->OneRegister(abi::KVM_REG_S390_TODPR);
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(*value, 0xfeedc0feu);
}

TEST_F(VcpuTest, InjectsWithPayload) {
  abi::kvm_s390_irq seen = {};
  kernel_.On(abi::KVM_S390_IRQ, [&seen](int, std::uintptr_t argument) {
    seen = *reinterpret_cast<const abi::kvm_s390_irq*>(argument);
    return 0;
  });
  EXPECT_THAT(vcpu_->InjectProgram(6), IsOk());
  EXPECT_EQ(seen.type, abi::KVM_S390_PROGRAM_INT);
  EXPECT_EQ(seen.u.pgm.code, 6);
  EXPECT_THAT(vcpu_->InjectStop(true), IsOk());
  EXPECT_EQ(seen.type, abi::KVM_S390_SIGP_STOP);
  EXPECT_EQ(seen.u.stop.flags, abi::KVM_S390_STOP_FLAG_STORE_STATUS);
}

TEST_F(VcpuTest, NamesTheCpuThatCannotBeMade) {
  faults_.Inject({.request = abi::KVM_CREATE_VCPU, .error = EEXIST});
  EXPECT_THAT(vm_->CreateVcpu(4), FailsWith(HasSubstr("CPU 4")));
  EXPECT_THAT(vm_->CreateVcpu(3), FailsWith(HasSubstr("CPU 3")));  // exists
}

}  // namespace
}  // namespace lethe::kvm
