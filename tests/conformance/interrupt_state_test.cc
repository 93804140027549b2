// KVM_S390_GET_IRQ_STATE and KVM_S390_SET_IRQ_STATE: what is pending for a CPU, as a list.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

class InterruptState : public OneCpu {
 protected:
  int Set(void* list, std::uint32_t length, std::uint32_t flags = 0) {
    abi::kvm_s390_irq_state state{};
    state.buf = reinterpret_cast<std::uintptr_t>(list);
    state.len = length;
    state.flags = flags;
    return Pass(cpu_.fd, abi::KVM_S390_SET_IRQ_STATE, state);
  }
  int Get(void* list, std::uint32_t length) {
    abi::kvm_s390_irq_state state{};
    state.buf = reinterpret_cast<std::uintptr_t>(list);
    state.len = length;
    return Pass(cpu_.fd, abi::KVM_S390_GET_IRQ_STATE, state);
  }
  static abi::kvm_s390_irq Emergency() {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EMERGENCY;
    return irq;
  }
  static constexpr std::uint32_t kSize = sizeof(abi::kvm_s390_irq);
};

TEST_F(InterruptState, OfNothingIsNothing) {
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, sizeof(list)), 0);
}

TEST_F(InterruptState, WantsRoom) {
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, 0), -EINVAL);
}

TEST_F(InterruptState, SaysWhenThereIsTooLittleRoom) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  abi::kvm_s390_irq list[4];
  EXPECT_EQ(Get(list, kSize), -ENOBUFS);
  EXPECT_EQ(Get(list, 2 * kSize), static_cast<int>(2 * kSize));
}

TEST_F(InterruptState, TakesNothingAway) {
  ASSERT_EQ(InjectEmergency(0), 0);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
}

TEST_F(InterruptState, ToABadPlaceIsAFault) {
  ASSERT_EQ(InjectEmergency(0), 0);
  EXPECT_EQ(Get(reinterpret_cast<void*>(8), 4096), -EFAULT);
}

TEST_F(InterruptState, SetWantsWholeInterruptions) {
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, 0), -EINVAL);
  EXPECT_EQ(Set(&irq, kSize - 1), -EINVAL);
  EXPECT_EQ(Set(&irq, kSize + 1), -EINVAL);
}

TEST_F(InterruptState, SetHasALimit) {
  std::vector<abi::kvm_s390_irq> list(abi::KVM_S390_MAX_LOCAL_IRQS + 1, Emergency());
  EXPECT_EQ(Set(list.data(), static_cast<std::uint32_t>(list.size() * kSize)), -EINVAL);
  EXPECT_EQ(Set(list.data(), static_cast<std::uint32_t>((list.size() - 1) * kSize)), 0);
}

TEST_F(InterruptState, SetIgnoresFlags) {
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, kSize, 0xffff), 0);
}

TEST_F(InterruptState, SetIsBusyWhenSomethingIsPending) {
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  abi::kvm_s390_irq irq = Emergency();
  EXPECT_EQ(Set(&irq, kSize), -EBUSY);
}

TEST_F(InterruptState, SetFromABadPlaceIsAFault) {
  EXPECT_EQ(Set(reinterpret_cast<void*>(8), kSize), -EFAULT);
}

TEST_F(InterruptState, SetStopsAtTheFirstThatCannotBe) {
  abi::kvm_s390_irq list[3] = {Emergency(), Emergency(), Emergency()};
  list[1].u.emerg.code = 9;  // nobody
  EXPECT_EQ(Set(list, sizeof(list)), -EINVAL);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
}

TEST_F(InterruptState, KeepsParameters) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_PFAULT_INIT;
  irq.u.ext.ext_params2 = 0x1122334455667788;
  ASSERT_EQ(Inject(irq), 0);
  const auto pending = PendingOf(cpu_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].u.ext.ext_params2, 0x1122334455667788);
}

}  // namespace
}  // namespace lethe::conformance
