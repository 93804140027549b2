#ifndef LETHE_EMULATED_HOST_KVM_STORAGE_KEYS_H_
#define LETHE_EMULATED_HOST_KVM_STORAGE_KEYS_H_

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

class VirtualMachine;

// KVM_S390_GET_SKEYS (0, KVM_S390_GET_SKEYS_NONE or a negated errno value) and KVM_S390_SET_SKEYS.
int GetStorageKeys(VirtualMachine& machine, const abi::kvm_s390_skeys& request);
int SetStorageKeys(VirtualMachine& machine, const abi::kvm_s390_skeys& request);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_STORAGE_KEYS_H_
