// KVM_S390_MEM_OP, compare and exchange in absolute storage.

#include <cstring>
#include <thread>
#include <vector>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

constexpr int kProtection = 4;
constexpr int kAddressing = 5;

class CompareExchange : public MachineTest {
 protected:
  static constexpr std::uint64_t kAt = 0x100000;

  void SetUp() override {
    if ((Extension(abi::KVM_CAP_S390_MEM_OP_EXTENSION) &
         abi::KVM_S390_MEMOP_EXTENSION_CAP_CMPXCHG) == 0) {
      GTEST_SKIP() << "a kernel before Linux 6.3";
    }
  }
  abi::kvm_s390_mem_op Operation(std::uint32_t size, std::uint64_t at = kAt) {
    abi::kvm_s390_mem_op operation;
    std::memset(&operation, 0xa5, sizeof(operation));
    operation.gaddr = at;
    operation.flags = 0;
    operation.size = size;
    operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_CMPXCHG;
    operation.buf = reinterpret_cast<std::uintptr_t>(new_);
    operation.access.key = 0;
    operation.access.old_addr = reinterpret_cast<std::uintptr_t>(old_);
    return operation;
  }
  int Try(abi::kvm_s390_mem_op operation) { return Pass(vm(), abi::KVM_S390_MEM_OP, operation); }
  void FillStorage() {
    for (int i = 0; i < 64; ++i) memory().bytes()[kAt + i] = static_cast<std::uint8_t>(i + 1);
    for (int i = 0; i < 16; ++i) new_[i] = static_cast<std::uint8_t>(0xf0 - i);
  }
  void SetKey(std::uint8_t key) {
    abi::kvm_s390_skeys request{};
    request.start_gfn = kAt / kPageSize;
    request.count = 1;
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(&key);
    ASSERT_EQ(Pass(vm(), abi::KVM_S390_SET_SKEYS, request), 0);
  }

  std::uint8_t old_[64] = {};
  std::uint8_t new_[64] = {};
};

TEST_F(CompareExchange, StoresWhatIsNewWhereTheOldIsFound) {
  for (const unsigned size : {1u, 2u, 4u, 8u, 16u}) {
    for (unsigned offset = 0; offset < 16; offset += size) {
      FillStorage();
      std::memcpy(old_, memory().bytes() + kAt + offset, size);
      ASSERT_EQ(Try(Operation(size, kAt + offset)), 0) << size << " at " << offset;
      EXPECT_EQ(std::memcmp(memory().bytes() + kAt + offset, new_, size), 0) << size << offset;
      EXPECT_EQ(memory().bytes()[kAt + offset + size], offset + size + 1) << size << offset;
      EXPECT_EQ(old_[0], offset + 1) << "the old value stays";
    }
  }
}

TEST_F(CompareExchange, TellsWhatIsThereWhereTheOldIsNotFound) {
  for (const unsigned size : {1u, 2u, 4u, 8u, 16u}) {
    for (unsigned offset = 0; offset < 16; offset += size) {
      FillStorage();
      std::memset(old_, 0xee, sizeof(old_));
      ASSERT_EQ(Try(Operation(size, kAt + offset)), 0) << size << " at " << offset;
      EXPECT_EQ(std::memcmp(memory().bytes() + kAt + offset, old_, size), 0) << size << offset;
      EXPECT_EQ(old_[0], offset + 1);
      EXPECT_EQ(old_[size], 0xee);
    }
  }
}

TEST_F(CompareExchange, SizesArePowersOfTwo) {
  for (const unsigned size : {0u, 3u, 5u, 6u, 7u, 9u, 12u, 15u}) {
    EXPECT_EQ(Try(Operation(size)), -EINVAL) << size;
  }
}

TEST_F(CompareExchange, SizesEndAt16) {
  for (const unsigned size : {17u, 31u, 32u, 64u, 65536u}) {
    EXPECT_EQ(Try(Operation(size)), -EINVAL) << size;
  }
  EXPECT_EQ(Try(Operation(65537)), -E2BIG);
}

TEST_F(CompareExchange, AddressesAreMultiplesOfTheSize) {
  for (const unsigned size : {2u, 4u, 8u, 16u}) {
    EXPECT_EQ(Try(Operation(size, kAt + 1)), -EINVAL) << size;
    EXPECT_EQ(Try(Operation(size, kAt + size / 2)), -EINVAL) << size;
  }
}

TEST_F(CompareExchange, TakesTheKeyFlagOnly) {
  auto operation = Operation(8);
  operation.flags = abi::KVM_S390_MEMOP_F_CHECK_ONLY;
  EXPECT_EQ(Try(operation), -EINVAL);
  operation.flags = abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION;
  EXPECT_EQ(Try(operation), -EINVAL);
  operation.flags = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  EXPECT_EQ(Try(operation), 0);
}

TEST_F(CompareExchange, KeysEndAt15) {
  auto operation = Operation(8);
  operation.flags = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  operation.access.key = 17;
  EXPECT_EQ(Try(operation), -EINVAL);
}

TEST_F(CompareExchange, ValuesThatCannotBeReadAreFaults) {
  auto operation = Operation(8);
  operation.buf = kNowhere;
  EXPECT_EQ(Try(operation), -EFAULT);
  operation = Operation(8);
  operation.access.old_addr = kNowhere;
  EXPECT_EQ(Try(operation), -EFAULT);
}

TEST_F(CompareExchange, ValuesAreReadBeforeTheAddressIsLookedAt) {
  auto operation = Operation(8, ~std::uint64_t{0xfff});
  operation.buf = kNowhere;
  EXPECT_EQ(Try(operation), -EFAULT);
}

TEST_F(CompareExchange, StorageEndsWithTheSlots) {
  EXPECT_EQ(Try(Operation(8, ~std::uint64_t{0xfff})), kAddressing);
  EXPECT_EQ(Try(Operation(16, kMemorySize)), kAddressing);
}

TEST_F(CompareExchange, StorageIsLookedForBeforeAlignment) {
  EXPECT_EQ(Try(Operation(8, kMemorySize + 1)), kAddressing);
}

TEST_F(CompareExchange, ObeysKeys) {
  FillStorage();
  SetKey(0x98);
  auto operation = Operation(8);
  operation.flags = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  operation.access.key = 2;
  EXPECT_EQ(Try(operation), kProtection);
  operation.access.key = 9;
  std::memcpy(old_, memory().bytes() + kAt, 8);
  EXPECT_EQ(Try(operation), 0);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt, new_, 8), 0);
  SetKey(0);
}

TEST_F(CompareExchange, AFetchMayMatchWhereAStoreMayNot) {
  FillStorage();
  SetKey(0x90);  // fetching is free
  auto operation = Operation(8);
  operation.flags = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  operation.access.key = 2;
  std::memcpy(old_, memory().bytes() + kAt, 8);
  EXPECT_EQ(Try(operation), kProtection);
  EXPECT_EQ(memory().bytes()[kAt], 1u);
  SetKey(0);
}

TEST_F(CompareExchange, IsAtomicAgainstItself) {
  constexpr int kRounds = 2000;
  Store(kAt, std::uint64_t{0});
  const auto add = [&] {
    std::uint8_t old_value[8] = {};
    std::uint8_t new_value[8] = {};
    for (int done = 0; done < kRounds;) {
      abi::kvm_s390_mem_op operation = Operation(8);
      operation.buf = reinterpret_cast<std::uintptr_t>(new_value);
      operation.access.old_addr = reinterpret_cast<std::uintptr_t>(old_value);
      const auto expected = LoadBigEndian<std::uint64_t>(old_value);
      StoreBigEndian(new_value, expected + 1);
      ASSERT_EQ(Try(operation), 0);
      if (LoadBigEndian<std::uint64_t>(old_value) == expected) {
        ++done;
        StoreBigEndian(old_value, expected + 1);
      }
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(Load<std::uint64_t>(kAt), 2u * kRounds);
}

}  // namespace
}  // namespace lethe::conformance
