// What holds a pending interruption back.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

struct MaskCase {
  const char* name;
  std::uint64_t type;
  std::uint64_t psw;       // bits that must be on
  int control;             // register with the subclass mask; 0, 6, 14
  std::uint64_t subclass;  // 0: none
  std::uint64_t new_psw;
};
class Mask : public OneCpu, public ::testing::WithParamInterface<MaskCase> {
 protected:
  void InjectIt() {
    const MaskCase& c = GetParam();
    switch (c.type) {
      case abi::KVM_S390_INT_VIRTIO:
      case abi::KVM_S390_INT_SERVICE:
      case abi::KVM_S390_INT_PFAULT_DONE:
        ASSERT_EQ(Interrupt(vm(), c.type, 0x12340), 0);
        return;
      case abi::KVM_S390_MCHK:
        if (c.subclass != 0) {
          ASSERT_EQ(Interrupt(vm(), c.type, kChannelReportOn, kChannelReport), 0);
        } else {
          ASSERT_EQ(InjectMachineCheck(kSystemDamage, 0), 0);
        }
        return;
      case 0x42:
        ASSERT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
        return;
      case abi::KVM_S390_INT_CLOCK_COMP:
      case abi::KVM_S390_INT_CPU_TIMER:
        return;  // timers are no matter of injection
      default:
        ASSERT_EQ(InjectType(c.type), 0);
    }
  }
  void Enable() {
    EnableSubclasses();
    if (GetParam().type == abi::KVM_S390_INT_CLOCK_COMP) {
      SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0);
    }
    if (GetParam().type == abi::KVM_S390_INT_CPU_TIMER) {
      SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0});
    }
  }
  void RunWith(std::uint64_t psw, bool subclasses) {
    Enable();
    if (!subclasses) {
      const std::uint64_t others = GetParam().control == 0    ? 0xe0 | kAllExternalOn
                                   : GetParam().control == 14 ? 0xc200'0000 | kAllSubclassesOn
                                                              : kAllSubclassesOn;
      SetControl(cpu_, GetParam().control, others & ~GetParam().subclass);
    }
    Program({0x83, 0x00, 0x02, 0x88});
    SetPsw(cpu_, kSupervisor | psw);
    ASSERT_EQ(Run(cpu_), 0);
  }
};

TEST_P(Mask, OfThePswHoldsItBack) {
  InjectIt();
  RunWith(kAllOn & ~GetParam().psw, true);
  EXPECT_EQ(Landed(), 0);
  EXPECT_EQ(cpu_.run->s390_sieic.ipb, 0x02880000u);
}

TEST_P(Mask, OfThePswLetsItThrough) {
  InjectIt();
  RunWith(GetParam().psw, true);
  EXPECT_EQ(Landed(), GetParam().new_psw);
}

class SubclassMask : public Mask {};

TEST_P(SubclassMask, HoldsItBack) {
  InjectIt();
  RunWith(kAllOn, false);
  EXPECT_EQ(Landed(), 0);
}

TEST_P(Mask, OpenedByTheGuestLetsItThrough) {
  InjectIt();
  Enable();
  Store<std::uint64_t>(0x508, kSupervisor | kAllOn);
  Store<std::uint64_t>(0x510, 0x12000);
  EXPECT_EQ(Execute({0xb2, 0xb2, 0x05, 0x08}), 0);  // LPSWE 0x508
  EXPECT_EQ(Landed(), GetParam().new_psw);
  EXPECT_EQ(Load<std::uint64_t>(OldPswOf(GetParam().new_psw) + 8), 0x12000);
}

constexpr MaskCase kWithSubclass[] = {
    {"EMERGENCY", abi::KVM_S390_INT_EMERGENCY, kExternalOn, 0, kEmergencyOn, kExternalNew},
    {"EXTERNAL_CALL", abi::KVM_S390_INT_EXTERNAL_CALL, kExternalOn, 0, kExternalCallOn,
     kExternalNew},
    {"CLOCK_COMP", abi::KVM_S390_INT_CLOCK_COMP, kExternalOn, 0, kClockComparatorOn, kExternalNew},
    {"CPU_TIMER", abi::KVM_S390_INT_CPU_TIMER, kExternalOn, 0, kCpuTimerOn, kExternalNew},
    {"SERVICE", abi::KVM_S390_INT_SERVICE, kExternalOn, 0, kServiceSignalOn, kExternalNew},
    {"IO", 0x42, kInputOutputOn, 6, 0x1000'0000, kInputOutputNew},
    {"MCHK_repressible", abi::KVM_S390_MCHK, kMachineCheckOn, 14, kChannelReportOn,
     kMachineCheckNew}};
constexpr MaskCase kWithoutSubclass[] = {
    {"PFAULT_INIT", abi::KVM_S390_INT_PFAULT_INIT, kExternalOn, 0, 0, kExternalNew},
    {"PFAULT_DONE", abi::KVM_S390_INT_PFAULT_DONE, kExternalOn, 0, 0, kExternalNew},
    {"VIRTIO", abi::KVM_S390_INT_VIRTIO, kExternalOn, 0, 0, kExternalNew},
    {"MCHK_exigent", abi::KVM_S390_MCHK, kMachineCheckOn, 14, 0, kMachineCheckNew}};

INSTANTIATE_TEST_SUITE_P(Type, SubclassMask, ::testing::ValuesIn(kWithSubclass), CaseName());
INSTANTIATE_TEST_SUITE_P(WithSubclass, Mask, ::testing::ValuesIn(kWithSubclass), CaseName());
INSTANTIATE_TEST_SUITE_P(WithoutSubclass, Mask, ::testing::ValuesIn(kWithoutSubclass), CaseName());

struct UnmaskedCase {
  const char* name;
  std::uint64_t type;
};

class Unmasked : public OneCpu, public ::testing::WithParamInterface<UnmaskedCase> {};

// The service-signal mask is no affair of these.
TEST_P(Unmasked, TheServiceSignalMaskDoesNotHoldItBack) {
  const bool local = GetParam().type == abi::KVM_S390_INT_PFAULT_INIT;
  ASSERT_EQ(Interrupt(local ? cpu_.fd : vm(), GetParam().type), 0);
  EnableSubclasses();
  SetControl(cpu_, 0, 0xe0);
  Program({0x83, 0x00, 0x02, 0x88});
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
}

INSTANTIATE_TEST_SUITE_P(
    Type, Unmasked,
    ::testing::Values(UnmaskedCase{"PFAULT_INIT", abi::KVM_S390_INT_PFAULT_INIT},
                      UnmaskedCase{"PFAULT_DONE", abi::KVM_S390_INT_PFAULT_DONE},
                      UnmaskedCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO}),
    CaseName());

}  // namespace
}  // namespace lethe::conformance
