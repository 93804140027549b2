// What the guest finds in its prefix area when an interruption is taken.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

constexpr std::uint64_t kVectorValid = 0x0000'0040'0000'0000;
constexpr std::uint64_t kGuardedStorageValid = 0x0000'0000'0800'0000;

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

}  // namespace
}  // namespace lethe::conformance
