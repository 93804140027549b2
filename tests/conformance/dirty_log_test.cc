// KVM_GET_DIRTY_LOG: which pages of a slot were stored into since it was asked last.

#include <array>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

class DirtyLog : public MachineTest {
 protected:
  // Bits of pages, counted from the right of each byte.
  using Bitmap = std::array<std::uint8_t, kMemorySize / kPageSize / 8>;

  int Get(std::uint32_t slot, void* to) {
    abi::kvm_dirty_log log{slot, 0, reinterpret_cast<std::uintptr_t>(to)};
    return Pass(vm(), abi::KVM_GET_DIRTY_LOG, log);
  }
  void StartLogging() {
    ASSERT_EQ(SetSlot(0, 0, memory().size(), memory().address(), abi::KVM_MEM_LOG_DIRTY_PAGES), 0);
    Bitmap before{};
    ASSERT_EQ(Get(0, before.data()), 0);  // what was before does not count
  }
  static bool Dirty(const Bitmap& bitmap, std::uint64_t address) {
    const std::uint64_t page = address / kPageSize;
    return (bitmap[page / 8] >> (page % 8) & 1) != 0;
  }
};

TEST_F(DirtyLog, NeedsASlotThatLogs) {
  Bitmap bitmap{};
  EXPECT_EQ(Get(0, bitmap.data()), -ENOENT);
  EXPECT_EQ(Get(1, bitmap.data()), -ENOENT);
}

TEST_F(DirtyLog, NumbersBeyondTheLastSlotAreInvalid) {
  Bitmap bitmap{};
  EXPECT_EQ(Get(32767, bitmap.data()), -EINVAL);
  EXPECT_EQ(Get(1 << 16, bitmap.data()), -EINVAL);
}

TEST_F(DirtyLog, ABitmapThatCannotBeWrittenIsAFault) {
  StartLogging();
  EXPECT_EQ(Get(0, nullptr), -EFAULT);
}

TEST_F(DirtyLog, EndsWithLogging) {
  StartLogging();
  ASSERT_EQ(SetSlot(0, 0, memory().size(), memory().address(), 0), 0);
  Bitmap bitmap{};
  EXPECT_EQ(Get(0, bitmap.data()), -ENOENT);
}

TEST_F(DirtyLog, ShowsWhereTheGuestStored) {
  // ST 1,0(2); DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0x50, 0x10, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 2, 0x123000);
  StartLogging();
  ASSERT_EQ(Run(cpu), 0);
  Bitmap bitmap{};
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  EXPECT_TRUE(Dirty(bitmap, 0x123000));
  EXPECT_FALSE(Dirty(bitmap, 0x122000));
  EXPECT_FALSE(Dirty(bitmap, 0x124000));
}

TEST_F(DirtyLog, BeginsAnewWhenItHasBeenRead) {
  // ST 1,0(2); DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0x50, 0x10, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 2, 0x123000);
  StartLogging();
  ASSERT_EQ(Run(cpu), 0);
  Bitmap bitmap{};
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  ASSERT_TRUE(Dirty(bitmap, 0x123000));
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  EXPECT_FALSE(Dirty(bitmap, 0x123000));
}

TEST_F(DirtyLog, SeesEveryStoreAfterItHasBeenRead) {
  // ST 1,0(2); DIAG 0,0,X'501'; and the same again
  Vcpu& cpu = AddCpuWith({0x50, 0x10, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01, 0x50, 0x10, 0x20, 0x00,
                          0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 2, 0x123000);
  StartLogging();
  ASSERT_EQ(Run(cpu), 0);
  Bitmap bitmap{};
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  ASSERT_EQ(Run(cpu), 0);
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  EXPECT_TRUE(Dirty(bitmap, 0x123000));
}

TEST_F(DirtyLog, StorageKeyOperationsOfTheGuestHideNothing) {
  // ST 1,0(2); SSKE 3,2; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0x50, 0x10, 0x20, 0x00, 0xb2, 0x2b, 0x00, 0x32, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 2, 0x123000);
  SetGeneral(cpu, 3, 0x10);
  StartLogging();
  ASSERT_EQ(Run(cpu), 0);
  Bitmap bitmap{};
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  EXPECT_TRUE(Dirty(bitmap, 0x123000));
}

TEST_F(DirtyLog, ShowsWhereAMemoryOperationStored) {
  StartLogging();
  std::uint64_t word = 1;
  abi::kvm_s390_mem_op operation{};
  operation.gaddr = 0x1fff8;
  operation.size = sizeof(word);
  operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_WRITE;
  operation.buf = reinterpret_cast<std::uintptr_t>(&word);
  ASSERT_EQ(Pass(vm(), abi::KVM_S390_MEM_OP, operation), 0);
  Bitmap bitmap{};
  ASSERT_EQ(Get(0, bitmap.data()), 0);
  EXPECT_TRUE(Dirty(bitmap, 0x1f000));
  EXPECT_FALSE(Dirty(bitmap, 0x20000));
}

}  // namespace
}  // namespace lethe::conformance
