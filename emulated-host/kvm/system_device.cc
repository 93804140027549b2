#include "emulated-host/kvm/system_device.h"

#include <cerrno>
#include <memory>
#include <utility>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/capability_table.h"
#include "emulated-host/kvm/virtual_machine.h"
#include "emulated-host/kvm/vm_device.h"

namespace lethe::emulated {

struct SystemDeviceTable {
  static constexpr IoctlRow<SystemDevice> kRows[] = {
      {abi::KVM_GET_API_VERSION, "KVM_GET_API_VERSION", &SystemDevice::GetApiVersion},
      {abi::KVM_CREATE_VM, "KVM_CREATE_VM", &SystemDevice::CreateVm},
      {abi::KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION", &SystemDevice::CheckExtension},
      {abi::KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE", &SystemDevice::GetVcpuMapSize},
      {abi::KVM_S390_ENABLE_SIE, "KVM_S390_ENABLE_SIE", &SystemDevice::EnableSie},
  };
};

int SystemDevice::Ioctl(unsigned long request, std::uintptr_t argument) {
  return DispatchIoctl(SystemDeviceTable::kRows, *this, request, argument, -EINVAL);
}

int SystemDevice::GetApiVersion(std::uintptr_t argument) {
  return argument == 0 ? abi::KVM_API_VERSION : -EINVAL;
}

// User-controlled virtual machines (type 1) are not offered.
int SystemDevice::CreateVm(std::uintptr_t type) {
  if (type != 0) return -EINVAL;
  UniqueFd fd = MakeMemoryDescriptor("kvm-vm", 0);
  if (!fd) return -EMFILE;
  auto machine = std::make_shared<VirtualMachine>(host_);
  return host_.descriptors().Install(std::move(fd), std::make_shared<VmDevice>(std::move(machine)));
}

int SystemDevice::CheckExtension(std::uintptr_t capability) {
  return emulated::CheckExtension(host_.options(), capability);
}

int SystemDevice::GetVcpuMapSize(std::uintptr_t argument) {
  return argument == 0 ? static_cast<int>(kPageSize) : -EINVAL;
}

int SystemDevice::EnableSie(std::uintptr_t) { return 0; }

}  // namespace lethe::emulated
