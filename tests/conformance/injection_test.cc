// What can be made pending for a CPU or the machine, and by whom.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

using Injection = OneCpu;

struct LocalCase {
  const char* name;
  std::uint64_t type;
};
class LocalType : public OneCpu, public ::testing::WithParamInterface<LocalCase> {
 protected:
  int InjectIt() {
    if (GetParam().type == abi::KVM_S390_MCHK) return InjectMachineCheck(kSystemDamage, 0);
    return InjectType(GetParam().type);
  }
};

TEST_P(LocalType, CanBeInjectedIntoACpu) {
  EXPECT_EQ(InjectIt(), 0);
  const auto pending = PendingOf(cpu_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].type, GetParam().type);
}

TEST_P(LocalType, CanBeInjectedTheOlderWay) {
  const std::uint64_t parameter = GetParam().type == abi::KVM_S390_MCHK ? kSystemDamage : 0;
  EXPECT_EQ(Interrupt(cpu_.fd, GetParam().type, 0, parameter), 0);
  const auto pending = PendingOf(cpu_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].type, GetParam().type);
}

TEST_P(LocalType, CanBeBroughtBackAsState) {
  EXPECT_EQ(InjectIt(), 0);
  std::vector<abi::kvm_s390_irq> pending = PendingOf(cpu_);
  ASSERT_EQ(pending.size(), 1);
  Machine::Vcpu& other = AddCpu(1);
  abi::kvm_s390_irq_state state{};
  state.buf = reinterpret_cast<std::uintptr_t>(pending.data());
  state.len = sizeof(pending[0]);
  EXPECT_EQ(Pass(other.fd, abi::KVM_S390_SET_IRQ_STATE, state), 0);
  const auto moved = PendingOf(other);
  ASSERT_EQ(moved.size(), 1);
  EXPECT_EQ(moved[0].type, GetParam().type);
}

TEST_P(LocalType, IsGoneAfterAReset) {
  EXPECT_EQ(InjectIt(), 0);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

INSTANTIATE_TEST_SUITE_P(
    Type, LocalType,
    ::testing::Values(LocalCase{"PROGRAM_INT", abi::KVM_S390_PROGRAM_INT},
                      LocalCase{"SIGP_SET_PREFIX", abi::KVM_S390_SIGP_SET_PREFIX},
                      LocalCase{"RESTART", abi::KVM_S390_RESTART},
                      LocalCase{"PFAULT_INIT", abi::KVM_S390_INT_PFAULT_INIT},
                      LocalCase{"MCHK", abi::KVM_S390_MCHK},
                      LocalCase{"CLOCK_COMP", abi::KVM_S390_INT_CLOCK_COMP},
                      LocalCase{"CPU_TIMER", abi::KVM_S390_INT_CPU_TIMER},
                      LocalCase{"EMERGENCY", abi::KVM_S390_INT_EMERGENCY},
                      LocalCase{"EXTERNAL_CALL", abi::KVM_S390_INT_EXTERNAL_CALL}),
    CaseName());

class FloatingType : public OneCpu, public ::testing::WithParamInterface<LocalCase> {};

TEST_P(FloatingType, IsNotForACpu) {
  EXPECT_EQ(InjectType(GetParam().type), -EINVAL);
  EXPECT_EQ(Interrupt(cpu_.fd, GetParam().type), -EINVAL);
}

TEST_P(FloatingType, CanBeInjectedIntoTheMachine) {
  EXPECT_EQ(Interrupt(vm(), GetParam().type), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

INSTANTIATE_TEST_SUITE_P(Type, FloatingType,
                         ::testing::Values(LocalCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO},
                                           LocalCase{"SERVICE", abi::KVM_S390_INT_SERVICE},
                                           LocalCase{"PFAULT_DONE", abi::KVM_S390_INT_PFAULT_DONE},
                                           LocalCase{"IO", 0x00010042}),
                         CaseName());

TEST_F(Injection, LocalTypesAreNotForTheMachine) {
  for (const std::uint64_t type :
       {abi::KVM_S390_SIGP_STOP, abi::KVM_S390_PROGRAM_INT, abi::KVM_S390_SIGP_SET_PREFIX,
        abi::KVM_S390_RESTART, abi::KVM_S390_INT_PFAULT_INIT, abi::KVM_S390_INT_CLOCK_COMP,
        abi::KVM_S390_INT_CPU_TIMER, abi::KVM_S390_INT_EMERGENCY,
        abi::KVM_S390_INT_EXTERNAL_CALL}) {
    EXPECT_EQ(Interrupt(vm(), type), -EINVAL) << std::hex << type;
  }
}

TEST_F(Injection, AMachineCheckOfNeitherKindIsNotPending) {
  EXPECT_EQ(InjectMachineCheck(kChannelReport, kChannelReportOn), 0);  // only floating
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(Injection, UnknownTypesAreInvalid) {
  EXPECT_EQ(InjectType(0xfffe0099), -EINVAL);
  EXPECT_EQ(InjectType(0xffff1203), -EINVAL);
  EXPECT_EQ(Interrupt(cpu_.fd, 0xfffe0099), -EINVAL);
  EXPECT_EQ(Interrupt(vm(), 0xfffe0099), -EINVAL);
}

TEST_F(Injection, ParametersOfTheOlderWayHave16Bits) {
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_PROGRAM_INT, 0x10000), -EINVAL);
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_EMERGENCY, 0x10000), -EINVAL);
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_EXTERNAL_CALL, 0x10000), -EINVAL);
}

TEST_F(Injection, TheSourceOfAnEmergencySignalExists) {
  EXPECT_EQ(InjectEmergency(7), -EINVAL);
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_EMERGENCY, 7), -EINVAL);
}

TEST_F(Injection, TheSourceOfAnExternalCallExists) { EXPECT_EQ(InjectExternalCall(7), -EINVAL); }

TEST_F(Injection, OneExternalCallIsPending) {
  EXPECT_EQ(InjectExternalCall(0), 0);
  EXPECT_EQ(InjectExternalCall(0), -EBUSY);
}

TEST_F(Injection, EmergencySignalsArePendingPerSource) {
  AddCpu(1);
  EXPECT_EQ(InjectEmergency(0), 0);
  EXPECT_EQ(InjectEmergency(1), 0);
  EXPECT_EQ(InjectEmergency(1), 0);
  EXPECT_EQ(PendingOf(cpu_).size(), 2);
}

TEST_F(Injection, SetPrefixOfAnOperatingCpuIsBusy) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(InjectType(abi::KVM_S390_SIGP_SET_PREFIX), -EBUSY);
}

TEST_F(Injection, StopHasOneFlag) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_SIGP_STOP;
  irq.u.stop.flags = 2;
  EXPECT_EQ(Inject(irq), -EINVAL);
}

}  // namespace
}  // namespace lethe::conformance
