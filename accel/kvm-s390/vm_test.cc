#include "accel/kvm-s390/vm.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"

namespace lethe::kvm {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

class VmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<System> system = System::Open(kernel_);
    ASSERT_THAT(system, IsOk());
    absl::StatusOr<Vm> vm = system->CreateVm();
    ASSERT_THAT(vm, IsOk());
    vm_.emplace(*std::move(vm));
  }

  static void* Address(std::uint64_t value) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(value));
  }

  FakeKernel kernel_;
  std::optional<Vm> vm_;
};

TEST_F(VmTest, PassesASlotAsItIs) {
  abi::kvm_userspace_memory_region seen = {};
  kernel_.On(abi::KVM_SET_USER_MEMORY_REGION, [&seen](int, std::uintptr_t argument) {
    seen = *reinterpret_cast<const abi::kvm_userspace_memory_region*>(argument);
    return 0;
  });
  EXPECT_THAT(vm_->SetMemorySlot({.number = 2,
                                  .guest_address = 16 * kMiB,
                                  .size = 3 * kMiB,
                                  .memory = Address(64 * kMiB),
                                  .log_dirty_pages = true}),
              IsOk());
  EXPECT_EQ(seen.slot, 2u);
  EXPECT_EQ(seen.flags, abi::KVM_MEM_LOG_DIRTY_PAGES);
  EXPECT_EQ(seen.guest_phys_addr, 16 * kMiB);
  EXPECT_EQ(seen.memory_size, 3 * kMiB);
  EXPECT_EQ(seen.userspace_addr, 64 * kMiB);
  EXPECT_THAT(vm_->RemoveMemorySlot(2), IsOk());
  EXPECT_EQ(seen.slot, 2u);
  EXPECT_EQ(seen.memory_size, 0u);
}

TEST_F(VmTest, RefusesSlotsThatKvmWouldAcceptAndNotMap) {
  kernel_.On(abi::KVM_SET_USER_MEMORY_REGION, [](int, std::uintptr_t) {
    ADD_FAILURE() << "reached the kernel";
    return 0;
  });
  ASSERT_THAT(vm_->SetMemoryLimit(4 * kGiB), IsOk());
  const MemorySlot good = {.size = kMiB, .memory = Address(kMiB)};
  MemorySlot slot = good;
  slot.guest_address = 4096;
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("1 MiB")));
  slot = good;
  slot.size = kMiB + 4096;
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("1 MiB")));
  slot = good;
  slot.memory = Address(kMiB + 4096);
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("1 MiB")));
  slot = good;
  slot.size = 0;
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("empty")));
  slot = good;
  slot.guest_address = 4 * kGiB;
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("limit")));
  slot = good;
  slot.guest_address = ~std::uint64_t{0} - kMiB + 1;
  EXPECT_THAT(vm_->SetMemorySlot(slot), FailsWith(HasSubstr("limit")));
}

TEST_F(VmTest, KnowsTheLimitThatWasSet) {
  EXPECT_EQ(vm_->memory_limit(), std::nullopt);
  ASSERT_THAT(vm_->SetMemoryLimit(3 * kGiB), IsOk());
  EXPECT_EQ(vm_->memory_limit(), 3 * kGiB);
  kernel_.On(abi::KVM_SET_DEVICE_ATTR, [](int, std::uintptr_t) { return -EBUSY; });
  EXPECT_THAT(vm_->SetMemoryLimit(8 * kGiB), FailsWith(HasSubstr("memory limit")));
  EXPECT_EQ(vm_->memory_limit(), 3 * kGiB);
}

TEST_F(VmTest, TransfersAbsoluteStorageInPiecesTheKernelAccepts) {
  std::vector<std::uint8_t> storage(200000);
  for (std::size_t i = 0; i < storage.size(); ++i) storage[i] = static_cast<std::uint8_t>(i * 7);
  int calls = 0;
  kernel_.On(abi::KVM_S390_MEM_OP, [&](int, std::uintptr_t argument) {
    const auto& operation = *reinterpret_cast<const abi::kvm_s390_mem_op*>(argument);
    if (operation.size > 65536) return -E2BIG;
    if (operation.op != abi::KVM_S390_MEMOP_ABSOLUTE_READ) return -EINVAL;
    std::memcpy(reinterpret_cast<void*>(operation.buf), &storage[operation.gaddr], operation.size);
    ++calls;
    return 0;
  });
  std::vector<std::uint8_t> target(150000);
  absl::StatusOr<std::uint16_t> code = vm_->ReadAbsolute(1000, absl::MakeSpan(target));
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(*code, 0);
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(std::equal(target.begin(), target.end(), storage.begin() + 1000));
}

TEST_F(VmTest, GivesTheProgramInterruptionOfAnAccessAsAValue) {
  kernel_.On(abi::KVM_S390_MEM_OP, [](int, std::uintptr_t) { return 5; });
  const std::uint8_t byte = 1;
  absl::StatusOr<std::uint16_t> code = vm_->WriteAbsolute(0, absl::MakeConstSpan(&byte, 1));
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(*code, 5);
}

TEST_F(VmTest, SendsARoutingTableWithItsHeader) {
  std::vector<std::uint8_t> seen;
  kernel_.On(abi::KVM_SET_GSI_ROUTING, [&seen](int, std::uintptr_t argument) {
    const auto& header = *reinterpret_cast<const abi::kvm_irq_routing*>(argument);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(argument);
    seen.assign(bytes, bytes + sizeof(header) + header.nr * sizeof(abi::kvm_irq_routing_entry));
    return 0;
  });
  abi::kvm_irq_routing_entry entries[2] = {};
  entries[1].gsi = 7;
  ASSERT_THAT(vm_->SetIrqRouting(entries), IsOk());
  ASSERT_EQ(seen.size(), 8u + 96u);
  std::uint32_t gsi;
  std::memcpy(&gsi, &seen[8 + 48], sizeof(gsi));
  EXPECT_EQ(gsi, 7u);
}

TEST_F(VmTest, ServiceSignalGoesThroughTheFloatingController) {
  absl::StatusOr<Flic> flic = vm_->CreateFlic();
  ASSERT_THAT(flic, IsOk());
  abi::kvm_s390_irq seen = {};
  std::uint64_t bytes = 0;
  kernel_.On(abi::KVM_SET_DEVICE_ATTR, [&](int, std::uintptr_t argument) {
    const auto& attribute = *reinterpret_cast<const abi::kvm_device_attr*>(argument);
    EXPECT_EQ(attribute.group, abi::KVM_DEV_FLIC_ENQUEUE);
    bytes = attribute.attr;
    seen = *reinterpret_cast<const abi::kvm_s390_irq*>(attribute.addr);
    return 0;
  });
  ASSERT_THAT(flic->EnqueueServiceSignal(0x12345001), IsOk());
  EXPECT_EQ(bytes, sizeof(abi::kvm_s390_irq));
  EXPECT_EQ(seen.type, abi::KVM_S390_INT_SERVICE);
  EXPECT_EQ(seen.u.ext.ext_params, 0x12345001u);
}

TEST_F(VmTest, ReadsAllPendingFloatingInterruptionsHoweverMany) {
  absl::StatusOr<Flic> flic = vm_->CreateFlic();
  ASSERT_THAT(flic, IsOk());
  constexpr int kPending = 3000;
  kernel_.On(abi::KVM_GET_DEVICE_ATTR, [](int, std::uintptr_t argument) {
    const auto& attribute = *reinterpret_cast<const abi::kvm_device_attr*>(argument);
    if (attribute.attr < kPending * sizeof(abi::kvm_s390_irq)) return -ENOMEM;
    auto* irqs = reinterpret_cast<abi::kvm_s390_irq*>(attribute.addr);
    for (int i = 0; i < kPending; ++i) irqs[i].type = static_cast<std::uint64_t>(i);
    return kPending;
  });
  absl::StatusOr<std::vector<abi::kvm_s390_irq>> pending = flic->Pending();
  ASSERT_THAT(pending, IsOk());
  ASSERT_EQ(pending->size(), 3000u);
  EXPECT_EQ(pending->back().type, 2999u);
}

}  // namespace
}  // namespace lethe::kvm
