// The clock comparator and the CPU timer.

#include <chrono>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

class Timers : public OneCpu {
 protected:
  // The TOD clock as the guest reads it.
  std::uint64_t Tod() {
    Complete({0xb2, 0x05, 0x05, 0x00});  // STCK 0x500
    return Load<std::uint64_t>(0x500);
  }
  static constexpr std::uint64_t kMillisecond = 4096 * 1000;
};

TEST_F(Timers, APassedClockComparatorInterrupts) {
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
}

TEST_F(Timers, TheClockComparatorEndsALoop) {
  const std::uint64_t now = Tod();
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, now + 30 * kMillisecond), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
  EXPECT_GT(Tod(), now + 30 * kMillisecond);
}

TEST_F(Timers, TheClockComparatorEndsAWait) {
  const std::uint64_t now = Tod();
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, now + 30 * kMillisecond), 0);
  SetPsw(cpu_, kEnabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
  EXPECT_EQ(Load<std::uint64_t>(0x138), 0x1000);
  EXPECT_GT(Tod(), now + 30 * kMillisecond);
}

TEST_F(Timers, AClockComparatorThatIsMaskedDoesNotInterrupt) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  SetControl(cpu_, 0, 0xe0);
  Complete({}, kSupervisor | kExternalOn);
}

TEST_F(Timers, TheClockComparatorStaysPending) {
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  for (int turn = 0; turn < 2; ++turn) {
    Program({0xa7, 0xf4, 0x00, 0x00});
    SetPsw(cpu_, kSupervisor | kExternalOn);
    ASSERT_EQ(Run(cpu_), 0);
    EXPECT_EQ(Landed(), kExternalNew);
  }
}

// What a timer interrupts into has it enabled still: the guest would never come out again.
TEST_F(Timers, AClockComparatorWithoutAnEndIsIntercept20) {
  constexpr std::uint64_t kHandler = 0x3000;
  Program({0xa7, 0xf4, 0x00, 0x00}, kHandler);
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, kHandler);
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(20);
  EXPECT_EQ(cpu_.run->psw_addr, kHandler);
}

TEST_F(Timers, ACpuTimerWithoutAnEndIsIntercept20) {
  constexpr std::uint64_t kHandler = 0x3000;
  Program({0xa7, 0xf4, 0x00, 0x00}, kHandler);
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, kHandler);
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0}), 0);
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(20);
  EXPECT_EQ(cpu_.run->psw_addr, kHandler);
}

// One that comes while the guest executes is not even taken.
TEST_F(Timers, AClockComparatorThatWouldNotEndIsIntercept20) {
  SetNewPsw(kExternalNew, kSupervisor | kExternalOn, 0x3000);
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, Tod() + 30 * kMillisecond), 0);
  ASSERT_EQ(Execute({0xa7, 0xf4, 0x00, 0x00}, kSupervisor | kExternalOn), 0);
  ExpectIntercept(20);
}

TEST_F(Timers, ANegativeCpuTimerInterrupts) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0}), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerEndsALoop) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 20 * kMillisecond), 0);
  Program({0xa7, 0xf4, 0x00, 0x00});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerEndsAWait) {
  SetControl(cpu_, 0, 0xe0 | kCpuTimerOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 20 * kMillisecond), 0);
  SetPsw(cpu_, kEnabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1005);
}

TEST_F(Timers, TheCpuTimerStandsStillOutsideOfKvmRun) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, 0x7000'0000'0000'0000), 0);
  Complete({});
  const std::uint64_t value = OneRegister(abi::KVM_REG_S390_CPU_TIMER);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_CPU_TIMER), value);
}

}  // namespace
}  // namespace lethe::conformance
