// /dev/kvm: the requests that it answers (Documentation/virt/kvm/api.rst, system ioctls).

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

using System = MachineTest;

TEST_F(System, ApiVersionIs12) { EXPECT_EQ(Call(system(), abi::KVM_GET_API_VERSION), 12); }

TEST_F(System, ApiVersionTakesNoArgument) {
  EXPECT_EQ(Call(system(), abi::KVM_GET_API_VERSION, 1), -EINVAL);
}

TEST_F(System, TheRunStructureIsOnePage) {
  EXPECT_EQ(Call(system(), abi::KVM_GET_VCPU_MMAP_SIZE), 4096);
}

TEST_F(System, TheSizeOfTheRunStructureTakesNoArgument) {
  EXPECT_EQ(Call(system(), abi::KVM_GET_VCPU_MMAP_SIZE, 1), -EINVAL);
}

TEST_F(System, EnableSieIsDoneAlready) { EXPECT_EQ(Call(system(), abi::KVM_S390_ENABLE_SIE), 0); }

TEST_F(System, UnknownRequestsAreInvalid) {
  EXPECT_EQ(Call(system(), 0x0000aeff), -EINVAL);
  EXPECT_EQ(Call(system(), abi::KVM_CREATE_VCPU), -EINVAL);
}

}  // namespace
}  // namespace lethe::conformance
