// KVM_CHECK_EXTENSION.

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

using Capability = MachineTest;

TEST_F(Capability, UnknownOnesAreAbsent) {
  EXPECT_EQ(Extension(0), 0);
  EXPECT_EQ(Extension(100000), 0);
  EXPECT_EQ(Call(system(), abi::KVM_CHECK_EXTENSION, 100000), 0);
}

TEST_F(Capability, TheSystemAndAMachineAnswerAlike) {
  for (unsigned number = 0; number < 260; ++number) {
    EXPECT_EQ(Call(system(), abi::KVM_CHECK_EXTENSION, number), Extension(number)) << number;
  }
}

TEST_F(Capability, WhatAllKernelsForThisArchitectureOffer) {
  for (const unsigned number :
       {abi::KVM_CAP_USER_MEMORY, abi::KVM_CAP_MP_STATE, abi::KVM_CAP_SYNC_MMU,
        abi::KVM_CAP_ENABLE_CAP, abi::KVM_CAP_ENABLE_CAP_VM, abi::KVM_CAP_ONE_REG,
        abi::KVM_CAP_SYNC_REGS, abi::KVM_CAP_DEVICE_CTRL, abi::KVM_CAP_VM_ATTRIBUTES,
        abi::KVM_CAP_CHECK_EXTENSION_VM, abi::KVM_CAP_IMMEDIATE_EXIT, abi::KVM_CAP_USER_MEMORY2}) {
    EXPECT_EQ(Extension(number), 1) << number;
  }
}

TEST_F(Capability, WhatOnlyThisArchitectureOffers) {
  for (const unsigned number :
       {abi::KVM_CAP_S390_PSW, abi::KVM_CAP_S390_GMAP, abi::KVM_CAP_S390_CSS_SUPPORT,
        abi::KVM_CAP_S390_IRQCHIP, abi::KVM_CAP_S390_USER_SIGP, abi::KVM_CAP_S390_USER_STSI,
        abi::KVM_CAP_S390_SKEYS, abi::KVM_CAP_S390_INJECT_IRQ, abi::KVM_CAP_S390_IRQ_STATE,
        abi::KVM_CAP_S390_USER_INSTR0, abi::KVM_CAP_S390_VCPU_RESETS, abi::KVM_CAP_S390_DIAG318}) {
    EXPECT_EQ(Extension(number), 1) << number;
  }
}

TEST_F(Capability, EventDescriptorsInBothDirections) {
  EXPECT_EQ(Extension(abi::KVM_CAP_IOEVENTFD), 1);
  EXPECT_EQ(Extension(abi::KVM_CAP_IOEVENTFD_ANY_LENGTH), 1);
  EXPECT_EQ(Extension(abi::KVM_CAP_IRQFD), 1);
  EXPECT_EQ(Extension(abi::KVM_CAP_IRQFD_RESAMPLE), 1);
  EXPECT_EQ(Extension(abi::KVM_CAP_IRQ_ROUTING), 4096);
}

TEST_F(Capability, AdapterInterruptionSuppressionIsEmulated) {
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_AIS), 1);
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_AIS_MIGRATION), 1);
}

TEST_F(Capability, CollaborativeMemoryMigrationIsAnnouncedOnEveryHost) {
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_CMMA_MIGRATION), 1);
}

TEST_F(Capability, HaltPollingCanBeSetPerMachine) {
  EXPECT_EQ(Extension(abi::KVM_CAP_HALT_POLL), 1);
}

TEST_F(Capability, AsynchronousPageFaults) { EXPECT_EQ(Extension(abi::KVM_CAP_ASYNC_PF), 1); }

TEST_F(Capability, GuestDebuggingSaysWhichFlagsItKnows) {
  if (Extension(abi::KVM_CAP_SET_GUEST_DEBUG) == 0) GTEST_SKIP() << "no guest debugging";
  EXPECT_EQ(Extension(abi::KVM_CAP_SET_GUEST_DEBUG2), 0x10010003);
}

TEST_F(Capability, MemoryOperationsMove64KiB) {
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_MEM_OP), 65536);
}

TEST_F(Capability, MemoryOperationsKnowKeysAbsoluteStorageAndCompareAndExchange) {
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_MEM_OP_EXTENSION), 3);
}

TEST_F(Capability, MemorySlots) { EXPECT_EQ(Extension(abi::KVM_CAP_NR_MEMSLOTS), 32767); }

TEST_F(Capability, CpusAndCpuAddressesAreAsMany) {
  const int cpus = Extension(abi::KVM_CAP_MAX_VCPUS);
  EXPECT_TRUE(cpus == 64 || cpus == 248 || cpus == 255) << cpus;
  EXPECT_EQ(Extension(abi::KVM_CAP_MAX_VCPU_ID), cpus);
  EXPECT_GE(Extension(abi::KVM_CAP_NR_VCPUS), 1);
  EXPECT_LE(Extension(abi::KVM_CAP_NR_VCPUS), cpus);
}

TEST_F(Capability, WhatThisArchitectureDoesNotHave) {
  for (const unsigned number : {abi::KVM_CAP_READONLY_MEM, abi::KVM_CAP_COALESCED_MMIO,
                                abi::KVM_CAP_SIGNAL_MSI, abi::KVM_CAP_GUEST_MEMFD,
                                abi::KVM_CAP_PRE_FAULT_MEMORY, abi::KVM_CAP_IOEVENTFD_NO_LENGTH}) {
    EXPECT_EQ(Extension(number), 0) << number;
  }
}

TEST_F(Capability, ProtectionsCompanionsNeedProtection) {
  if (Extension(abi::KVM_CAP_S390_PROTECTED) != 0) GTEST_SKIP() << "this host has an Ultravisor";
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_PROTECTED_DUMP), 0);
  EXPECT_EQ(Extension(abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE), 0);
}

TEST_F(Capability, TopologyGoesWithFacility11) {
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_CPU_TOPOLOGY, 0, 0};
  // A guest has it only after the capability has been enabled.
  EXPECT_EQ(Pass(vm(), abi::KVM_HAS_DEVICE_ATTR, attribute), -ENXIO);
  if (Extension(abi::KVM_CAP_S390_CPU_TOPOLOGY) == 0) GTEST_SKIP() << "no configuration topology";
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_CPU_TOPOLOGY), 0);
  EXPECT_EQ(Pass(vm(), abi::KVM_HAS_DEVICE_ATTR, attribute), 0);
}

}  // namespace
}  // namespace lethe::conformance
