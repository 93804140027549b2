#ifndef LETHE_EMULATED_HOST_KVM_CAPABILITY_TABLE_H_
#define LETHE_EMULATED_HOST_KVM_CAPABILITY_TABLE_H_

#include <cstdint>

#include "emulated-host/kvm/options.h"

namespace lethe::emulated {

// KVM_CHECK_EXTENSION: what the emulated host answers; 0 for everything it does not know.
int CheckExtension(const EmulatedKernelOptions& options, std::uintptr_t capability);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_CAPABILITY_TABLE_H_
