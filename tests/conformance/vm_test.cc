// The descriptor of a machine: what it creates, what it does not know, and to whom it listens.

#include <fcntl.h>
#include <sys/mman.h>

#include "tests/conformance/host_limits.h"
#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

using VirtualMachine = MachineTest;

TEST_F(VirtualMachine, TypeBitsBeyondUserControlAreInvalid) {
  EXPECT_EQ(Call(system(), abi::KVM_CREATE_VM, 2), -EINVAL);
  EXPECT_EQ(Call(system(), abi::KVM_CREATE_VM, std::uint64_t{1} << 31), -EINVAL);
}

TEST_F(VirtualMachine, DescriptorsCloseOnExec) {
  EXPECT_NE(fcntl(vm(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(AddCpu().fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(CreateFlic(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(VirtualMachine, CannotBeMapped) {
  EXPECT_EQ(kernel().Map(vm(), 4096), -ENODEV);
  EXPECT_EQ(kernel().Map(system(), 4096), -ENODEV);
}

TEST_F(VirtualMachine, UnknownRequestsAreNotForThisDevice) {
  EXPECT_EQ(Call(vm(), 0x0000aefe), -ENOTTY);
  EXPECT_EQ(Call(vm(), abi::KVM_RUN), -ENOTTY);
  EXPECT_EQ(Call(vm(), abi::KVM_GET_API_VERSION), -ENOTTY);
}

TEST_F(VirtualMachine, RequestsOfOtherArchitecturesAreNotForThisDevice) {
  constexpr unsigned long kClearDirtyLog = 0xc018aec0;
  constexpr unsigned long kSignalMessage = 0x4020aea5;
  constexpr unsigned long kInterruptLine = 0x4008ae61;
  std::uint64_t argument[8] = {};
  EXPECT_EQ(Pass(vm(), kClearDirtyLog, argument), -ENOTTY);
  EXPECT_EQ(Pass(vm(), kSignalMessage, argument), -ENOTTY);
  EXPECT_EQ(Pass(vm(), kInterruptLine, argument), -ENOTTY);
}

TEST_F(VirtualMachine, StructuresThatCannotBeReadAreFaults) {
  for (const unsigned long request :
       {abi::KVM_SET_USER_MEMORY_REGION, abi::KVM_ENABLE_CAP, abi::KVM_S390_MEM_OP,
        abi::KVM_S390_INTERRUPT, abi::KVM_SET_DEVICE_ATTR, abi::KVM_GET_DEVICE_ATTR,
        abi::KVM_HAS_DEVICE_ATTR, abi::KVM_CREATE_DEVICE, abi::KVM_GET_DIRTY_LOG,
        abi::KVM_S390_GET_SKEYS, abi::KVM_S390_SET_SKEYS, abi::KVM_IOEVENTFD, abi::KVM_IRQFD,
        abi::KVM_SET_GSI_ROUTING, abi::KVM_SET_USER_MEMORY_REGION2}) {
    EXPECT_EQ(Call(vm(), request, kNowhere), -EFAULT) << std::hex << request;
  }
}

TEST_F(VirtualMachine, AnotherProcessIsAnInputOutputError) {
  if (!ForkWipesWhatItShould()) GTEST_SKIP() << "user-mode emulation forks all memory";
  EXPECT_EQ(CallInChild(vm(), abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_USER_MEMORY), -EIO);
  EXPECT_EQ(CallInChild(vm(), abi::KVM_CREATE_VCPU, 0), -EIO);
  EXPECT_EQ(CallInChild(vm(), 0x0000aefe), -EIO);  // before the request is looked at
}

TEST_F(VirtualMachine, AnotherProcessCannotUseItsCpusAndDevicesEither) {
  if (!ForkWipesWhatItShould()) GTEST_SKIP() << "user-mode emulation forks all memory";
  EXPECT_EQ(CallInChild(AddCpu().fd, abi::KVM_RUN), -EIO);
  EXPECT_EQ(CallInChild(CreateFlic(), abi::KVM_HAS_DEVICE_ATTR), -EIO);
}

TEST_F(VirtualMachine, AnotherProcessMayAskTheSystem) {
  // 12 as an exit status; the sign is that of CallInChild().
  EXPECT_EQ(CallInChild(system(), abi::KVM_GET_API_VERSION) & 0xff, 12);
}

TEST_F(VirtualMachine, CpuAddressesEndAtTheLargestOneAnnounced) {
  const int limit = Extension(abi::KVM_CAP_MAX_VCPU_ID);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, static_cast<unsigned>(limit)), -EINVAL);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, 255), -EINVAL);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, std::uint64_t{1} << 32), -EINVAL);
}

TEST_F(VirtualMachine, ACpuAddressIsTakenOnce) {
  AddCpu(3);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, 3), -EEXIST);
}

TEST_F(VirtualMachine, CpuAddressesNeedNotBeDense) {
  AddCpu(0);
  AddCpu(63);
  AddCpu(7);
}

TEST_F(VirtualMachine, ACpuAddressAbove63IsGoodWhereTheHostHasThatMany) {
  if (Extension(abi::KVM_CAP_MAX_VCPU_ID) <= 64) GTEST_SKIP() << "64 CPUs at most";
  AddCpu(64);
  AddCpu(200);
}

TEST_F(VirtualMachine, EachMachineHasItsOwnCpus) {
  AddCpu(0);
  Machine other;
  other.AddCpu(0);
}

TEST_F(VirtualMachine, ACpuOutlivesTheMachinesDescriptor) {
  // DIAG 0,0,X'501': to user space
  Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x01});
  const int cpu_fd = cpu.fd;
  CloseMachine();
  EXPECT_EQ(Call(cpu_fd, abi::KVM_RUN), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
}

TEST_F(VirtualMachine, TheRunStructureOutlivesTheCpusDescriptor) {
  Vcpu& cpu = AddCpu();
  kernel().Close(cpu.fd);
  cpu.fd = -1;
  cpu.run->s.regs.gprs[1] = 5;
  EXPECT_EQ(cpu.run->s.regs.gprs[1], 5u);
}

TEST_F(VirtualMachine, AClosedDescriptorIsBad) {
  const int fd = vm();
  CloseAll();
  EXPECT_EQ(Call(fd, abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_USER_MEMORY), -EBADF);
}

TEST_F(VirtualMachine, InterruptChipNeedsItsCapability) {
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_IRQCHIP), -EINVAL);
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_IRQCHIP), 0);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_IRQCHIP), 0);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_IRQCHIP), 0);
}

TEST_F(VirtualMachine, DevicesOfUnknownTypesDoNotExist) {
  abi::kvm_create_device wanted{5 /* an ARM interrupt controller */, 0, 0};
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), -ENODEV);
  wanted.type = 0x7fffffff;
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), -ENODEV);
}

TEST_F(VirtualMachine, ThereIsOneFloatingInterruptController) {
  CreateFlic();
  abi::kvm_create_device wanted{abi::KVM_DEV_TYPE_FLIC, 0, 0};
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), -EINVAL);
}

TEST_F(VirtualMachine, TestingForADeviceTypeMakesNone) {
  abi::kvm_create_device wanted{abi::KVM_DEV_TYPE_FLIC, 0, abi::KVM_CREATE_DEVICE_TEST};
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), 0);
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), 0);
  wanted.flags = 0;
  EXPECT_EQ(Pass(vm(), abi::KVM_CREATE_DEVICE, wanted), 0);
  kernel().Close(static_cast<int>(wanted.fd));
}

TEST_F(VirtualMachine, PciOperationsNeedADevice) {
  std::uint64_t operation[9] = {};
  const int result = Pass(vm(), abi::KVM_S390_ZPCI_OP, operation);
  EXPECT_TRUE(result == -EINVAL || result == -ENODEV) << result;
}

TEST_F(VirtualMachine, CollaborativeMemoryBitsNeedTheFeatureSwitchedOn) {
  abi::kvm_s390_cmma_log log{};
  log.count = 1;
  EXPECT_EQ(Pass(vm(), abi::KVM_S390_GET_CMMA_BITS, log), -ENXIO);
  EXPECT_EQ(Pass(vm(), abi::KVM_S390_SET_CMMA_BITS, log), -ENXIO);
  log.flags = 0xfeedc0fe;  // looked at later
  EXPECT_EQ(Pass(vm(), abi::KVM_S390_GET_CMMA_BITS, log), -ENXIO);
}

TEST_F(VirtualMachine, FloatingInterruptionsOfTheOldFormAreTaken) {
  for (const std::uint64_t type :
       {abi::KVM_S390_INT_SERVICE, abi::KVM_S390_INT_VIRTIO, abi::KVM_S390_INT_PFAULT_DONE,
        abi::KVM_S390_MCHK, abi::KVM_S390_INT_IO(false, 0, 0, 1)}) {
    abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(type), 0x10000, 0};
    EXPECT_EQ(Pass(vm(), abi::KVM_S390_INTERRUPT, old), 0) << std::hex << type;
  }
}

TEST_F(VirtualMachine, InterruptionsOfOneCpuAreNotTheMachines) {
  for (const std::uint64_t type :
       {abi::KVM_S390_SIGP_STOP, abi::KVM_S390_PROGRAM_INT, abi::KVM_S390_SIGP_SET_PREFIX,
        abi::KVM_S390_RESTART, abi::KVM_S390_INT_PFAULT_INIT, abi::KVM_S390_INT_EMERGENCY,
        abi::KVM_S390_INT_EXTERNAL_CALL, abi::KVM_S390_INT_CLOCK_COMP,
        abi::KVM_S390_INT_CPU_TIMER}) {
    abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(type), 0, 0};
    EXPECT_EQ(Pass(vm(), abi::KVM_S390_INTERRUPT, old), -EINVAL) << std::hex << type;
  }
}

}  // namespace
}  // namespace lethe::conformance
