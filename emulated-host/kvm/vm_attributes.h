#ifndef LETHE_EMULATED_HOST_KVM_VM_ATTRIBUTES_H_
#define LETHE_EMULATED_HOST_KVM_VM_ATTRIBUTES_H_

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

class VirtualMachine;

// KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR and KVM_HAS_DEVICE_ATTR of a virtual machine (Linux,
// Documentation/virt/kvm/devices/vm.rst).
int SetVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute);
int GetVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute);
int HasVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_VM_ATTRIBUTES_H_
