#ifndef LETHE_VMM_SIGP_H_
#define LETHE_VMM_SIGP_H_

#include "vmm/instruction.h"

namespace lethe::vmm {

// SIGNAL PROCESSOR, orders that KVM leaves to user space (all but sense, external call and the
// emergency signals). The order is the second operand's low byte, R3 addresses the CPU, the odd
// register of the pair at R1 holds the parameter, R1 takes the status.
absl::StatusOr<Completion> SignalProcessor(const Instruction& instruction);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_SIGP_H_
