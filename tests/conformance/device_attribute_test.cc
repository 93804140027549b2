// KVM_{SET,GET,HAS}_DEVICE_ATTR of a machine: memory, clock, cryptography, migration, topology.

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

constexpr std::uint32_t kMemory = abi::KVM_S390_VM_MEM_CTRL;
constexpr std::uint32_t kTod = abi::KVM_S390_VM_TOD;
constexpr std::uint32_t kCrypto = abi::KVM_S390_VM_CRYPTO;
constexpr std::uint32_t kMigration = abi::KVM_S390_VM_MIGRATION;
constexpr std::uint32_t kTopology = abi::KVM_S390_VM_CPU_TOPOLOGY;

using DeviceAttribute = MachineTest;

TEST_F(DeviceAttribute, UnknownGroupsDoNotExist) {
  std::uint64_t value = 0;
  EXPECT_EQ(SetValue(vm(), 100, 0, value), -ENXIO);
  EXPECT_EQ(GetAttribute(vm(), 100, 0, &value), -ENXIO);
  EXPECT_EQ(HasAttribute(vm(), 100, 0), -ENXIO);
}

TEST_F(DeviceAttribute, UnknownAttributesDoNotExist) {
  std::uint64_t value = 0;
  for (const std::uint32_t group : {kMemory, kTod, kCrypto}) {
    EXPECT_EQ(SetValue(vm(), group, 100, value), -ENXIO) << group;
    EXPECT_EQ(GetAttribute(vm(), group, 100, &value), -ENXIO) << group;
    EXPECT_EQ(HasAttribute(vm(), group, 100), -ENXIO) << group;
  }
}

class MemoryLimit : public MachineTest {
 protected:
  // Before any slot, as a limit makes a new, empty address space.
  MemoryLimit() { EXPECT_EQ(SetSlot(0, 0, 0, 0), 0); }
  int Set(std::uint64_t limit) {
    return SetValue(vm(), kMemory, abi::KVM_S390_VM_MEM_LIMIT_SIZE, limit);
  }
  std::uint64_t Get() {
    std::uint64_t limit = 0;
    EXPECT_EQ(GetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_LIMIT_SIZE, &limit), 0);
    return limit;
  }
};

TEST_F(MemoryLimit, IsThere) {
  EXPECT_EQ(HasAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_LIMIT_SIZE), 0);
}

TEST_F(MemoryLimit, IsTheHostsAtFirst) { EXPECT_GE(Get(), std::uint64_t{1} << 31); }

TEST_F(MemoryLimit, CanBeLowered) { EXPECT_EQ(Set(std::uint64_t{1} << 31), 0); }

TEST_F(MemoryLimit, ReadsAsTheHostsAfterwardsToo) {
  const std::uint64_t before = Get();
  ASSERT_EQ(Set(std::uint64_t{1} << 31), 0);
  EXPECT_EQ(Get(), before);
}

TEST_F(MemoryLimit, CannotBeBeyondTheHosts) {
  const std::uint64_t limit = Get();
  if (limit + 1 == 0) GTEST_SKIP() << "this host has no limit";
  EXPECT_EQ(Set(limit), 0);
  EXPECT_EQ(Set(limit + 1), -E2BIG);
  EXPECT_EQ(Set(abi::KVM_S390_NO_MEM_LIMIT), -E2BIG);
}

TEST_F(MemoryLimit, CannotBeNothing) { EXPECT_EQ(Set(0), -EINVAL); }

TEST_F(MemoryLimit, IsSettledByTheFirstCpu) {
  AddCpu();
  EXPECT_EQ(Set(std::uint64_t{1} << 31), -EBUSY);
  EXPECT_EQ(Set(0), -EINVAL);  // looked at before
}

TEST_F(MemoryLimit, IsAFaultWhereItCannotBeReadOrWritten) {
  EXPECT_EQ(SetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_LIMIT_SIZE, nullptr), -EFAULT);
  EXPECT_EQ(GetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_LIMIT_SIZE, nullptr), -EFAULT);
}

class CollaborativeMemory : public MachineTest {
 protected:
  bool Offered() { return HasAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_ENABLE_CMMA) == 0; }
};

TEST_F(CollaborativeMemory, IsEnabledWhereTheHostHasIt) {
  EXPECT_EQ(SetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_ENABLE_CMMA), Offered() ? 0 : -ENXIO);
}

TEST_F(CollaborativeMemory, BothAttributesAreThereOrNeither) {
  EXPECT_EQ(HasAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_CLR_CMMA), Offered() ? 0 : -ENXIO);
}

TEST_F(CollaborativeMemory, IsClearedOnlyWhenEnabled) {
  EXPECT_EQ(SetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_CLR_CMMA),
            Offered() ? -EINVAL : -ENXIO);
}

TEST_F(CollaborativeMemory, CannotBeRead) {
  std::uint64_t value = 0;
  EXPECT_EQ(GetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_ENABLE_CMMA, &value), -ENXIO);
  EXPECT_EQ(GetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_CLR_CMMA, &value), -ENXIO);
}

TEST_F(CollaborativeMemory, IsSettledByTheFirstCpu) {
  AddCpu();
  EXPECT_EQ(SetAttribute(vm(), kMemory, abi::KVM_S390_VM_MEM_ENABLE_CMMA),
            Offered() ? -EBUSY : -ENXIO);
}

class TodClock : public MachineTest {
 protected:
  static constexpr std::uint64_t kSecond = std::uint64_t{4096} * 1'000'000;
  static constexpr std::uint64_t kSomeTime = 0xd000'0000'0000'0000;
  // Longer than any test takes.
  static constexpr std::uint64_t kHour = 3600 * kSecond;
};

TEST_F(TodClock, HasTwoAttributesAndAHiddenOne) {
  EXPECT_EQ(HasAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_LOW), 0);
  EXPECT_EQ(HasAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_HIGH), 0);
  EXPECT_EQ(HasAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_EXT), -ENXIO);
}

TEST_F(TodClock, GoesOnFromWhatWasSet) {
  ASSERT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_LOW, kSomeTime), 0);
  std::uint64_t now = 0;
  ASSERT_EQ(GetAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_LOW, &now), 0);
  EXPECT_GE(now, kSomeTime);
  EXPECT_LT(now, kSomeTime + kHour);
}

TEST_F(TodClock, TheExtendedFormIsTheSameClock) {
  const abi::kvm_s390_vm_tod_clock set{0, kSomeTime};
  ASSERT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_EXT, set), 0);
  abi::kvm_s390_vm_tod_clock got{0xff, 0};
  ASSERT_EQ(GetAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_EXT, &got), 0);
  EXPECT_EQ(got.epoch_idx, 0u);
  EXPECT_GE(got.tod, kSomeTime);
  EXPECT_LT(got.tod, kSomeTime + kHour);
}

TEST_F(TodClock, TheHighPartIsZero) {
  std::uint8_t high = 0xff;
  ASSERT_EQ(GetAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_HIGH, &high), 0);
  EXPECT_EQ(high, 0u);
  EXPECT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_HIGH, std::uint8_t{0}), 0);
  EXPECT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_HIGH, std::uint8_t{1}), -EINVAL);
}

TEST_F(TodClock, EpochsNeedTheMultipleEpochFacility) {
  const abi::kvm_s390_vm_tod_clock clock{1, kSomeTime};
  EXPECT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_EXT, clock), ProcessorHas(139) ? 0 : -EINVAL);
}

TEST_F(TodClock, TakesNoFlags) {
  std::uint64_t value = kSomeTime;
  EXPECT_EQ(SetAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_LOW, &value, 1), -EINVAL);
  EXPECT_EQ(GetAttribute(vm(), kTod, abi::KVM_S390_VM_TOD_LOW, &value, 1), -EINVAL);
}

TEST_F(TodClock, IsAFaultWhereItCannotBeReadOrWritten) {
  for (const std::uint64_t attribute :
       {abi::KVM_S390_VM_TOD_LOW, abi::KVM_S390_VM_TOD_HIGH, abi::KVM_S390_VM_TOD_EXT}) {
    EXPECT_EQ(SetAttribute(vm(), kTod, attribute, nullptr), -EFAULT) << attribute;
    EXPECT_EQ(GetAttribute(vm(), kTod, attribute, nullptr), -EFAULT) << attribute;
  }
}

TEST_F(TodClock, IsTheGuests) {
  // STCK X'800'; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xb2, 0x05, 0x08, 0x00, 0x83, 0x00, 0x05, 0x01});
  ASSERT_EQ(SetValue(vm(), kTod, abi::KVM_S390_VM_TOD_LOW, kSomeTime), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_GE(Load<std::uint64_t>(0x800), kSomeTime);
  EXPECT_LT(Load<std::uint64_t>(0x800), kSomeTime + kHour);
}

using Cryptography = MachineTest;

TEST_F(Cryptography, WrappingKeysAreThere) {
  for (std::uint64_t attribute = 0; attribute < 4; ++attribute)
    EXPECT_EQ(HasAttribute(vm(), kCrypto, attribute), 0) << attribute;
}

TEST_F(Cryptography, WrappingKeysNeedFacility76) {
  const int wanted = ProcessorHas(76) && OffersFacility(76) ? 0 : -EINVAL;
  for (std::uint64_t attribute = 0; attribute < 4; ++attribute)
    EXPECT_EQ(SetAttribute(vm(), kCrypto, attribute), wanted) << attribute;
}

TEST_F(Cryptography, AdjunctProcessorsAreBothThereOrNeither) {
  const int has = HasAttribute(vm(), kCrypto, abi::KVM_S390_VM_CRYPTO_ENABLE_APIE);
  EXPECT_TRUE(has == 0 || has == -ENXIO) << has;
  EXPECT_EQ(HasAttribute(vm(), kCrypto, abi::KVM_S390_VM_CRYPTO_DISABLE_APIE), has);
}

TEST_F(Cryptography, AdjunctProcessorsNeedTheHosts) {
  const bool offered = HasAttribute(vm(), kCrypto, abi::KVM_S390_VM_CRYPTO_ENABLE_APIE) == 0;
  for (const std::uint64_t attribute :
       {abi::KVM_S390_VM_CRYPTO_ENABLE_APIE, abi::KVM_S390_VM_CRYPTO_DISABLE_APIE}) {
    EXPECT_EQ(SetAttribute(vm(), kCrypto, attribute), offered ? 0 : -EOPNOTSUPP);
  }
}

TEST_F(Cryptography, CannotBeRead) {
  std::uint64_t value = 0;
  for (std::uint64_t attribute = 0; attribute < 6; ++attribute)
    EXPECT_EQ(GetAttribute(vm(), kCrypto, attribute, &value), -ENXIO) << attribute;
}

class Migration : public MachineTest {
 protected:
  int Start() { return SetAttribute(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_START); }
  int Stop() { return SetAttribute(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_STOP); }
  std::uint64_t Status() {
    std::uint64_t status = 99;
    EXPECT_EQ(GetAttribute(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_STATUS, &status), 0);
    return status;
  }
};

TEST_F(Migration, IsThereWithEveryAttribute) {
  for (const std::uint64_t attribute : {0, 1, 2, 3, 100})
    EXPECT_EQ(HasAttribute(vm(), kMigration, attribute), 0) << attribute;
}

TEST_F(Migration, IsOffAtFirst) { EXPECT_EQ(Status(), 0u); }

TEST_F(Migration, StartsAndStops) {
  ASSERT_EQ(Start(), 0);
  EXPECT_EQ(Status(), 1u);
  EXPECT_EQ(Start(), 0);
  ASSERT_EQ(Stop(), 0);
  EXPECT_EQ(Status(), 0u);
  EXPECT_EQ(Stop(), 0);
}

TEST_F(Migration, NeedsMemory) {
  ASSERT_EQ(SetSlot(0, 0, 0, 0), 0);
  EXPECT_EQ(Start(), -EINVAL);
}

TEST_F(Migration, OnlyTheStatusCanBeRead) {
  std::uint64_t value = 0;
  EXPECT_EQ(GetAttribute(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_START, &value), -ENXIO);
  EXPECT_EQ(GetAttribute(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_STATUS, nullptr), -EFAULT);
}

TEST_F(Migration, TheStatusCannotBeSet) {
  EXPECT_EQ(SetValue(vm(), kMigration, abi::KVM_S390_VM_MIGRATION_STATUS, std::uint64_t{1}),
            -ENXIO);
}

TEST_F(Migration, EndsWithANewSlotThatDoesNotLog) {
  SharedMemory more(kSegmentSize);
  ASSERT_EQ(Start(), 0);
  ASSERT_EQ(SetSlot(1, 64 * kSegmentSize, kSegmentSize, more.address()), 0);
  EXPECT_EQ(Status(), 0u);
}

TEST_F(Migration, GoesOnWithANewSlotThatLogs) {
  SharedMemory more(kSegmentSize);
  ASSERT_EQ(Start(), 0);
  ASSERT_EQ(
      SetSlot(1, 64 * kSegmentSize, kSegmentSize, more.address(), abi::KVM_MEM_LOG_DIRTY_PAGES), 0);
  EXPECT_EQ(Status(), 1u);
}

TEST_F(Migration, GoesOnWhenASlotGoes) {
  SharedMemory more(kSegmentSize);
  ASSERT_EQ(SetSlot(1, 64 * kSegmentSize, kSegmentSize, more.address()), 0);
  ASSERT_EQ(Start(), 0);
  ASSERT_EQ(SetSlot(1, 0, 0, 0), 0);
  EXPECT_EQ(Status(), 1u);
}

TEST_F(Migration, GoesOnWhenASlotIsSetAgainUnchanged) {
  ASSERT_EQ(Start(), 0);
  ASSERT_EQ(SetSlot(0, 0, memory().size(), memory().address()), 0);
  EXPECT_EQ(Status(), 1u);
}

TEST_F(Migration, EndsWhenASlotStopsLogging) {
  ASSERT_EQ(SetSlot(0, 0, memory().size(), memory().address(), abi::KVM_MEM_LOG_DIRTY_PAGES), 0);
  ASSERT_EQ(Start(), 0);
  ASSERT_EQ(SetSlot(0, 0, memory().size(), memory().address()), 0);
  EXPECT_EQ(Status(), 0u);
}

using Topology = MachineTest;

TEST_F(Topology, IsNotThereUnlessEnabled) {
  std::uint8_t report = 0;
  EXPECT_EQ(HasAttribute(vm(), kTopology, 0), -ENXIO);
  EXPECT_EQ(SetAttribute(vm(), kTopology, 1), -ENXIO);
  EXPECT_EQ(GetAttribute(vm(), kTopology, 0, &report), -ENXIO);
}

TEST_F(Topology, KeepsAChangeReport) {
  if (EnableCapability(vm(), abi::KVM_CAP_S390_CPU_TOPOLOGY) != 0)
    GTEST_SKIP() << "no configuration topology";
  std::uint8_t report = 0xff;
  ASSERT_EQ(GetAttribute(vm(), kTopology, 0, &report), 0);
  EXPECT_EQ(report, 0u);
  ASSERT_EQ(SetAttribute(vm(), kTopology, 1), 0);
  ASSERT_EQ(GetAttribute(vm(), kTopology, 0, &report), 0);
  EXPECT_EQ(report, 1u);
  ASSERT_EQ(SetAttribute(vm(), kTopology, 0), 0);
  ASSERT_EQ(GetAttribute(vm(), kTopology, 0, &report), 0);
  EXPECT_EQ(report, 0u);
}

}  // namespace
}  // namespace lethe::conformance
