#ifndef LETHE_VMM_SERVICE_CALL_H_
#define LETHE_VMM_SERVICE_CALL_H_

#include "vmm/instruction.h"

namespace lethe::vmm {

// SERVICE CALL: R1 holds the command word, R2 the address of the control block. Executes the
// command at once and makes the service signal pending.
absl::StatusOr<Completion> ServiceCall(const Instruction& instruction);

// Tells the guest that events wait, if it wants to know. From any thread.
absl::Status SignalPendingEvents(const SclpEventFacility& events, const kvm::Flic& flic);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_SERVICE_CALL_H_
