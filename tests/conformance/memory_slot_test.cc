// Memory slots: KVM_SET_USER_MEMORY_REGION and its second form.

#include <optional>

#include "tests/conformance/host.h"
#include "tests/conformance/machine.h"
#include "tests/conformance/report.h"

namespace lethe::conformance {
namespace {

class MemorySlot : public MachineTest {
 protected:
  static constexpr std::uint64_t kAbove = 64 * kSegmentSize;  // a guest address without memory

  // What a slot `number` of one segment at `absolute` answers; of memory of its own.
  int Add(std::uint32_t number, std::uint64_t absolute, std::uint64_t size = kSegmentSize,
          std::uint32_t flags = 0) {
    return SetSlot(number, absolute, size, extra_.address(), flags);
  }
  // 0, or the program interruption code of looking at one byte.
  int Look(std::uint64_t absolute) {
    std::uint8_t byte = 0;
    abi::kvm_s390_mem_op operation{};
    operation.gaddr = absolute;
    operation.size = 1;
    operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_READ;
    operation.buf = reinterpret_cast<std::uintptr_t>(&byte);
    return Pass(vm(), abi::KVM_S390_MEM_OP, operation);
  }

  SharedMemory extra_{2 * kSegmentSize};
};

constexpr int kAddressing = 5;

TEST_F(MemorySlot, ShowsMemoryAtItsAddress) {
  EXPECT_EQ(Look(kAbove), kAddressing);
  EXPECT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Look(kAbove), 0);
  EXPECT_EQ(Look(kAbove + kSegmentSize), kAddressing);
}

TEST_F(MemorySlot, TheSameAgainChangesNothing) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Look(kAbove), 0);
}

TEST_F(MemorySlot, FlagsBeyondDirtyLoggingAreInvalid) {
  EXPECT_EQ(Add(1, kAbove, kSegmentSize, abi::KVM_MEM_READONLY), -EINVAL);
  EXPECT_EQ(Add(1, kAbove, kSegmentSize, 4), -EINVAL);
  EXPECT_EQ(Add(1, kAbove, kSegmentSize, 0x80000000), -EINVAL);
}

TEST_F(MemorySlot, TheSizeIsAMultipleOfPages) { EXPECT_EQ(Add(1, kAbove, 0x800), -EINVAL); }

TEST_F(MemorySlot, TheSizeIsAMultipleOfSegments) {
  EXPECT_EQ(Add(1, kAbove, kPageSize), -EINVAL);
  EXPECT_EQ(Add(1, kAbove, kSegmentSize + kPageSize), -EINVAL);
}

TEST_F(MemorySlot, TheGuestAddressIsThatOfAPage) { EXPECT_EQ(Add(1, kAbove + 0x800), -EINVAL); }

TEST_F(MemorySlot, TheUserAddressIsThatOfASegment) {
  EXPECT_EQ(SetSlot(1, kAbove, kSegmentSize, extra_.address() + 0x800), -EINVAL);
  EXPECT_EQ(SetSlot(1, kAbove, kSegmentSize, extra_.address() + kPageSize), -EINVAL);
}

TEST_F(MemorySlot, NumbersEndAt32766) {
  EXPECT_EQ(Add(32767, kAbove), -EINVAL);
  EXPECT_EQ(Add(0xffff, kAbove), -EINVAL);
  EXPECT_EQ(Add(32766, kAbove), 0);
}

TEST_F(MemorySlot, ThereIsOneAddressSpace) { EXPECT_EQ(Add(1 << 16, kAbove), -EINVAL); }

TEST_F(MemorySlot, GuestAddressesDoNotWrap) {
  EXPECT_EQ(Add(1, ~std::uint64_t{0} & ~(kSegmentSize - 1), 2 * kSegmentSize), -EINVAL);
}

TEST_F(MemorySlot, GuestAddressesEndAtTheHostsLimit) {
  std::uint64_t limit = 0;
  ASSERT_EQ(GetAttribute(vm(), abi::KVM_S390_VM_MEM_CTRL, abi::KVM_S390_VM_MEM_LIMIT_SIZE, &limit),
            0);
  const std::uint64_t last = (limit & ~(kSegmentSize - 1)) - kSegmentSize;
  EXPECT_EQ(Add(1, last + kSegmentSize), -EINVAL);
  EXPECT_EQ(Add(1, last, 2 * kSegmentSize), -EINVAL);
}

TEST_F(MemorySlot, SizeZeroDeletes) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, kAbove, 0), 0);
  EXPECT_EQ(Look(kAbove), kAddressing);
}

TEST_F(MemorySlot, WhatIsNotThereCannotBeDeleted) {
  EXPECT_EQ(Add(1, kAbove, 0), -EINVAL);
  ASSERT_EQ(Add(1, kAbove), 0);
  ASSERT_EQ(Add(1, kAbove, 0), 0);
  EXPECT_EQ(Add(1, kAbove, 0), -EINVAL);
}

TEST_F(MemorySlot, DeletingDoesNotLookAtTheGuestAddress) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, 0, 0), 0);
}

TEST_F(MemorySlot, GuestAddressesAreShownOnce) {
  EXPECT_EQ(Add(1, 0), -EEXIST);
  EXPECT_EQ(Add(1, kMemorySize - kSegmentSize, 2 * kSegmentSize), -EEXIST);
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(2, kAbove), -EEXIST);
}

TEST_F(MemorySlot, OverlapIsFoundBeforeAlignmentToSegments) {
  EXPECT_EQ(Add(1, 0, kPageSize), -EEXIST);
}

TEST_F(MemorySlot, NeighboursDoNotOverlap) { EXPECT_EQ(Add(1, kMemorySize), 0); }

TEST_F(MemorySlot, MemoryMayBeShownTwice) {
  ASSERT_EQ(SetSlot(1, kAbove, kSegmentSize, memory().address()), 0);
  Store(0x5000, std::uint32_t{0x01020304});
  std::uint32_t word = 0;
  abi::kvm_s390_mem_op operation{};
  operation.gaddr = kAbove + 0x5000;
  operation.size = sizeof(word);
  operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_READ;
  operation.buf = reinterpret_cast<std::uintptr_t>(&word);
  ASSERT_EQ(Pass(vm(), abi::KVM_S390_MEM_OP, operation), 0);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(reinterpret_cast<std::uint8_t*>(&word)), 0x01020304u);
}

TEST_F(MemorySlot, SizeAndUserAddressStay) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, kAbove, 2 * kSegmentSize), -EINVAL);
  EXPECT_EQ(SetSlot(1, kAbove, kSegmentSize, extra_.address() + kSegmentSize), -EINVAL);
}

TEST_F(MemorySlot, TheGuestAddressMayChange) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, 2 * kAbove), 0);
  EXPECT_EQ(Look(kAbove), kAddressing);
  EXPECT_EQ(Look(2 * kAbove), 0);
}

TEST_F(MemorySlot, AMoveDoesNotOverlapEither) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, 0), -EEXIST);
  EXPECT_EQ(Look(kAbove), 0);
}

TEST_F(MemorySlot, LoggingMayBeSwitchedOnAndOff) {
  ASSERT_EQ(Add(1, kAbove), 0);
  EXPECT_EQ(Add(1, kAbove, kSegmentSize, abi::KVM_MEM_LOG_DIRTY_PAGES), 0);
  EXPECT_EQ(Add(1, kAbove, kSegmentSize, 0), 0);
}

TEST_F(MemorySlot, NeedsNoMemoryBehindItUntilItIsTouched) {
  if (Host::Get().name() == "emulated")
    GTEST_SKIP() << kArgued << "its own mapping of the memory is made with the slot";
  // The kernel does not look whether anything is mapped at the user's address.
  constexpr std::uint64_t kNothingThere = std::uint64_t{1} << 40;
  EXPECT_EQ(SetSlot(1, kAbove, kSegmentSize, kNothingThere), 0);
}

TEST_F(MemorySlot, TheGuestSeesANewSlotAtOnce) {
  // DIAG 0,0,X'501'; L 1,0(2); DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x01, 0x58, 0x10, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01});
  SetGeneral(cpu, 2, kAbove);
  ASSERT_EQ(Run(cpu), 0);
  StoreBigEndian(extra_.bytes(), std::uint32_t{0x11223344});
  ASSERT_EQ(Add(1, kAbove), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(cpu.run->s.regs.gprs[1], 0x11223344u);
}

TEST_F(MemorySlot, TheGuestMeetsAnAddressingExceptionWhereThereIsNone) {
  // L 1,0(2)
  Vcpu& cpu = AddCpuWith({0x58, 0x10, 0x20, 0x00});
  SetGeneral(cpu, 2, kAbove);
  SetNewPsw(0x1d0, kSupervisor, 0x20000);
  Program({0x83, 0x00, 0x05, 0x01}, 0x20000);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 5u);
}

TEST_F(MemorySlot, TheGuestLosesADeletedSlotAtOnce) {
  ASSERT_EQ(Add(1, kAbove), 0);
  // L 1,0(2); DIAG 0,0,X'501'; L 1,0(2)
  Vcpu& cpu = AddCpuWith({0x58, 0x10, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01, 0x58, 0x10, 0x20, 0x00});
  SetGeneral(cpu, 2, kAbove);
  SetNewPsw(0x1d0, kSupervisor, 0x20000);
  Program({0x83, 0x00, 0x05, 0x01}, 0x20000);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, kProgramAt + 8);
  ASSERT_EQ(Add(1, kAbove, 0), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
}

TEST_F(MemorySlot, TheSecondFormDoesTheSame) {
  abi::kvm_userspace_memory_region2 region{};
  region.slot = 1;
  region.guest_phys_addr = kAbove;
  region.memory_size = kSegmentSize;
  region.userspace_addr = extra_.address();
  EXPECT_EQ(Pass(vm(), abi::KVM_SET_USER_MEMORY_REGION2, region), 0);
  EXPECT_EQ(Look(kAbove), 0);
}

TEST_F(MemorySlot, TheSecondFormHasNoMemoryDescriptorsHere) {
  constexpr std::uint32_t kGuestMemoryDescriptor = 4;
  abi::kvm_userspace_memory_region2 region{};
  region.slot = 1;
  region.flags = kGuestMemoryDescriptor;
  region.guest_phys_addr = kAbove;
  region.memory_size = kSegmentSize;
  region.userspace_addr = extra_.address();
  EXPECT_EQ(Pass(vm(), abi::KVM_SET_USER_MEMORY_REGION2, region), -EINVAL);
}

}  // namespace
}  // namespace lethe::conformance
