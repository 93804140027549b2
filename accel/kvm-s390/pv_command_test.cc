#include "accel/kvm-s390/pv_command.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"

namespace lethe::kvm {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PvCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<System> system = System::Open(faults_);
    ASSERT_THAT(system, IsOk());
    absl::StatusOr<Vm> vm = system->CreateVm();
    ASSERT_THAT(vm, IsOk());
    vm_.emplace(*std::move(vm));
    command_.emplace(*vm_);
  }

  FakeKernel kernel_;
  FaultInjectingKernel faults_{kernel_};
  std::optional<Vm> vm_;
  std::optional<PvCommand> command_;
};

TEST_F(PvCommandTest, PassesWhatEachCommandNeeds) {
  const std::vector<std::uint8_t> header(640);
  EXPECT_TRUE(command_->Enable().ok());
  EXPECT_TRUE(command_->SetSecureParameters(header).ok());
  EXPECT_TRUE(command_->Unpack(0x14000, 0x2000, 0x1122334455667788).ok());
  EXPECT_TRUE(command_->Verify().ok());
  EXPECT_TRUE(command_->UnshareAll().ok());
  EXPECT_TRUE(command_->PrepareReset().ok());
  EXPECT_TRUE(command_->PrepareCleanup().ok());
  EXPECT_TRUE(command_->PerformCleanup().ok());
  EXPECT_THAT(kernel_.Trace(),
              ElementsAre("pv enable", "pv set-parameters 640",
                          "pv unpack 0x14000 0x2000 0x1122334455667788", "pv verify",
                          "pv unshare-all", "pv prepare-reset", "pv prepare", "pv perform"));
}

TEST_F(PvCommandTest, CarriesTheCodesOfARefusal) {
  faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                  .pv_command = abi::KVM_PV_VERIFY,
                  .error = EINVAL,
                  .rc = 0x102,
                  .rrc = 0x1b});
  ASSERT_TRUE(command_->Enable().ok());  // another command is not struck
  const PvResult result = command_->Verify();
  EXPECT_EQ(result.error, EINVAL);
  EXPECT_EQ(result.rc, 0x102);
  EXPECT_EQ(result.rrc, 0x1b);
  EXPECT_THAT(result.ToStatus(), FailsWith(AllOf(HasSubstr("KVM_PV_VERIFY"), HasSubstr("0x0102"),
                                                 HasSubstr("0x001b"))));
}

TEST_F(PvCommandTest, HasNoCodesWhenNoUltravisorCallWasMade) {
  ASSERT_TRUE(command_->Enable().ok());
  EXPECT_EQ(command_->Enable().error, EINVAL);
  EXPECT_EQ(command_->Enable().rc, 0);
  EXPECT_EQ(command_->PerformCleanup().error, EINVAL);
  EXPECT_EQ(command_->PerformCleanup().rc, 0);
}

TEST_F(PvCommandTest, SuccessfulResultIsOk) {
  const PvResult result = command_->Enable();
  EXPECT_THAT(result.ToStatus(), IsOk());
  EXPECT_EQ(result.rc, 1);
}

TEST(PvCommandName, CoversEveryCommandOnce) {
  EXPECT_EQ(PvCommandName(abi::KVM_PV_ENABLE), "KVM_PV_ENABLE");
  EXPECT_EQ(PvCommandName(abi::KVM_PV_INFO), "KVM_PV_INFO");
  EXPECT_EQ(PvCommandName(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), "KVM_PV_ASYNC_CLEANUP_PERFORM");
  EXPECT_EQ(PvCommandName(11), "unknown PV command");
}

}  // namespace
}  // namespace lethe::kvm
