#ifndef LETHE_EMULATED_HOST_KVM_ONE_REGISTER_H_
#define LETHE_EMULATED_HOST_KVM_ONE_REGISTER_H_

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

class VirtualCpu;

// KVM_GET_ONE_REG and KVM_SET_ONE_REG. The CPU's mutex is held.
int GetOneRegister(VirtualCpu& cpu, const abi::kvm_one_reg& request);
int SetOneRegister(VirtualCpu& cpu, const abi::kvm_one_reg& request);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_ONE_REGISTER_H_
