// Interruptions: which can be injected, when they are delivered, in which order, and what the guest
// then finds in its prefix area.

#include <chrono>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

// Bits of machine-check interruption codes.
constexpr std::uint64_t kSystemDamage = 0x8000'0000'0000'0000;   // exigent
constexpr std::uint64_t kChannelReport = 0x0040'0000'0000'0000;  // repressible
constexpr std::uint64_t kVectorValid = 0x0000'0040'0000'0000;
constexpr std::uint64_t kGuardedStorageValid = 0x0000'0000'0800'0000;

// --- what can be injected ------------------------------------------------------------------------

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

// --- KVM_S390_{GET,SET}_IRQ_STATE ----------------------------------------------------------------

class InterruptState : public OneCpu {
 protected:
  int Set(void* list, std::uint32_t length, std::uint32_t flags = 0) {
    abi::kvm_s390_irq_state state{};
    state.buf = reinterpret_cast<std::uintptr_t>(list);
    state.len = length;
    state.flags = flags;
    return Pass(cpu_.fd, abi::KVM_S390_SET_IRQ_STATE, state);
  }
  int Get(void* list, std::uint32_t length) {
    abi::kvm_s390_irq_state state{};
    state.buf = reinterpret_cast<std::uintptr_t>(list);
    state.len = length;
    return Pass(cpu_.fd, abi::KVM_S390_GET_IRQ_STATE, state);
  }
  static abi::kvm_s390_irq Emergency() {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EMERGENCY;
    return irq;
  }
  static constexpr std::uint32_t kSize = sizeof(abi::kvm_s390_irq);
};

TEST_F(InterruptState, OfNothingIsNothing) {
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, sizeof(list)), 0);
}

TEST_F(InterruptState, WantsRoom) {
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, 0), -EINVAL);
}

TEST_F(InterruptState, SaysWhenThereIsTooLittleRoom) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, kSize), -ENOBUFS);
  EXPECT_EQ(Get(list, 2 * kSize), static_cast<int>(2 * kSize));
}

TEST_F(InterruptState, TakesNothingAway) {
  ASSERT_EQ(InjectEmergency(0), 0);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
}

TEST_F(InterruptState, ToABadPlaceIsAFault) {
  ASSERT_EQ(InjectEmergency(0), 0);
  EXPECT_EQ(Get(reinterpret_cast<void*>(8), 4096), -EFAULT);
}

TEST_F(InterruptState, SetWantsWholeInterruptions) {
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, 0), -EINVAL);
  EXPECT_EQ(Set(&irq, kSize - 1), -EINVAL);
  EXPECT_EQ(Set(&irq, kSize + 1), -EINVAL);
}

TEST_F(InterruptState, SetHasALimit) {
  std::vector<abi::kvm_s390_irq> list(abi::KVM_S390_MAX_LOCAL_IRQS + 1, Emergency());
  EXPECT_EQ(Set(list.data(), static_cast<std::uint32_t>(list.size() * kSize)), -EINVAL);
  EXPECT_EQ(Set(list.data(), static_cast<std::uint32_t>((list.size() - 1) * kSize)), 0);
}

TEST_F(InterruptState, SetIgnoresFlags) {
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, kSize, 0xffff), 0);
}

TEST_F(InterruptState, SetIsBusyWhenSomethingIsPending) {
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, kSize), -EBUSY);
}

TEST_F(InterruptState, SetFromABadPlaceIsAFault) {
  EXPECT_EQ(Set(reinterpret_cast<void*>(8), kSize), -EFAULT);
}

TEST_F(InterruptState, SetStopsAtTheFirstThatCannotBe) {
  abi::kvm_s390_irq list[3] = {Emergency(), Emergency(), Emergency()};
  list[1].u.emerg.code = 9;  // nobody
  EXPECT_EQ(Set(list, sizeof(list)), -EINVAL);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
}

TEST_F(InterruptState, KeepsParameters) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_PFAULT_INIT;
  irq.u.ext.ext_params2 = 0x1122334455667788;
  ASSERT_EQ(Inject(irq), 0);
  const auto pending = PendingOf(cpu_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].u.ext.ext_params2, 0x1122334455667788);
}

// --- what the guest finds ------------------------------------------------------------------------

class Delivery : public OneCpu {
 protected:
  Delivery() { EnableSubclasses(); }
  static constexpr std::uint64_t kEnabled = kSupervisor | kAllOn;
  // Runs until something is delivered.
  void Deliver(std::uint64_t new_psw) {
    Program({0x83, 0x00, 0x02, 0x88});  // nothing was
    SetPsw(cpu_, kEnabled);
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(Landed(), new_psw);
    EXPECT_EQ(Load<std::uint64_t>(OldPswOf(new_psw)), kEnabled);
    EXPECT_EQ(Load<std::uint64_t>(OldPswOf(new_psw) + 8), kProgramAt);
  }
  void ExpectExternal(std::uint16_t code, std::uint16_t address = 0, std::uint32_t parameter = 0) {
    Deliver(kExternalNew);
    EXPECT_EQ(Load<std::uint16_t>(0x86), code);
    EXPECT_EQ(Load<std::uint16_t>(0x84), address);
    if (parameter != 0) {
      EXPECT_EQ(Load<std::uint32_t>(0x80), parameter);
    }
  }
};

TEST_F(Delivery, EmergencySignal) {
  AddCpu(5);
  ASSERT_EQ(InjectEmergency(5), 0);
  ExpectExternal(0x1201, 5);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(Delivery, EmergencySignalsComeOneByOneLowestSourceFirst) {
  AddCpu(5);
  ASSERT_EQ(InjectEmergency(5), 0);
  ASSERT_EQ(InjectEmergency(0), 0);
  ExpectExternal(0x1201, 0);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
  ExpectExternal(0x1201, 5);
}

TEST_F(Delivery, ExternalCall) {
  AddCpu(5);
  ASSERT_EQ(InjectExternalCall(5), 0);
  ExpectExternal(0x1202, 5);
}

TEST_F(Delivery, AnExternalCallCanFollowADeliveredOne) {
  ASSERT_EQ(InjectExternalCall(0), 0);
  ExpectExternal(0x1202);
  EXPECT_EQ(InjectExternalCall(0), 0);
}

TEST_F(Delivery, ClockComparator) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  ExpectExternal(0x1004);
}

TEST_F(Delivery, CpuTimer) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0}), 0);
  ExpectExternal(0x1005);
}

TEST_F(Delivery, InjectedTimerInterruptionsAreForgottenUnlessTheTimersSaySo) {
  ASSERT_EQ(InjectType(abi::KVM_S390_INT_CLOCK_COMP), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_INT_CPU_TIMER), 0);
  Complete({}, kEnabled);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(Delivery, Service) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  ExpectExternal(0x2401, 0, 0x12340);
}

TEST_F(Delivery, ServiceEventsComeFirstAndAlone) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12341), 0);
  ExpectExternal(0x2401, 0, 1);
  ExpectExternal(0x2401, 0, 0x12340);
}

TEST_F(Delivery, ServiceEventAlone) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 1), 0);
  ExpectExternal(0x2401, 0, 1);
}

TEST_F(Delivery, ASecondServiceCallIsDroppedWhileOneIsPending) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x56780), 0);
  ExpectExternal(0x2401, 0, 0x12340);
  Program({0x83, 0x00, 0x02, 0x88});
  SetPsw(cpu_, kEnabled);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), 0);
}

TEST_F(Delivery, PageFaultInitial) {
  ASSERT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_PFAULT_INIT, 0, 0x1122334455667788), 0);
  ExpectExternal(0x2603, 0x0600);
  EXPECT_EQ(Load<std::uint64_t>(0x11b8), 0x1122334455667788);
}

TEST_F(Delivery, PageFaultCompleted) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_PFAULT_DONE, 0, 0x1122334455667788), 0);
  ExpectExternal(0x2603, 0x0680);
  EXPECT_EQ(Load<std::uint64_t>(0x11b8), 0x1122334455667788);
}

TEST_F(Delivery, Virtio) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_VIRTIO, 0x42, 0x1122334455667788), 0);
  ExpectExternal(0x2603, 0x0d00, 0x42);
  EXPECT_EQ(Load<std::uint64_t>(0x11b8), 0x1122334455667788);
}

TEST_F(Delivery, InputOutput) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0x11223344, 3), 0);
  Deliver(kInputOutputNew);
  EXPECT_EQ(Load<std::uint16_t>(0xb8), 1);
  EXPECT_EQ(Load<std::uint16_t>(0xba), 0x42);
  EXPECT_EQ(Load<std::uint32_t>(0xbc), 0x11223344u);
  EXPECT_EQ(Load<std::uint32_t>(0xc0), 3u << 27);
}

TEST_F(Delivery, Restart) {
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  Deliver(kRestartNew);
}

TEST_F(Delivery, ExigentMachineCheck) {
  ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
  Deliver(kMachineCheckNew);
  EXPECT_NE(Load<std::uint64_t>(0xe8) & kSystemDamage, 0);
}

TEST_F(Delivery, RepressibleMachineCheck) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_MCHK, kChannelReportOn, kChannelReport), 0);
  Deliver(kMachineCheckNew);
  EXPECT_NE(Load<std::uint64_t>(0xe8) & kChannelReport, 0);
}

TEST_F(Delivery, AMachineCheckSavesRegisters) {
  General(5) = 0x5555;
  ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
  Deliver(kMachineCheckNew);
  EXPECT_EQ(Load<std::uint64_t>(0x1280 + 5 * 8), 0x5555);
  EXPECT_EQ(Load<std::uint64_t>(0x1380 + 6 * 8), kAllSubclassesOn);
}

TEST_F(Delivery, AMachineCheckHasItsAddressAndDamageCode) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_MCHK;
  irq.u.mchk.mcic = kSystemDamage;
  irq.u.mchk.failing_storage_address = 0x77000;
  irq.u.mchk.ext_damage_code = 0x1234;
  ASSERT_EQ(Inject(irq), 0);
  Deliver(kMachineCheckNew);
  EXPECT_EQ(Load<std::uint64_t>(0xf8), 0x77000);
  EXPECT_EQ(Load<std::uint32_t>(0xf4), 0x1234u);
}

TEST_F(Delivery, AMachineCheckHasNoVectorRegistersWithoutAPlaceForThem) {
  ASSERT_EQ(InjectMachineCheck(kSystemDamage | kVectorValid | kGuardedStorageValid, 0), 0);
  Deliver(kMachineCheckNew);
  EXPECT_EQ(Load<std::uint64_t>(0xe8) & (kVectorValid | kGuardedStorageValid), 0);
}

TEST_F(Delivery, IsInThePrefixArea) {
  cpu_.run->s.regs.prefix = 0x6000;
  cpu_.run->kvm_dirty_regs |= abi::KVM_SYNC_PREFIX;
  Store(0x6000 + kExternalNew, kSupervisor);
  Store(0x6000 + kExternalNew + 8, LandingOf(kExternalNew));
  ASSERT_EQ(InjectEmergency(0), 0);
  SetPsw(cpu_, kEnabled);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x6086), 0x1201);
  EXPECT_EQ(Load<std::uint64_t>(0x6138), kProgramAt);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0);
}

TEST_F(Delivery, SetPrefixComesWithTheNextRun) {
  ASSERT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_SIGP_SET_PREFIX, 0x6000), 0);
  Complete({});
  EXPECT_EQ(cpu_.run->s.regs.prefix, 0x6000);
}

// --- program interruptions -----------------------------------------------------------------------

class ProgramInjection : public OneCpu {
 protected:
  void Deliver(std::uint64_t address = kProgramAt) {
    SetPsw(cpu_, kSupervisor, address);
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(Landed(), kProgramNew);
  }
  abi::kvm_s390_irq irq_{abi::KVM_S390_PROGRAM_INT, {}};
};

TEST_F(ProgramInjection, HasItsCode) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 6);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
}

TEST_F(ProgramInjection, WithoutAnInterceptTheLengthIs0) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 0);
}

TEST_F(ProgramInjection, TheLengthIsThatOfTheInterceptedInstruction) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 4);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 4);
}

TEST_F(ProgramInjection, TheLengthIsTheUsersIfHeSaysSo) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ASSERT_EQ(InjectProgram(6, abi::KVM_S390_PGM_FLAGS_ILC_VALID | 2), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 2);
}

TEST_F(ProgramInjection, ANullifyingOneGoesBackToTheInstruction) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.trans_exc_code = 0x12345000;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345000);
}

TEST_F(ProgramInjection, UnlessTheUserHasGoneBack) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.flags = abi::KVM_S390_PGM_FLAGS_ILC_VALID | 4 | abi::KVM_S390_PGM_FLAGS_NO_REWIND;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 4);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 4);
}

TEST_F(ProgramInjection, TheLastOneCounts) {
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(InjectProgram(5), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 5);
}

TEST_F(ProgramInjection, DataHasItsCode) {
  irq_.u.pgm.code = 7;
  irq_.u.pgm.data_exc_code = 0x20;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint32_t>(0x90), 0x20u);
}

TEST_F(ProgramInjection, MonitorHasClassAndCode) {
  irq_.u.pgm.code = 0x40;
  irq_.u.pgm.mon_class_nr = 0x12;
  irq_.u.pgm.mon_code = 0x3456;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x94), 0x12);
  EXPECT_EQ(Load<std::uint64_t>(0xb0), 0x3456);
}

TEST_F(ProgramInjection, ProtectionHasAddressAndAccessRegister) {
  irq_.u.pgm.code = 4;
  irq_.u.pgm.trans_exc_code = 0x12345004;
  irq_.u.pgm.exc_access_id = 3;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345004);
  EXPECT_EQ(Load<std::uint8_t>(0xa0), 3);
}

TEST_F(ProgramInjection, PageTranslationHasAddressAndAccessRegisters) {
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.trans_exc_code = 0x12345000;
  irq_.u.pgm.exc_access_id = 3;
  irq_.u.pgm.op_access_id = 5;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345000);
  EXPECT_EQ(Load<std::uint8_t>(0xa0), 3);
  EXPECT_EQ(Load<std::uint8_t>(0xa2), 5);
}

TEST_F(ProgramInjection, PerHasItsFields) {
  irq_.u.pgm.code = 0x80;
  irq_.u.pgm.per_code = 0x40;
  irq_.u.pgm.per_atmid = 0x90;
  irq_.u.pgm.per_address = 0x12346;
  irq_.u.pgm.per_access_id = 2;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 0x80);
  EXPECT_EQ(Load<std::uint8_t>(0x96), 0x40);
  EXPECT_EQ(Load<std::uint8_t>(0x97), 0x90);
  EXPECT_EQ(Load<std::uint64_t>(0x98), 0x12346);
  EXPECT_EQ(Load<std::uint8_t>(0xa1), 2);
}

TEST_F(ProgramInjection, PerComesTogetherWithAnother) {
  irq_.u.pgm.code = 0x80;
  irq_.u.pgm.per_code = 0x40;
  irq_.u.pgm.per_address = 0x12346;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 0x86);
  EXPECT_EQ(Load<std::uint64_t>(0x98), 0x12346);
}

TEST_F(ProgramInjection, HasTheBreakingEventAddress) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_GBEA, 0x13570), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0x110), 0x13570);
}

TEST_F(ProgramInjection, IsTakenWithEverythingDisabled) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
}

// --- masks ---------------------------------------------------------------------------------------

struct MaskCase {
  const char* name;
  std::uint64_t type;
  std::uint64_t psw;       // bits that must be on
  int control;             // register with the subclass mask; 0, 6, 14
  std::uint64_t subclass;  // 0: none
  std::uint64_t new_psw;
};
class Mask : public OneCpu, public ::testing::WithParamInterface<MaskCase> {
 protected:
  void InjectIt() {
    const MaskCase& c = GetParam();
    switch (c.type) {
      case abi::KVM_S390_INT_VIRTIO:
      case abi::KVM_S390_INT_SERVICE:
      case abi::KVM_S390_INT_PFAULT_DONE:
        ASSERT_EQ(Interrupt(vm(), c.type, 0x12340), 0);
        return;
      case abi::KVM_S390_MCHK:
        if (c.subclass != 0) {
          ASSERT_EQ(Interrupt(vm(), c.type, kChannelReportOn, kChannelReport), 0);
        } else {
          ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
        }
        return;
      case 0x42:
        ASSERT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
        return;
      case abi::KVM_S390_INT_CLOCK_COMP:
      case abi::KVM_S390_INT_CPU_TIMER:
        return;  // timers are no matter of injection
      default:
        ASSERT_EQ(InjectType(c.type), 0);
    }
  }
  void Enable() {
    EnableSubclasses();
    if (GetParam().type == abi::KVM_S390_INT_CLOCK_COMP) {
      SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0);
    }
    if (GetParam().type == abi::KVM_S390_INT_CPU_TIMER) {
      SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0});
    }
  }
  void RunWith(std::uint64_t psw, bool subclasses) {
    Enable();
    if (!subclasses) {
      const std::uint64_t others = GetParam().control == 0    ? 0xe0 | kAllExternalOn
                                   : GetParam().control == 14 ? 0xc200'0000 | kAllSubclassesOn
                                                              : kAllSubclassesOn;
      SetControl(cpu_, GetParam().control, others & ~GetParam().subclass);
    }
    Program({0x83, 0x00, 0x02, 0x88});
    SetPsw(cpu_, kSupervisor | psw);
    ASSERT_EQ(Run(cpu_), 0);
  }
};

TEST_P(Mask, OfThePswHoldsItBack) {
  InjectIt();
  RunWith(kAllOn & ~GetParam().psw, true);
  EXPECT_EQ(Landed(), 0);
  EXPECT_EQ(cpu_.run->s390_sieic.ipb, 0x02880000u);
}

TEST_P(Mask, OfThePswLetsItThrough) {
  InjectIt();
  RunWith(GetParam().psw, true);
  EXPECT_EQ(Landed(), GetParam().new_psw);
}

TEST_P(Mask, OfTheSubclassHoldsItBack) {
  if (GetParam().subclass == 0) GTEST_SKIP() << "it has none";
  InjectIt();
  RunWith(kAllOn, false);
  EXPECT_EQ(Landed(), 0);
}

TEST_P(Mask, OpenedByTheGuestLetsItThrough) {
  InjectIt();
  Enable();
  Store<std::uint64_t>(0x508, kSupervisor | kAllOn);
  Store<std::uint64_t>(0x510, 0x12000);
  EXPECT_EQ(Execute({0xb2, 0xb2, 0x05, 0x08}), 0);  // LPSWE 0x508
  EXPECT_EQ(Landed(), GetParam().new_psw);
  EXPECT_EQ(Load<std::uint64_t>(OldPswOf(GetParam().new_psw) + 8), 0x12000);
}

INSTANTIATE_TEST_SUITE_P(
    Type, Mask,
    ::testing::Values(
        MaskCase{"EMERGENCY", abi::KVM_S390_INT_EMERGENCY, kExternalOn, 0, kEmergencyOn,
                 kExternalNew},
        MaskCase{"EXTERNAL_CALL", abi::KVM_S390_INT_EXTERNAL_CALL, kExternalOn, 0, kExternalCallOn,
                 kExternalNew},
        MaskCase{"CLOCK_COMP", abi::KVM_S390_INT_CLOCK_COMP, kExternalOn, 0, kClockComparatorOn,
                 kExternalNew},
        MaskCase{"CPU_TIMER", abi::KVM_S390_INT_CPU_TIMER, kExternalOn, 0, kCpuTimerOn,
                 kExternalNew},
        MaskCase{"SERVICE", abi::KVM_S390_INT_SERVICE, kExternalOn, 0, kServiceSignalOn,
                 kExternalNew},
        MaskCase{"PFAULT_INIT", abi::KVM_S390_INT_PFAULT_INIT, kExternalOn, 0, 0, kExternalNew},
        MaskCase{"PFAULT_DONE", abi::KVM_S390_INT_PFAULT_DONE, kExternalOn, 0, 0, kExternalNew},
        MaskCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO, kExternalOn, 0, 0, kExternalNew},
        MaskCase{"IO", 0x42, kInputOutputOn, 6, 0x1000'0000, kInputOutputNew},
        MaskCase{"MCHK_exigent", abi::KVM_S390_MCHK, kMachineCheckOn, 14, 0, kMachineCheckNew},
        MaskCase{"MCHK_repressible", abi::KVM_S390_MCHK, kMachineCheckOn, 14, kChannelReportOn,
                 kMachineCheckNew}),
    CaseName());

struct UnmaskedCase {
  const char* name;
  std::uint64_t type;
};

class Unmasked : public OneCpu, public ::testing::WithParamInterface<UnmaskedCase> {};

// The service-signal mask is no affair of these.
TEST_P(Unmasked, TheServiceSignalMaskDoesNotHoldItBack) {
  const bool local = GetParam().type == abi::KVM_S390_INT_PFAULT_INIT;
  ASSERT_EQ(Interrupt(local ? cpu_.fd : vm(), GetParam().type), 0);
  EnableSubclasses();
  SetControl(cpu_, 0, 0xe0);
  Program({0x83, 0x00, 0x02, 0x88});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
}

INSTANTIATE_TEST_SUITE_P(
    Type, Unmasked,
    ::testing::Values(UnmaskedCase{"PFAULT_INIT", abi::KVM_S390_INT_PFAULT_INIT},
                      UnmaskedCase{"PFAULT_DONE", abi::KVM_S390_INT_PFAULT_DONE},
                      UnmaskedCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO}),
    CaseName());

// --- order ---------------------------------------------------------------------------------------

class Priority : public OneCpu {
 protected:
  struct Delivered {
    std::uint64_t new_psw;
    std::uint32_t code;
    bool operator==(const Delivered&) const = default;
  };
  // Everything that is delivered, one run each, as new PSW and code.
  std::vector<Delivered> DeliverAll() {
    std::vector<Delivered> list;
    EnableSubclasses();
    if (timers_due_) {
      SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0);
      SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0});
    }
    Program({0x83, 0x00, 0x02, 0x88});
    for (int turn = 0; turn < 40; ++turn) {
      SetPsw(cpu_, kSupervisor | kAllOn);
      EXPECT_EQ(Run(cpu_), 0);
      const std::uint64_t landed = Landed();
      if (landed == 0) break;
      std::uint32_t code = 0;
      if (landed == kExternalNew) {
        code = std::uint32_t{Load<std::uint16_t>(0x86)} << 16 | Load<std::uint16_t>(0x84);
      } else if (landed == kInputOutputNew) {
        code = Load<std::uint32_t>(0xc0) >> 27;
      }
      list.push_back({landed, code});
      if (code == 0x1004'0000) SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
      if (code == 0x1005'0000) {
        SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0} >> 1);
      }
    }
    return list;
  }

  bool timers_due_ = false;
};

TEST_F(Priority, IsThatOfTheClassesAndThenOfKvm) {
  AddCpu(1);
  for (unsigned subclass = 8; subclass-- > 0;) {
    ASSERT_EQ(InjectInputOutput(1, 0x42, 0, subclass), 0);
  }
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_VIRTIO), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_PFAULT_DONE), 0);
  ASSERT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_PFAULT_INIT), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  timers_due_ = true;
  ASSERT_EQ(InjectExternalCall(1), 0);
  ASSERT_EQ(InjectEmergency(1), 0);
  ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
  std::vector<Delivered> expected = {
      {kMachineCheckNew, 0},       {kExternalNew, 0x1201'0001}, {kExternalNew, 0x1202'0001},
      {kExternalNew, 0x1004'0000}, {kExternalNew, 0x1005'0000}, {kExternalNew, 0x2401'0000},
      {kExternalNew, 0x2603'0600}, {kExternalNew, 0x2603'0680}, {kExternalNew, 0x2603'0d00}};
  for (std::uint32_t subclass = 0; subclass < 8; ++subclass) {
    expected.push_back({kInputOutputNew, subclass});
  }
  EXPECT_EQ(DeliverAll(), expected);
}

TEST_F(Priority, MachineChecksComeBeforeExternalOnes) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_MCHK, kChannelReportOn, kChannelReport), 0);
  EXPECT_EQ(DeliverAll(),
            (std::vector<Delivered>{{kMachineCheckNew, 0}, {kExternalNew, 0x1201'0000}}));
}

TEST_F(Priority, InputOutputOfOneSubclassComesInOrder) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
  ASSERT_EQ(InjectInputOutput(1, 0x43, 0, 3), 0);
  EnableSubclasses();
  for (const std::uint16_t number : {0x42, 0x43}) {
    SetPsw(cpu_, kSupervisor | kAllOn);
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(Landed(), kInputOutputNew);
    EXPECT_EQ(Load<std::uint16_t>(0xba), number);
  }
}

TEST_F(Priority, RestartFollowsAnExternalOneAtOnce) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  EnableSubclasses();
  SetPsw(cpu_, kSupervisor | kAllOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), LandingOf(kExternalNew));
  EXPECT_EQ(Load<std::uint64_t>(0x138), kProgramAt);
}

TEST_F(Priority, RestartFollowsAProgramInterruptionAtOnce) {
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  SetPsw(cpu_, kSupervisor);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), LandingOf(kProgramNew));
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
}

TEST_F(Priority, ServiceEventsComeWithTheServiceCall) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 1), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  const auto delivered = DeliverAll();
  ASSERT_FALSE(delivered.empty());
  EXPECT_EQ(delivered[0].code, 0x2401'0000u);
}

// --- timers --------------------------------------------------------------------------------------

class Timers : public OneCpu {
 protected:
  // The TOD clock as the guest reads it.
  std::uint64_t Tod() {
    Complete({0xb2, 0x05, 0x05, 0x00});  // STCK 0x500
    return Load<std::uint64_t>(0x500);
  }
  static constexpr std::uint64_t kMillisecond = 4096 * 1000;
};

TEST_F(Timers, APassedClockComparatorInterrupts) {
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
}

TEST_F(Timers, TheClockComparatorEndsALoop) {
  const std::uint64_t now = Tod();
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, now + 30 * kMillisecond), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
  EXPECT_GT(Tod(), now + 30 * kMillisecond);
}

TEST_F(Timers, TheClockComparatorEndsAWait) {
  const std::uint64_t now = Tod();
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, now + 30 * kMillisecond), 0);
  SetPsw(cpu_, kEnabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
  EXPECT_EQ(Load<std::uint64_t>(0x138), 0x1000);
  EXPECT_GT(Tod(), now + 30 * kMillisecond);
}

TEST_F(Timers, AClockComparatorThatIsMaskedDoesNotInterrupt) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  SetControl(cpu_, 0, 0xe0);
  Complete({}, kSupervisor | kExternalOn);
}

TEST_F(Timers, TheClockComparatorStaysPending) {
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  for (int turn = 0; turn < 2; ++turn) {
    Program({0xa7, 0xf4, 0x00, 0x00});
    SetPsw(cpu_, kSupervisor | kExternalOn);
    ASSERT_EQ(Run(cpu_), 0);
    EXPECT_EQ(Landed(), kExternalNew);
  }
}

// What a timer interrupts into has it enabled still: the guest would never come out again.
TEST_F(Timers, AClockComparatorWithoutAnEndIsIntercept20) {
  constexpr std::uint64_t kHandler = 0x3000;
  Program({0xa7, 0xf4, 0x00, 0x00}, kHandler);
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, kHandler);
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(20);
  EXPECT_EQ(cpu_.run->psw_addr, kHandler);
}

TEST_F(Timers, ACpuTimerWithoutAnEndIsIntercept20) {
  constexpr std::uint64_t kHandler = 0x3000;
  Program({0xa7, 0xf4, 0x00, 0x00}, kHandler);
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, kHandler);
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0}), 0);
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(20);
  EXPECT_EQ(cpu_.run->psw_addr, kHandler);
}

// One that comes while the guest executes is not even taken.
TEST_F(Timers, AClockComparatorThatWouldNotEndIsIntercept20) {
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, 0x3000);
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, Tod() + 30 * kMillisecond), 0);
  ASSERT_EQ(Execute({0xa7, 0xf4, 0x00, 0x00}, kSupervisor | kExternalOn), 0);
  ExpectIntercept(20);
}

TEST_F(Timers, ANegativeCpuTimerInterrupts) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0}), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerEndsALoop) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 20 * kMillisecond), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerEndsAWait) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 20 * kMillisecond), 0);
  SetPsw(cpu_, kEnabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerStandsStillOutsideOfKvmRun) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 0x7000'0000'0000'0000), 0);
  Complete({});
  const std::uint64_t value = OneRegister(abi::KVM_REG_S390_CPU_TIMER);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_CPU_TIMER), value);
}

// --- waits ---------------------------------------------------------------------------------------

struct WakeCase {
  const char* name;
  std::uint64_t type;
  std::uint64_t new_psw;
};
class Wake : public OneCpu, public ::testing::WithParamInterface<WakeCase> {};

TEST_P(Wake, EndsAnEnabledWait) {
  EnableSubclasses();
  SetPsw(cpu_, kDisabledWait | kAllOn, 0x1000);
  EXPECT_EQ(RunBeside([&](pthread_t) {
              switch (GetParam().type) {
                case abi::KVM_S390_INT_SERVICE:
                case abi::KVM_S390_INT_VIRTIO:
                  EXPECT_EQ(Interrupt(vm(), GetParam().type, 0x12340), 0);
                  return;
                case 0x42:
                  EXPECT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
                  return;
                default:
                  EXPECT_EQ(InjectType(GetParam().type), 0);
              }
            }),
            0);
  EXPECT_EQ(Landed(), GetParam().new_psw);
  EXPECT_EQ(Load<std::uint64_t>(OldPswOf(GetParam().new_psw) + 8), 0x1000);
}

INSTANTIATE_TEST_SUITE_P(
    Type, Wake,
    ::testing::Values(WakeCase{"EMERGENCY", abi::KVM_S390_INT_EMERGENCY, kExternalNew},
                      WakeCase{"EXTERNAL_CALL", abi::KVM_S390_INT_EXTERNAL_CALL, kExternalNew},
                      WakeCase{"SERVICE", abi::KVM_S390_INT_SERVICE, kExternalNew},
                      WakeCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO, kExternalNew},
                      WakeCase{"IO", 0x42, kInputOutputNew},
                      WakeCase{"RESTART", abi::KVM_S390_RESTART, kRestartNew},
                      WakeCase{"PROGRAM_INT", abi::KVM_S390_PROGRAM_INT, kProgramNew}),
    CaseName());

TEST_F(Injection, AMaskedInterruptionDoesNotEndAWait) {
  SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
  SetPsw(cpu_, kEnabledWait, 0x1000);  // control register 0 masks it
  EXPECT_EQ(RunBeside([&](pthread_t thread) {
              EXPECT_EQ(InjectEmergency(0), 0);
              std::this_thread::sleep_for(std::chrono::milliseconds(10));
              Kick(thread);
            }),
            -EINTR);
  EXPECT_EQ(cpu_.run->psw_addr, 0x1000);
}

TEST_F(Injection, RestartEndsADisabledWait) {
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  SetPsw(cpu_, kDisabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), 0x1000);
}

}  // namespace
}  // namespace lethe::conformance
