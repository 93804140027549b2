// KVM_ENABLE_CAP.

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

using EnableCapabilityOf = MachineTest;

TEST_F(EnableCapabilityOf, TheMachineTakesTheseAtAnyTime) {
  for (const unsigned number : {abi::KVM_CAP_S390_IRQCHIP, abi::KVM_CAP_S390_USER_SIGP,
                                abi::KVM_CAP_S390_USER_STSI, abi::KVM_CAP_S390_USER_INSTR0}) {
    EXPECT_EQ(EnableCapability(vm(), number), 0) << number;
  }
  AddCpu();
  for (const unsigned number : {abi::KVM_CAP_S390_IRQCHIP, abi::KVM_CAP_S390_USER_SIGP,
                                abi::KVM_CAP_S390_USER_STSI, abi::KVM_CAP_S390_USER_INSTR0}) {
    EXPECT_EQ(EnableCapability(vm(), number), 0) << number;
  }
}

TEST_F(EnableCapabilityOf, UnknownOnesAreInvalid) {
  EXPECT_EQ(EnableCapability(vm(), 100000), -EINVAL);
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_USER_MEMORY), -EINVAL);
}

TEST_F(EnableCapabilityOf, FlagsAreInvalid) {
  abi::kvm_enable_cap wanted{};
  wanted.cap = abi::KVM_CAP_S390_IRQCHIP;
  wanted.flags = 1;
  EXPECT_EQ(Pass(vm(), abi::KVM_ENABLE_CAP, wanted), -EINVAL);
}

TEST_F(EnableCapabilityOf, FacilitiesAreSettledByTheFirstCpu) {
  AddCpu();
  for (const unsigned number :
       {abi::KVM_CAP_S390_VECTOR_REGISTERS, abi::KVM_CAP_S390_RI, abi::KVM_CAP_S390_GS,
        abi::KVM_CAP_S390_AIS, abi::KVM_CAP_S390_CPU_TOPOLOGY, abi::KVM_CAP_S390_HPAGE_1M}) {
    EXPECT_EQ(EnableCapability(vm(), number), -EBUSY) << number;
  }
}

TEST_F(EnableCapabilityOf, VectorRegistersNeedTheHosts) {
  const bool offered = Extension(abi::KVM_CAP_S390_VECTOR_REGISTERS) != 0;
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_VECTOR_REGISTERS), offered ? 0 : -EINVAL);
}

TEST_F(EnableCapabilityOf, RuntimeInstrumentationNeedsTheHosts) {
  const bool offered = Extension(abi::KVM_CAP_S390_RI) != 0;
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_RI), offered ? 0 : -EINVAL);
}

TEST_F(EnableCapabilityOf, GuardedStorageNeedsTheHosts) {
  const bool offered = Extension(abi::KVM_CAP_S390_GS) != 0;
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_GS), offered ? 0 : -EINVAL);
}

TEST_F(EnableCapabilityOf, TopologyNeedsTheHosts) {
  const bool offered = Extension(abi::KVM_CAP_S390_CPU_TOPOLOGY) != 0;
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_CPU_TOPOLOGY), offered ? 0 : -EINVAL);
}

TEST_F(EnableCapabilityOf, LargePagesNeedTheModulesParameter) {
  const bool offered = Extension(abi::KVM_CAP_S390_HPAGE_1M) != 0;
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_HPAGE_1M), offered ? 0 : -EINVAL);
}

TEST_F(EnableCapabilityOf, AdapterInterruptionSuppressionNeedsNothing) {
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_AIS), 0);
}

TEST_F(EnableCapabilityOf, AdapterInterruptionSuppressionIsFacility72OfTheProcessor) {
  EXPECT_FALSE(ProcessorHas(72));
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_AIS), 0);
  EXPECT_TRUE(ProcessorHas(72));
}

TEST_F(EnableCapabilityOf, HaltPollingTakes32Bits) {
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_HALT_POLL, 50'000), 0);
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_HALT_POLL, std::uint64_t{1} << 32), -EINVAL);
}

TEST_F(EnableCapabilityOf, ACpuTakesTheChannelSubsystemOnly) {
  Vcpu& cpu = AddCpu();
  EXPECT_EQ(EnableCapability(cpu.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
  EXPECT_EQ(EnableCapability(cpu.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
  EXPECT_EQ(EnableCapability(cpu.fd, abi::KVM_CAP_S390_IRQCHIP), -EINVAL);
}

TEST_F(EnableCapabilityOf, TheMachineDoesNotTakeTheChannelSubsystem) {
  EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_CSS_SUPPORT), -EINVAL);
}

TEST_F(EnableCapabilityOf, ACpuTakesNoFlags) {
  abi::kvm_enable_cap wanted{};
  wanted.cap = abi::KVM_CAP_S390_CSS_SUPPORT;
  wanted.flags = 1;
  EXPECT_EQ(Pass(AddCpu().fd, abi::KVM_ENABLE_CAP, wanted), -EINVAL);
}

}  // namespace
}  // namespace lethe::conformance
