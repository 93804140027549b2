// KVM_S390_GET_SKEYS and KVM_S390_SET_SKEYS.

#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

class StorageKeys : public MachineTest {
 protected:
  static constexpr std::uint64_t kPages = kMemorySize / kPageSize;

  int Get(std::uint64_t first, std::uint64_t count, void* to, std::uint32_t flags = 0) {
    abi::kvm_s390_skeys request{};
    request.start_gfn = first;
    request.count = count;
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(to);
    request.flags = flags;
    return Pass(vm(), abi::KVM_S390_GET_SKEYS, request);
  }
  int Set(std::uint64_t first, std::vector<std::uint8_t> keys, std::uint32_t flags = 0) {
    abi::kvm_s390_skeys request{};
    request.start_gfn = first;
    request.count = keys.size();
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(keys.data());
    request.flags = flags;
    return Pass(vm(), abi::KVM_S390_SET_SKEYS, request);
  }
  // The key of a page without its reference and change bits, which come and go.
  std::uint8_t Key(std::uint64_t page) {
    std::uint8_t key = 0;
    EXPECT_EQ(Get(page, 1, &key), 0);
    return key & 0xf8;
  }
};

TEST_F(StorageKeys, AreReadAsTheyWereSet) {
  ASSERT_EQ(Set(0x80, {0x10, 0x28, 0xf0}), 0);
  EXPECT_EQ(Key(0x80), 0x10);
  EXPECT_EQ(Key(0x81), 0x28);
  EXPECT_EQ(Key(0x82), 0xf0);
}

TEST_F(StorageKeys, HaveAReferenceAndAChangeBit) {
  ASSERT_EQ(Set(0x80, {0x06}), 0);
  std::uint8_t key = 0;
  ASSERT_EQ(Get(0x80, 1, &key), 0);
  EXPECT_EQ(key, 0x06);
}

TEST_F(StorageKeys, TheLastBitIsReserved) {
  EXPECT_EQ(Set(0x80, {0x01}), -EINVAL);
  EXPECT_EQ(Set(0x80, {0xff}), -EINVAL);
}

TEST_F(StorageKeys, ThoseBeforeABadOneAreSet) {
  ASSERT_EQ(Set(0x80, {0x00, 0x00}), 0);
  EXPECT_EQ(Set(0x80, {0x30, 0x31}), -EINVAL);
  EXPECT_EQ(Key(0x80), 0x30);
}

TEST_F(StorageKeys, TakeNoFlags) {
  std::uint8_t key = 0;
  EXPECT_EQ(Set(0x80, {0x10}, 1), -EINVAL);
  EXPECT_EQ(Get(0x80, 1, &key, 1), -EINVAL);
}

TEST_F(StorageKeys, AreCountedFromOneToAMillion) {
  std::uint8_t key = 0;
  ASSERT_EQ(Set(0, {0}), 0);  // keys are in use from here on
  EXPECT_EQ(Get(0, 0, &key), -EINVAL);
  EXPECT_EQ(Get(0, abi::KVM_S390_SKEYS_MAX + 1, &key), -EINVAL);
  EXPECT_EQ(Set(0, {}), -EINVAL);
}

TEST_F(StorageKeys, EndWithTheSlots) {
  std::vector<std::uint8_t> keys(2);
  ASSERT_EQ(Set(0, {0}), 0);
  EXPECT_EQ(Get(kPages - 1, 1, keys.data()), 0);
  EXPECT_EQ(Get(kPages - 1, 2, keys.data()), -EFAULT);
  EXPECT_EQ(Get(kPages, 1, keys.data()), -EFAULT);
  EXPECT_EQ(Set(kPages, {0}), -EFAULT);
  EXPECT_EQ(Set(~std::uint64_t{0}, {0}), -EFAULT);
}

TEST_F(StorageKeys, TheSlotIsLookedForBeforeTheKey) { EXPECT_EQ(Set(kPages, {1}), -EFAULT); }

TEST_F(StorageKeys, ABufferThatIsNotThereIsAFault) {
  ASSERT_EQ(Set(0, {0}), 0);
  EXPECT_EQ(Get(0, 1, nullptr), -EFAULT);
  abi::kvm_s390_skeys request{};
  request.count = 1;
  EXPECT_EQ(Pass(vm(), abi::KVM_S390_SET_SKEYS, request), -EFAULT);
}

TEST_F(StorageKeys, TheGuestSeesWhatWasSet) {
  ASSERT_EQ(Set(0x80, {0x58}), 0);
  // ISKE 1,2; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xb2, 0x29, 0x00, 0x12, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 1, 0xffff);
  SetGeneral(cpu, 2, 0x80000);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->s.regs.gprs[1] & 0xf8, 0x58u);
  EXPECT_EQ(cpu.run->s.regs.gprs[1] & ~std::uint64_t{0xff}, 0xff00u);
}

TEST_F(StorageKeys, WhatTheGuestSetIsSeen) {
  // SSKE 1,2; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xb2, 0x2b, 0x00, 0x12, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 1, 0x78);
  SetGeneral(cpu, 2, 0x80000);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(Key(0x80), 0x78);
}

TEST_F(StorageKeys, AGuestsStoreSetsReferenceAndChange) {
  // SSKE 1,2; ST 1,0(2); ISKE 3,2; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xb2, 0x2b, 0x00, 0x12, 0x50, 0x10, 0x20, 0x00, 0xb2, 0x29, 0x00, 0x32,
                          0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 1, 0x00);
  SetGeneral(cpu, 2, 0x80000);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->s.regs.gprs[3] & 0x06, 0x06u);
}

TEST_F(StorageKeys, AreNotInUseUntilSomebodyUsesThem) {
  // Of the process: a fresh one has not.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Machine fresh;
    std::uint8_t key = 0;
    abi::kvm_s390_skeys request{};
    request.count = 1;
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(&key);
    if (fresh.Pass(fresh.vm(), abi::KVM_S390_GET_SKEYS, request) != abi::KVM_S390_GET_SKEYS_NONE)
      _exit(1);
    request.count = 0;  // looked at later
    if (fresh.Pass(fresh.vm(), abi::KVM_S390_GET_SKEYS, request) != abi::KVM_S390_GET_SKEYS_NONE)
      _exit(2);
    request.flags = 1;  // looked at before
    if (fresh.Pass(fresh.vm(), abi::KVM_S390_GET_SKEYS, request) != -EINVAL) _exit(3);
    request.flags = 0;
    request.count = 1;
    if (fresh.Pass(fresh.vm(), abi::KVM_S390_SET_SKEYS, request) != 0) _exit(4);
    if (fresh.Pass(fresh.vm(), abi::KVM_S390_GET_SKEYS, request) != 0) _exit(5);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace lethe::conformance
