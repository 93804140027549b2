#ifndef LETHE_VMM_DIAGNOSE_308_H_
#define LETHE_VMM_DIAGNOSE_308_H_

#include "vmm/instruction.h"

namespace lethe::vmm {

// DIAGNOSE 308: resets, IPL parameter blocks, start of secure mode. R3 holds the subcode, R1 the
// address of the parameter block, R1+1 takes the return code.
absl::StatusOr<Completion> Diagnose308(const Instruction& instruction);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_DIAGNOSE_308_H_
