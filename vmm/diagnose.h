#ifndef LETHE_VMM_DIAGNOSE_H_
#define LETHE_VMM_DIAGNOSE_H_

#include "vmm/instruction.h"

namespace lethe::vmm {

// DIAGNOSE: dispatches by function code (low 16 bits of the second operand's address). Codes that
// the machine does not know end in a specification exception; guests probe with it.
absl::StatusOr<Completion> Diagnose(const Instruction& instruction);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_DIAGNOSE_H_
