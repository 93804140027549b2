#ifndef LETHE_VMM_STORE_SYSTEM_INFORMATION_H_
#define LETHE_VMM_STORE_SYSTEM_INFORMATION_H_

#include "absl/status/status.h"
#include "accel/kvm-s390/vcpu.h"
#include "vmm/instruction.h"

namespace lethe::vmm {

// Amends what KVM has stored for STORE SYSTEM INFORMATION: function 3.2.2 (virtual machines) gets
// the guest's name and identifier. Condition code and register 0 are set by KVM.
absl::Status AmendSystemInformation(VcpuThread& cpu, const kvm::StoreSystemInformation& exit,
                                    const Platform& platform);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_STORE_SYSTEM_INFORMATION_H_
