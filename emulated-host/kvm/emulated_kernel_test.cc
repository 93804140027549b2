#include "emulated-host/kvm/emulated_kernel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "emulated-host/kvm/kernel_fixture.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

TEST(SystemDevice, AnswersAsTheDocumentSays) {
  KernelUser user;
  struct {
    unsigned long request;
    std::uintptr_t argument;
    int result;
  } constexpr kCases[] = {
      {abi::KVM_GET_API_VERSION, 0, 12},
      {abi::KVM_GET_API_VERSION, 1, -EINVAL},
      {abi::KVM_CREATE_VM, 2, -EINVAL},
      {abi::KVM_CREATE_VM, abi::KVM_VM_S390_UCONTROL, -EINVAL},
      {abi::KVM_GET_VCPU_MMAP_SIZE, 0, 4096},
      {abi::KVM_GET_VCPU_MMAP_SIZE, 1, -EINVAL},
      {abi::KVM_S390_ENABLE_SIE, 0, 0},
      {0x0000aeff, 0, -EINVAL},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_MEM_OP, 65536},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_NR_MEMSLOTS, 32767},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_MAX_VCPUS, 248},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PROTECTED, 0},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE, 0},
      {abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_READONLY_MEM, 0},
      {abi::KVM_CHECK_EXTENSION, 12345, 0},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(user.Call(user.system(), c.request, c.argument), c.result)
        << std::hex << c.request << " " << c.argument;
  }
}

TEST(EmulatedKernel, KnowsItsOwnDescriptorsOnly) {
  KernelUser user;
  EXPECT_EQ(user.kernel().Open("/dev/null", 0), -ENOENT);
  EXPECT_EQ(user.kernel().Ioctl(0, abi::KVM_GET_API_VERSION, 0), -EBADF);
  EXPECT_EQ(user.kernel().Map(user.vm(), 4096), -ENODEV);
  EXPECT_EQ(user.Call(user.vm(), 0x0000aeff), -ENOTTY);
  Vcpu& cpu = user.AddCpu();
  EXPECT_EQ(user.Call(cpu.fd, 0x0000aeff), -ENOTTY);
  EXPECT_EQ(user.Call(cpu.fd, 0x0000adff), -EINVAL);
  EXPECT_EQ(user.kernel().Map(cpu.fd, 8192), -EINVAL);
}

TEST(EmulatedKernel, CopiesOfADescriptorStandForTheSameUntilTheLastIsClosed) {
  std::vector<int> announced;
  EmulatedKernelOptions options;
  options.on_descriptor = [&](int fd) { announced.push_back(fd); };
  EmulatedKernel kernel(options);
  const int system = kernel.Open("/dev/kvm", 0);
  const int copy = dup(system);
  EXPECT_EQ(kernel.Ioctl(copy, abi::KVM_GET_API_VERSION, 0), -EBADF);
  EXPECT_EQ(kernel.Adopt(copy, copy), -EBADF);
  EXPECT_EQ(kernel.Adopt(system, copy), 0);
  EXPECT_EQ(announced, (std::vector<int>{system, copy}));
  EXPECT_EQ(kernel.Close(system), 0);
  EXPECT_EQ(kernel.Ioctl(copy, abi::KVM_GET_API_VERSION, 0), 12);
  EXPECT_EQ(kernel.Close(copy), 0);
  EXPECT_EQ(kernel.Ioctl(copy, abi::KVM_GET_API_VERSION, 0), -EBADF);
}

TEST(EmulatedKernel, ANumberThatWasClosedBehindItsBackServesAgain) {
  EmulatedKernel kernel(EmulatedKernelOptions{});
  const int first = kernel.Open("/dev/kvm", 0);
  ASSERT_EQ(close(first), 0);
  const int second = kernel.Open("/dev/kvm", 0);
  EXPECT_EQ(second, first);
  EXPECT_GE(fcntl(second, F_GETFD), 0);
  EXPECT_EQ(kernel.Close(second), 0);
}

TEST(EmulatedKernel, MappingsThatTheUserMadeItselfKeepTheCpu) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, cpu.fd, 0);
  ASSERT_NE(page, MAP_FAILED);
  EXPECT_EQ(user.kernel().NoteMapping(user.vm(), page), -ENODEV);
  EXPECT_EQ(user.kernel().NoteMapping(-1, page), -EBADF);
  EXPECT_EQ(user.kernel().NoteMapping(cpu.fd, page), 0);
  EXPECT_EQ(user.kernel().Unmap(page, 4096), 0);
}

TEST(VmDevice, CreatesCpusByAddress) {
  KernelUser user;
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_CREATE_VCPU, 255), -EINVAL);
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_CREATE_VCPU, 248), -EINVAL);
  user.AddCpu(247);
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_CREATE_VCPU, 247), -EEXIST);
}

TEST(VmDevice, ChecksMemorySlotsInOrder) {
  KernelUser user;
  SharedMemory more(2 << 20);
  const std::uint64_t at = more.address();
  struct {
    std::uint32_t slot, flags;
    std::uint64_t absolute, size, user;
    int result;
  } const kCases[] = {
      {1, abi::KVM_MEM_READONLY, 8 << 20, 1 << 20, at, -EINVAL},
      {1, 0, 8 << 20, 4097, at, -EINVAL},
      {1, 0, (8 << 20) + 1, 1 << 20, at, -EINVAL},
      {1, 0, 8 << 20, 1 << 20, at + 1, -EINVAL},
      {32767, 0, 8 << 20, 1 << 20, at, -EINVAL},
      {0x10001, 0, 8 << 20, 1 << 20, at, -EINVAL},
      {1, 0, ~std::uint64_t{0xfff}, 1 << 20, at, -EINVAL},
      {1, 0, 8 << 20, 0, at, -EINVAL},                       // delete what is not there
      {0, 0, 0, 1 << 20, user.memory().address(), -EINVAL},  // another size
      {1, 0, 3 << 20, 2 << 20, at, -EEXIST},
      {1, 0, 8 << 20, 1 << 20, at + 4096, -EINVAL},  // segments
      {1, 0, 8 << 20, 4096, at, -EINVAL},
      {1, 0, std::uint64_t{16} << 40, 1 << 20, at, -EINVAL},  // beyond the host's maximum
      {1, 0, 8 << 20, 1 << 20, at, 0},
      {1, 0, 8 << 20, 1 << 20, at, 0},  // once more
      {1, 0, 0, 0, 0, 0},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(user.SetSlot(c.slot, c.absolute, c.size, c.user, c.flags), c.result)
        << c.slot << " " << std::hex << c.absolute << " " << c.size;
  }
}

TEST(VmDevice, EnablesWhatTheHostHas) {
  KernelUser user;
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_CREATE_IRQCHIP), -EINVAL);
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_IRQCHIP), 0);
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_CREATE_IRQCHIP), 0);
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_USER_SIGP), 0);
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_USER_STSI), 0);
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_VECTOR_REGISTERS), -EINVAL);
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_CSS_SUPPORT), -EINVAL);
  Vcpu& cpu = user.AddCpu();
  EXPECT_EQ(user.EnableCapability(user.vm(), abi::KVM_CAP_S390_GS), -EBUSY);
  EXPECT_EQ(user.EnableCapability(cpu.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
  EXPECT_EQ(user.EnableCapability(cpu.fd, abi::KVM_CAP_S390_IRQCHIP), -EINVAL);
}

TEST(VmDevice, LimitsMemoryBeforeTheFirstCpu) {
  KernelUser user;
  std::uint64_t limit = 0;
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_MEM_CTRL, abi::KVM_S390_VM_MEM_LIMIT_SIZE,
                                 reinterpret_cast<std::uintptr_t>(&limit)};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_HAS_DEVICE_ATTR, attribute), 0);
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -EINVAL);
  limit = ~std::uint64_t{0};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -E2BIG);
  limit = 1 << 30;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), 0);
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), 0);
  EXPECT_EQ(limit, std::uint64_t{16} << 40);
  user.AddCpu();
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -EBUSY);
  attribute.addr = 8;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), -EFAULT);
  attribute.group = 77;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), -ENXIO);
}

TEST(VmDevice, ShowsAndTakesCpuModels) {
  KernelUser user;
  auto machine = std::make_unique<abi::kvm_s390_vm_cpu_machine>();
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_MACHINE,
                                 reinterpret_cast<std::uintptr_t>(machine.get())};
  ASSERT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), 0);
  EXPECT_EQ(machine->cpuid >> 56, 0xffu);
  // Configuration z/Architecture mode is KVM's own (facility 138).
  EXPECT_NE(machine->fac_mask[2] >> (63 - 10) & 1, 0u);
  auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  processor->cpuid = machine->cpuid;
  std::copy_n(machine->fac_list, 256, processor->fac_list);
  attribute.attr = abi::KVM_S390_VM_CPU_PROCESSOR;
  attribute.addr = reinterpret_cast<std::uintptr_t>(processor.get());
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), 0);
  attribute.attr = abi::KVM_S390_VM_CPU_MACHINE;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -ENXIO);
  user.AddCpu();
  attribute.attr = abi::KVM_S390_VM_CPU_PROCESSOR;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -EBUSY);
}

TEST(VmDevice, SetsTheTodClock) {
  KernelUser user;
  std::uint64_t tod = 0x1234567800000000;
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_LOW,
                                 reinterpret_cast<std::uintptr_t>(&tod)};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), 0);
  std::uint64_t now = 0;
  attribute.addr = reinterpret_cast<std::uintptr_t>(&now);
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_GET_DEVICE_ATTR, attribute), 0);
  EXPECT_GE(now, tod);
  attribute.flags = 1;
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_SET_DEVICE_ATTR, attribute), -EINVAL);
  attribute = {0, abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_EXT, 0};
  EXPECT_EQ(user.Pass(user.vm(), abi::KVM_HAS_DEVICE_ATTR, attribute), -ENXIO);
}

TEST(PvCommand, TakesOverCpuStatesEvenWhereNothingCanBeProtected) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x83, 0x00, 0x05, 0x01});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(user.Call(cpu.fd, abi::KVM_GET_MP_STATE), 7);
  user.Call(cpu.fd, abi::KVM_S390_INITIAL_RESET);  // the kernel stops it
  EXPECT_EQ(user.Call(cpu.fd, abi::KVM_GET_MP_STATE), 5);
  EXPECT_EQ(user.Call(user.vm(), abi::KVM_S390_PV_COMMAND, 0), -EINVAL);
  EXPECT_EQ(user.Run(cpu), -EINVAL);
}

}  // namespace
}  // namespace lethe::emulated
