// What ends a wait.

#include <chrono>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

using Injection = OneCpu;

struct WakeCase {
  const char* name;
  std::uint64_t type;
  std::uint64_t new_psw;
};
class Wake : public OneCpu, public ::testing::WithParamInterface<WakeCase> {};

TEST_P(Wake, EndsAnEnabledWait) {
  EnableSubclasses();
  SetPsw(cpu_, kDisabledWait | kAllOn, 0x1000);
  EXPECT_EQ(RunBeside([&](pthread_t) {
              switch (GetParam().type) {
                case abi::KVM_S390_INT_SERVICE:
                case abi::KVM_S390_INT_VIRTIO:
                  EXPECT_EQ(Interrupt(vm(), GetParam().type, 0x12340), 0);
                  return;
                case 0x42:
                  EXPECT_EQ(InjectInputOutput(1, 0x42, 0, 3), 0);
                  return;
                default:
                  EXPECT_EQ(InjectType(GetParam().type), 0);
              }
            }),
            0);
  EXPECT_EQ(Landed(), GetParam().new_psw);
  EXPECT_EQ(Load<std::uint64_t>(OldPswOf(GetParam().new_psw) + 8), 0x1000);
}

INSTANTIATE_TEST_SUITE_P(
    Type, Wake,
    ::testing::Values(WakeCase{"EMERGENCY", abi::KVM_S390_INT_EMERGENCY, kExternalNew},
                      WakeCase{"EXTERNAL_CALL", abi::KVM_S390_INT_EXTERNAL_CALL, kExternalNew},
                      WakeCase{"SERVICE", abi::KVM_S390_INT_SERVICE, kExternalNew},
                      WakeCase{"VIRTIO", abi::KVM_S390_INT_VIRTIO, kExternalNew},
                      WakeCase{"IO", 0x42, kInputOutputNew},
                      WakeCase{"RESTART", abi::KVM_S390_RESTART, kRestartNew},
                      WakeCase{"PROGRAM_INT", abi::KVM_S390_PROGRAM_INT, kProgramNew}),
    CaseName());

TEST_F(Injection, AMaskedInterruptionDoesNotEndAWait) {
  SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
  SetPsw(cpu_, kEnabledWait, 0x1000);  // control register 0 masks it
  EXPECT_EQ(RunBeside([&](pthread_t thread) {
              EXPECT_EQ(InjectEmergency(0), 0);
              std::this_thread::sleep_for(std::chrono::milliseconds(10));
              Kick(thread);
            }),
            -EINTR);
  EXPECT_EQ(cpu_.run->psw_addr, 0x1000);
}

TEST_F(Injection, RestartEndsADisabledWait) {
  ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
  SetPsw(cpu_, kDisabledWait, 0x1000);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kRestartNew);
  EXPECT_EQ(Load<std::uint64_t>(0x128), 0x1000);
}

}  // namespace
}  // namespace lethe::conformance
