// In which order pending interruptions are taken.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

class Priority : public OneCpu {
 protected:
  struct Delivered {
    std::uint64_t new_psw;
    std::uint32_t code;
    bool operator==(const Delivered&) const = default;
  };
  // Everything that is delivered, one run each, as new PSW and code.
  std::vector<Delivered> DeliverAll() {
    std::vector<Delivered> list;
    EnableSubclasses();
    if (timers_due_) {
      SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0);
      SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0});
    }
    Program({0x83, 0x00, 0x02, 0x88});
    for (int turn = 0; turn < 40; ++turn) {
      SetPsw(cpu_, kSupervisor | kAllOn);
      EXPECT_EQ(Run(cpu_), 0);
      const std::uint64_t landed = Landed();
      if (landed == 0) break;
      std::uint32_t code = 0;
      if (landed == kExternalNew) {
        code = std::uint32_t{Load<std::uint16_t>(0x86)} << 16 | Load<std::uint16_t>(0x84);
      } else if (landed == kInputOutputNew) {
        code = Load<std::uint32_t>(0xc0) >> 27;
      }
      list.push_back({landed, code});
      if (code == 0x1004'0000) SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
      if (code == 0x1005'0000) {
        SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0} >> 1);
      }
    }
    return list;
  }

  bool timers_due_ = false;
};

TEST_F(Priority, IsThatOfTheClassesAndThenOfKvm) {
  AddCpu(1);
  for (unsigned subclass = 8; subclass-- > 0;) {
    ASSERT_EQ(InjectInputOutput(1, 0x42, 0, subclass), 0);
  }
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_VIRTIO), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_PFAULT_DONE), 0);
  ASSERT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_INT_PFAULT_INIT), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  timers_due_ = true;
  ASSERT_EQ(InjectExternalCall(1), 0);
  ASSERT_EQ(InjectEmergency(1), 0);
  ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
  std::vector<Delivered> expected = {
      {kMachineCheckNew, 0},       {kExternalNew, 0x1201'0001}, {kExternalNew, 0x1202'0001},
      {kExternalNew, 0x1004'0000}, {kExternalNew, 0x1005'0000}, {kExternalNew, 0x2401'0000},
      {kExternalNew, 0x2603'0600}, {kExternalNew, 0x2603'0680}, {kExternalNew, 0x2603'0d00}};
  for (std::uint32_t subclass = 0; subclass < 8; ++subclass) {
    expected.push_back({kInputOutputNew, subclass});
  }
  EXPECT_EQ(DeliverAll(), expected);
}

TEST_F(Priority, MachineChecksComeBeforeExternalOnes) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_MCHK, kChannelReportOn, kChannelReport), 0);
  EXPECT_EQ(DeliverAll(),
            (std::vector<Delivered>{{kMachineCheckNew, 0}, {kExternalNew, 0x1201'0000}}));
}

TEST_F(Priority, InputOutputOfOneSubclassComesInOrder) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
  ASSERT_EQ(InjectInputOutput(1, 0x43, 0, 3), 0);
  EnableSubclasses();
  for (const std::uint16_t number : {0x42, 0x43}) {
    SetPsw(cpu_, kSupervisor | kAllOn);
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(Landed(), kInputOutputNew);
    EXPECT_EQ(Load<std::uint16_t>(0xba), number);
  }
}

TEST_F(Priority, RestartFollowsAnExternalOneAtOnce) {
  ASSERT_EQ(InjectEmergency(0), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  EnableSubclasses();
  SetPsw(cpu_, kSupervisor | kAllOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), LandingOf(kExternalNew));
  EXPECT_EQ(Load<std::uint64_t>(0x138), kProgramAt);
}

TEST_F(Priority, RestartFollowsAProgramInterruptionAtOnce) {
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  SetPsw(cpu_, kSupervisor);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), LandingOf(kProgramNew));
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
}

TEST_F(Priority, ServiceEventsComeWithTheServiceCall) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 1), 0);
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x12340), 0);
  const auto delivered = DeliverAll();
  ASSERT_FALSE(delivered.empty());
  EXPECT_EQ(delivered[0].code, 0x2401'0000u);
}

}  // namespace
}  // namespace lethe::conformance
