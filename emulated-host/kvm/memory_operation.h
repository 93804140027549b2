#ifndef LETHE_EMULATED_HOST_KVM_MEMORY_OPERATION_H_
#define LETHE_EMULATED_HOST_KVM_MEMORY_OPERATION_H_

#include <cstdint>

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

class VirtualCpu;
class VirtualMachine;

inline constexpr std::uint32_t kMaxMemoryOperation = 65536;

// KVM_S390_MEM_OP of a machine (absolute storage) and of a CPU (logical addresses, SIDA). 0, a
// program interruption code that the access met, or a negated errno value. The CPU's mutex is held.
int AbsoluteMemoryOperation(VirtualMachine& machine, const abi::kvm_s390_mem_op& operation);
int CpuMemoryOperation(VirtualCpu& cpu, const abi::kvm_s390_mem_op& operation);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_MEMORY_OPERATION_H_
