#ifndef LETHE_EMULATED_HOST_KVM_SYSTEM_DEVICE_H_
#define LETHE_EMULATED_HOST_KVM_SYSTEM_DEVICE_H_

#include "emulated-host/kvm/host.h"
#include "emulated-host/kvm/kernel_file.h"

namespace lethe::emulated {

// /dev/kvm.
class SystemDevice final : public KernelFile {
 public:
  explicit SystemDevice(Host& host) : host_(host) {}
  int Ioctl(unsigned long request, std::uintptr_t argument) override;

 private:
  friend struct SystemDeviceTable;
  int GetApiVersion(std::uintptr_t argument);
  int CreateVm(std::uintptr_t type);
  int CheckExtension(std::uintptr_t capability);
  int GetVcpuMapSize(std::uintptr_t argument);
  int EnableSie(std::uintptr_t);

  Host& host_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_SYSTEM_DEVICE_H_
