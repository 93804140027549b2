#include "accel/kvm-s390/system.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "base/status_matchers.h"

namespace lethe::kvm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(System, ReadsCapabilities) {
  FakeKernel kernel;
  kernel.capabilities[abi::KVM_CAP_S390_PROTECTED_DUMP] = 1;
  kernel.capabilities[abi::KVM_CAP_S390_VECTOR_REGISTERS] = 0;
  absl::StatusOr<System> system = System::Open(kernel);
  ASSERT_THAT(system, IsOk());
  EXPECT_EQ(system->capabilities().max_vcpus, 248u);
  EXPECT_EQ(system->capabilities().mem_op_bytes, 65536u);
  EXPECT_TRUE(system->capabilities().protected_guests);
  EXPECT_TRUE(system->capabilities().protected_dump);
  EXPECT_TRUE(system->capabilities().protected_async_disable);
  EXPECT_FALSE(system->capabilities().vector_registers);
}

TEST(System, RefusesTheKvmOfAnotherArchitecture) {
  FakeKernel kernel;
  kernel.capabilities[abi::KVM_CAP_S390_PSW] = 0;
  EXPECT_THAT(System::Open(kernel), FailsWith(HasSubstr("not of s390x")));
  EXPECT_EQ(kernel.open_descriptors(), 0);
}

TEST(System, RefusesAnOldKvm) {
  FakeKernel kernel;
  kernel.capabilities[abi::KVM_CAP_S390_VCPU_RESETS] = 0;
  EXPECT_THAT(System::Open(kernel), FailsWith(HasSubstr("too old")));
}

TEST(System, RefusesAnotherApiVersion) {
  FakeKernel kernel;
  kernel.On(abi::KVM_GET_API_VERSION, [](int, std::uintptr_t) { return 11; });
  EXPECT_THAT(System::Open(kernel), FailsWith(HasSubstr("API version 11")));
}

TEST(System, NamesTheDeviceThatCannotBeOpened) {
  class NoDevice final : public Kernel {
    int Open(const char*, int) override { return -EACCES; }
    int Ioctl(int, unsigned long, std::uintptr_t) override { return -EBADF; }
    std::intptr_t Map(int, std::size_t) override { return -EBADF; }
    int Unmap(void*, std::size_t) override { return -EINVAL; }
    int Poll(pollfd*, std::size_t, int) override { return 0; }
    int Kick(int, pthread_t) override { return 0; }
    int Close(int) override { return -EBADF; }
    std::unique_ptr<Survivor> MakeSurvivor(int, std::vector<RunArea>) override { return nullptr; }
  } kernel;
  absl::StatusOr<System> system = System::Open(kernel);
  EXPECT_THAT(system, FailsWith(AllOf(HasSubstr("/dev/kvm"), HasSubstr("Permission denied"))));
}

TEST(System, SaysWhichRequestFailedWhenAVmCannotBeMade) {
  FakeKernel fake;
  FaultInjectingKernel kernel(fake);
  absl::StatusOr<System> system = System::Open(kernel);
  ASSERT_THAT(system, IsOk());
  kernel.Inject({.request = abi::KVM_CREATE_VM, .error = EINVAL});
  EXPECT_THAT(system->CreateVm(), FailsWith(HasSubstr("KVM_CREATE_VM")));
  EXPECT_THAT(system->CreateVm(), IsOk());  // only the first call was to fail
  EXPECT_EQ(kernel.injected(), 1u);
}

TEST(System, RepeatsAnInterruptedRequest) {
  FakeKernel fake;
  FaultInjectingKernel kernel(fake);
  kernel.Inject({.request = abi::KVM_GET_API_VERSION, .error = EINTR});
  EXPECT_THAT(System::Open(kernel), IsOk());
  EXPECT_EQ(kernel.injected(), 1u);
}

TEST(System, ClosesEveryDescriptor) {
  FakeKernel kernel;
  {
    absl::StatusOr<System> system = System::Open(kernel);
    ASSERT_THAT(system, IsOk());
    absl::StatusOr<Vm> vm = system->CreateVm();
    ASSERT_THAT(vm, IsOk());
    absl::StatusOr<std::unique_ptr<Vcpu>> vcpu = vm->CreateVcpu(0);
    ASSERT_THAT(vcpu, IsOk());
    absl::StatusOr<Flic> flic = vm->CreateFlic();
    ASSERT_THAT(flic, IsOk());
    EXPECT_EQ(kernel.open_descriptors(), 4);
    EXPECT_EQ(kernel.mappings(), 1);
  }
  EXPECT_EQ(kernel.open_descriptors(), 0);
  EXPECT_EQ(kernel.mappings(), 0);
}

}  // namespace
}  // namespace lethe::kvm
