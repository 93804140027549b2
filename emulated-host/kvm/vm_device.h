#ifndef LETHE_EMULATED_HOST_KVM_VM_DEVICE_H_
#define LETHE_EMULATED_HOST_KVM_VM_DEVICE_H_

#include <memory>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/kernel_file.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {

// The descriptor of a virtual machine.
class VmDevice final : public KernelFile {
 public:
  explicit VmDevice(std::shared_ptr<VirtualMachine> machine) : machine_(std::move(machine)) {}
  int Ioctl(unsigned long request, std::uintptr_t argument) override;
  std::unique_ptr<kvm::Survivor> MakeSurvivor(int fd, std::vector<kvm::RunArea> run_areas,
                                              std::shared_ptr<const void> copy) override;

 private:
  friend struct VmDeviceTable;
  int CheckExtension(std::uintptr_t capability);
  int CreateVcpu(std::uintptr_t address);
  int GetDirtyLog(std::uintptr_t argument);
  int SetMemoryRegion(std::uintptr_t argument);
  int SetMemoryRegion2(std::uintptr_t argument);
  int CreateInterruptChip(std::uintptr_t);
  int ChangeEventChannel(std::uintptr_t argument);
  int RouteInterruptLines(std::uintptr_t argument);
  int ChangeInterruptLine(std::uintptr_t argument);
  int Interrupt(std::uintptr_t argument);
  int EnableCapability(std::uintptr_t argument);
  int MemoryOperation(std::uintptr_t argument);
  int GetStorageKeys(std::uintptr_t argument);
  int SetStorageKeys(std::uintptr_t argument);
  int PciOperation(std::uintptr_t);
  int GetCmmaBits(std::uintptr_t);
  int SetCmmaBits(std::uintptr_t);
  int ProtectedCommand(std::uintptr_t argument);
  int CreateDevice(std::uintptr_t argument);
  int SetAttribute(std::uintptr_t argument);
  int GetAttribute(std::uintptr_t argument);
  int HasAttribute(std::uintptr_t argument);

  const std::shared_ptr<VirtualMachine> machine_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_VM_DEVICE_H_
