#include "emulated-host/kvm/memory_operation.h"

#include <cerrno>
#include <vector>

#include "emulated-host/kvm/kernel_fixture.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

constexpr std::uint64_t kData = 0x20000;
constexpr std::uint64_t kBeyond = ~std::uint64_t{0xfff};

class MemoryOperationTest : public ::testing::Test {
 protected:
  int Do(int fd, std::uint32_t op, std::uint64_t address, void* buffer, std::uint32_t size,
         std::uint64_t flags = 0, std::uint8_t key = 0, std::uint8_t ar = 0) {
    abi::kvm_s390_mem_op operation;
    std::memset(&operation, 0xaa, sizeof(operation));  // what is reserved holds garbage
    operation.gaddr = address;
    operation.flags = flags;
    operation.size = size;
    operation.op = op;
    operation.buf = reinterpret_cast<std::uintptr_t>(buffer);
    operation.access.ar = ar;
    operation.access.key = key;
    return user_.Pass(fd, abi::KVM_S390_MEM_OP, operation);
  }
  void SetKeys(std::uint64_t absolute, std::vector<std::uint8_t> keys) {
    abi::kvm_s390_skeys request{};
    request.start_gfn = absolute / 4096;
    request.count = keys.size();
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(keys.data());
    ASSERT_EQ(user_.Pass(user_.vm(), abi::KVM_S390_SET_SKEYS, request), 0);
  }

  KernelUser user_;
  Vcpu& cpu_ = user_.AddCpu();
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(65536, 0x5a);
};

TEST_F(MemoryOperationTest, RefusesInOrder) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  constexpr std::uint64_t kKey = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  constexpr std::uint64_t kCheck = abi::KVM_S390_MEMOP_F_CHECK_ONLY;
  struct {
    bool cpu;
    std::uint32_t op;
    std::uint64_t address;
    std::uint32_t size;
    std::uint64_t flags;
    std::uint8_t key, ar;
    int result;
  } constexpr kCases[] = {
      {true, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData, 0xffffffff, 0, 0, 0, -E2BIG},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, kData, 0xffffffff, 0, 0, 0, -E2BIG},
      {true, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData, 0, 0, 0, 0, -EINVAL},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_READ, kData, 0, 0, 0, 0, -EINVAL},
      {true, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData, 8, kAll, 0, 0, -EINVAL},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, kData, 8, kAll, 0, 0, -EINVAL},
      {true, ~0u, kData, 8, 0, 0, 0, -EINVAL},
      {false, ~0u, kData, 8, 0, 0, 0, -EINVAL},
      {true, abi::KVM_S390_MEMOP_LOGICAL_READ, kData, 8, kKey, 17, 0, -EINVAL},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_READ, kData, 8, kKey, 17, 0, -EINVAL},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_READ, kData, 8, 0, 17, 0, 0},  // no key: not looked at
      {true, abi::KVM_S390_MEMOP_LOGICAL_READ, kData, 8, 0, 0, 17, -EINVAL},
      {true, abi::KVM_S390_MEMOP_LOGICAL_READ, kBeyond, 8, 0, 0, 0, 5},
      {true, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kBeyond, 8, kCheck, 0, 0, 5},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_READ, kBeyond, 8, 0, 0, 0, 5},
      {false, abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, kBeyond, 8, kCheck, 0, 0, 5},
  };
  KernelUser::SetPsw(cpu_, KernelUser::kSupervisor);
  for (const auto& c : kCases) {
    EXPECT_EQ(Do(c.cpu ? cpu_.fd : user_.vm(), c.op, c.address, buffer_.data(), c.size, c.flags,
                 c.key, c.ar),
              c.result)
        << (c.cpu ? "cpu " : "vm ") << c.op << " size " << c.size << " flags " << c.flags;
  }
  EXPECT_EQ(Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_READ, kData, nullptr, 8), -EFAULT);
  EXPECT_EQ(Do(user_.vm(), abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, kData, nullptr, 8), -EFAULT);
}

TEST_F(MemoryOperationTest, OrdinaryCpusHaveNoSida) {
  for (const std::uint32_t op : {abi::KVM_S390_MEMOP_SIDA_READ, abi::KVM_S390_MEMOP_SIDA_WRITE}) {
    abi::kvm_s390_mem_op operation{};
    operation.op = op;
    operation.size = 8;
    operation.buf = reinterpret_cast<std::uintptr_t>(buffer_.data());
    operation.sida_offset = 0x1c0;
    EXPECT_EQ(user_.Pass(cpu_.fd, abi::KVM_S390_MEM_OP, operation), -EINVAL);
    operation.sida_offset = 8185;  // the breaking-event address 1 reads as a size of two pages
    EXPECT_EQ(user_.Pass(cpu_.fd, abi::KVM_S390_MEM_OP, operation), -E2BIG);
    operation.flags = 1;
    EXPECT_EQ(user_.Pass(cpu_.fd, abi::KVM_S390_MEM_OP, operation), -EINVAL);
  }
}

TEST_F(MemoryOperationTest, CopiesAcrossPages) {
  KernelUser::SetPsw(cpu_, KernelUser::kSupervisor);
  for (const std::uint32_t size : {1u, 4096u, 65536u}) {
    for (std::uint32_t i = 0; i < size; ++i) buffer_[i] = static_cast<std::uint8_t>(i * 7 + size);
    const std::vector<std::uint8_t> sent(buffer_.begin(), buffer_.begin() + size);
    ASSERT_EQ(Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData + 100, buffer_.data(), size), 0);
    EXPECT_EQ(std::memcmp(user_.memory().bytes() + kData + 100, sent.data(), size), 0);
    std::fill(buffer_.begin(), buffer_.end(), 0);
    ASSERT_EQ(Do(user_.vm(), abi::KVM_S390_MEMOP_ABSOLUTE_READ, kData + 100, buffer_.data(), size),
              0);
    EXPECT_EQ(std::memcmp(buffer_.data(), sent.data(), size), 0);
    std::fill(buffer_.begin(), buffer_.end(), 0);
    ASSERT_EQ(Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_READ, kData + 100, buffer_.data(), size), 0);
    EXPECT_EQ(std::memcmp(buffer_.data(), sent.data(), size), 0);
  }
}

TEST_F(MemoryOperationTest, ObeysStorageKeys) {
  constexpr std::uint64_t kKey = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
  constexpr std::uint64_t kCheck = abi::KVM_S390_MEMOP_F_CHECK_ONLY;
  struct {
    std::uint8_t storage_key;
    std::uint8_t key;
    int read, write;
  } constexpr kCases[] = {
      {0x90, 9, 0, 0}, {0x98, 9, 0, 0}, {0x90, 2, 0, 4}, {0x98, 2, 4, 4}, {0x98, 0, 0, 0},
  };
  KernelUser::SetPsw(cpu_, KernelUser::kSupervisor);
  for (const auto& c : kCases) {
    SetKeys(kData, {c.storage_key});
    for (const std::uint64_t flags : {kKey, kKey | kCheck}) {
      EXPECT_EQ(
          Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_READ, kData, buffer_.data(), 8, flags, c.key),
          c.read)
          << +c.storage_key << " " << +c.key;
      EXPECT_EQ(
          Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData, buffer_.data(), 8, flags, c.key),
          c.write);
      EXPECT_EQ(
          Do(user_.vm(), abi::KVM_S390_MEMOP_ABSOLUTE_READ, kData, buffer_.data(), 8, flags, c.key),
          c.read);
      EXPECT_EQ(Do(user_.vm(), abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, kData, buffer_.data(), 8, flags,
                   c.key),
                c.write);
    }
  }
}

TEST_F(MemoryOperationTest, InjectsTheExceptionItMet) {
  user_.SetNewPsw(0x1d0, KernelUser::kDisabledWait, 0xabc);
  user_.Program({0x83, 0x00, 0x05, 0x01});
  KernelUser::SetPsw(cpu_, KernelUser::kSupervisor);
  ASSERT_EQ(user_.Run(cpu_), 0);
  SetKeys(kData, {0x18, 0x98});
  EXPECT_EQ(Do(cpu_.fd, abi::KVM_S390_MEMOP_LOGICAL_WRITE, kData, buffer_.data(), 8192,
               abi::KVM_S390_MEMOP_F_SKEY_PROTECTION | abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION, 1),
            4);
  ASSERT_EQ(user_.Run(cpu_), 0);
  EXPECT_EQ(cpu_.run->s390_sieic.icptcode, abi::ICPT_WAIT);
  EXPECT_EQ(user_.Load<std::uint16_t>(0x8e), 4);
  EXPECT_EQ(user_.Load<std::uint64_t>(0xa8) & (Psw::Bit(56) | Psw::Bit(60) | Psw::Bit(61)), 0u);
}

TEST_F(MemoryOperationTest, StorageKeysReadBack) {
  SetKeys(kData, {0x10, 0x20, 0x36});
  std::uint8_t keys[3] = {};
  abi::kvm_s390_skeys request{};
  request.start_gfn = kData / 4096;
  request.count = 3;
  request.skeydata_addr = reinterpret_cast<std::uintptr_t>(keys);
  EXPECT_EQ(user_.Pass(user_.vm(), abi::KVM_S390_GET_SKEYS, request), 0);
  EXPECT_EQ(keys[0], 0x10);
  EXPECT_EQ(keys[2], 0x36);
  request.count = 0;
  EXPECT_EQ(user_.Pass(user_.vm(), abi::KVM_S390_GET_SKEYS, request), -EINVAL);
  request.count = 1;
  request.start_gfn = std::uint64_t{1} << 40;
  EXPECT_EQ(user_.Pass(user_.vm(), abi::KVM_S390_GET_SKEYS, request), -EFAULT);
  request.flags = 1;
  EXPECT_EQ(user_.Pass(user_.vm(), abi::KVM_S390_GET_SKEYS, request), -EINVAL);
}

}  // namespace
}  // namespace lethe::emulated
