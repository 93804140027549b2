#ifndef LETHE_ACCEL_KVM_S390_MEM_OP_H_
#define LETHE_ACCEL_KVM_S390_MEM_OP_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/descriptor.h"

namespace lethe::kvm {

// Issues KVM_S390_MEM_OP for `size` bytes in pieces that the kernel accepts. `operation` names the
// kind and the address; `memory` is what is read into or written from. 0, or the program
// interruption code at which it stopped (bytes before it have been transferred).
absl::StatusOr<std::uint16_t> TransferGuestStorage(const Descriptor& descriptor,
                                                   abi::kvm_s390_mem_op operation, void* memory,
                                                   std::size_t size);

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_MEM_OP_H_
