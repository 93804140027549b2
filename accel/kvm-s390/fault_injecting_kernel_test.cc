#include "accel/kvm-s390/fault_injecting_kernel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"

namespace lethe::kvm {
namespace {

using ::testing::ElementsAre;

class FaultInjectingKernelTest : public ::testing::Test {
 protected:
  int Open() { return kernel_.Open("/dev/kvm", O_RDWR); }
  int CreateVm() {
    system_ = Open();
    return kernel_.Ioctl(system_, abi::KVM_CREATE_VM, 0);
  }
  int CreateVcpu(int vm, unsigned address) {
    return kernel_.Ioctl(vm, abi::KVM_CREATE_VCPU, address);
  }
  int SetState(int vcpu) {
    abi::kvm_mp_state state = {};
    state.mp_state = abi::KVM_MP_STATE_STOPPED;
    return kernel_.Ioctl(vcpu, abi::KVM_SET_MP_STATE, reinterpret_cast<std::uintptr_t>(&state));
  }

  FakeKernel fake_;
  FaultInjectingKernel kernel_{fake_};
  int system_ = -1;
};

TEST_F(FaultInjectingKernelTest, AFaultStrikesOnceAtItsCall) {
  kernel_.Inject({.request = abi::KVM_GET_API_VERSION, .occurrence = 2, .error = EIO});
  const int fd = Open();
  std::vector<int> results;
  for (int i = 0; i < 3; ++i) results.push_back(kernel_.Ioctl(fd, abi::KVM_GET_API_VERSION, 0));
  EXPECT_THAT(results, ElementsAre(abi::KVM_API_VERSION, -EIO, abi::KVM_API_VERSION));
  EXPECT_EQ(kernel_.injected(), 1u);
}

TEST_F(FaultInjectingKernelTest, AStickingFaultStrikesFromThenOn) {
  kernel_.Inject(
      {.request = abi::KVM_GET_API_VERSION, .occurrence = 2, .result = 7, .sticks = true});
  const int fd = Open();
  std::vector<int> results;
  for (int i = 0; i < 3; ++i) results.push_back(kernel_.Ioctl(fd, abi::KVM_GET_API_VERSION, 0));
  EXPECT_THAT(results, ElementsAre(abi::KVM_API_VERSION, 7, 7));
}

TEST_F(FaultInjectingKernelTest, CallsAreToldApartBySubjectAndCpu) {
  const int vm = CreateVm();
  const int first = CreateVcpu(vm, 0);
  const int second = CreateVcpu(vm, 1);
  kernel_.Inject({.error = EINVAL, .call = KernelCall{.request = abi::KVM_SET_MP_STATE, .cpu = 1}});
  kernel_.Inject(
      {.error = EPERM,
       .call = KernelCall{.request = abi::KVM_CHECK_EXTENSION, .subject = abi::KVM_CAP_S390_PSW}});
  EXPECT_EQ(SetState(first), 0);
  EXPECT_EQ(SetState(second), -EINVAL);
  EXPECT_EQ(kernel_.Ioctl(system_, abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PSW), -EPERM);
  EXPECT_GE(kernel_.Ioctl(system_, abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_NR_VCPUS), 0);
}

TEST_F(FaultInjectingKernelTest, ACallThatFailsAfterwardsLeavesNoDescriptor) {
  const int vm = CreateVm();
  const int before = fake_.open_descriptors();
  kernel_.Inject({.request = abi::KVM_CREATE_VCPU, .error = EFAULT, .made_first = true});
  EXPECT_EQ(CreateVcpu(vm, 0), -EFAULT);
  EXPECT_EQ(fake_.open_descriptors(), before);
  EXPECT_EQ(kernel_.open_descriptors(), 2u);  // the system's and the VM's
}

TEST_F(FaultInjectingKernelTest, OpenMapAndMakeSurvivorFailToo) {
  kernel_.Inject({.error = EACCES, .call = KernelCall{.kind = KernelCall::Kind::kOpen}});
  EXPECT_EQ(Open(), -EACCES);
  const int vm = CreateVm();
  const int vcpu = CreateVcpu(vm, 3);
  kernel_.Inject({.error = ENOMEM, .call = KernelCall{.kind = KernelCall::Kind::kMap, .cpu = 3}});
  EXPECT_EQ(kernel_.Map(vcpu, 4096), -ENOMEM);
  EXPECT_EQ(kernel_.mapped_areas(), 0u);
  kernel_.Inject({.call = KernelCall{.kind = KernelCall::Kind::kMakeSurvivor}});
  EXPECT_EQ(kernel_.MakeSurvivor(vm, {}), nullptr);
  EXPECT_EQ(kernel_.injected(), 3u);
}

TEST_F(FaultInjectingKernelTest, CountsWhatHasNotComeBack) {
  const int vm = CreateVm();
  const int vcpu = CreateVcpu(vm, 0);
  const std::intptr_t area = kernel_.Map(vcpu, 4096);
  EXPECT_EQ(kernel_.open_descriptors(), 3u);
  EXPECT_EQ(kernel_.mapped_areas(), 1u);
  EXPECT_EQ(kernel_.Unmap(reinterpret_cast<void*>(area), 4096), 0);
  for (const int fd : {vcpu, vm, system_}) EXPECT_EQ(kernel_.Close(fd), 0);
  EXPECT_EQ(kernel_.open_descriptors(), 0u);
  EXPECT_EQ(kernel_.mapped_areas(), 0u);
}

TEST_F(FaultInjectingKernelTest, RecordsCallsAlsoThoseThatFail) {
  kernel_.StartRecording();
  const int vm = CreateVm();
  kernel_.Inject({.request = abi::KVM_CREATE_VCPU, .error = EEXIST});
  CreateVcpu(vm, 0);
  EXPECT_THAT(kernel_.recorded(), ElementsAre(KernelCall{.kind = KernelCall::Kind::kOpen},
                                              KernelCall{.request = abi::KVM_CREATE_VM},
                                              KernelCall{.request = abi::KVM_CREATE_VCPU}));
}

class AnsweringSurvivor final : public Survivor {
 public:
  explicit AnsweringSurvivor(int& commands) : commands_(commands) {}
  int Command(abi::kvm_pv_cmd& command) override {
    ++commands_;
    command.rc = 1;
    return 0;
  }
  void Close() override {}

 private:
  int& commands_;
};

TEST(FaultInjectingSurvivorTest, FailsAsToldAndKeepsAJournal) {
  int commands = 0;
  SurvivorJournal journal;
  FaultInjectingSurvivor survivor(
      std::make_unique<AnsweringSurvivor>(commands),
      {.command = abi::KVM_PV_DISABLE, .occurrence = 2, .error = EIO, .rc = 0x8003}, journal);
  for (int i = 0; i < 3; ++i) {
    abi::kvm_pv_cmd command = {};
    command.cmd = abi::KVM_PV_DISABLE;
    EXPECT_EQ(survivor.Command(command), i == 1 ? -EIO : 0);
    EXPECT_EQ(command.rc, i == 1 ? 0x8003 : 1);
  }
  EXPECT_EQ(commands, 2);
  EXPECT_FALSE(journal.closed);
  survivor.Close();
  EXPECT_TRUE(journal.closed);
  EXPECT_EQ(journal.count, 3u);
  EXPECT_EQ(journal.struck, 1u);
  EXPECT_EQ(journal.entries[1].result, -EIO);
}

TEST(KernelCallTest, HasTheNameOfErrorMessages) {
  EXPECT_EQ(ToString({.request = abi::KVM_SET_MP_STATE, .cpu = 1}), "KVM_SET_MP_STATE of CPU 1");
  EXPECT_EQ(ToString({.request = abi::KVM_S390_PV_COMMAND, .subject = abi::KVM_PV_VERIFY}),
            "KVM_PV_VERIFY");
  EXPECT_EQ(ToString({.request = 0x1234}), "ioctl 0x1234");
}

}  // namespace
}  // namespace lethe::kvm
