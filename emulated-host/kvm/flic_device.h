#ifndef LETHE_EMULATED_HOST_KVM_FLIC_DEVICE_H_
#define LETHE_EMULATED_HOST_KVM_FLIC_DEVICE_H_

#include <memory>
#include <utility>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/kernel_file.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {

// The floating interrupt controller of a machine (Linux, Documentation/virt/kvm/devices/
// s390_flic.rst).
class FlicDevice final : public KernelFile {
 public:
  explicit FlicDevice(std::shared_ptr<VirtualMachine> machine) : machine_(std::move(machine)) {}
  int Ioctl(unsigned long request, std::uintptr_t argument) override;

 private:
  friend struct FlicDeviceTable;
  int SetAttribute(std::uintptr_t argument);
  int GetAttribute(std::uintptr_t argument);
  int HasAttribute(std::uintptr_t argument);

  int GetAll(const abi::kvm_device_attr& attribute);
  int Enqueue(const abi::kvm_device_attr& attribute);
  int ClearAll(const abi::kvm_device_attr& attribute);
  int SwitchPageFaults(const abi::kvm_device_attr& attribute);
  int RegisterAdapter(const abi::kvm_device_attr& attribute);
  int ModifyAdapter(const abi::kvm_device_attr& attribute);
  int ClearInputOutput(const abi::kvm_device_attr& attribute);
  int SetMode(const abi::kvm_device_attr& attribute);
  int SetModes(const abi::kvm_device_attr& attribute);
  int GetModes(const abi::kvm_device_attr& attribute);
  int InjectAdapterInterruption(const abi::kvm_device_attr& attribute);

  bool Suppresses() const { return machine_->settings().interrupt_suppression; }

  const std::shared_ptr<VirtualMachine> machine_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_FLIC_DEVICE_H_
