#ifndef LETHE_VMM_STORE_STATUS_H_
#define LETHE_VMM_STORE_STATUS_H_

#include "accel/kvm-s390/vcpu.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

inline constexpr std::uint64_t kStatusAreaSize = 512;

// Stores a CPU's registers as STORE STATUS does (Principles of Operation, "Store Status"): 512
// bytes at `area`. The CPU is stopped and ordinary. False: the area is not within the memory.
[[nodiscard]] bool StoreStatus(const kvm::Vcpu& vcpu, GuestMemory& memory, GuestAddress area);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_STORE_STATUS_H_
