#ifndef LETHE_VMM_EXIT_HANDLER_H_
#define LETHE_VMM_EXIT_HANDLER_H_

#include "absl/status/statusor.h"
#include "accel/kvm-s390/vcpu.h"
#include "vmm/instruction.h"
#include "vmm/vcpu_thread.h"

namespace lethe::vmm {

// Does what a CPU's exit asks for, on the CPU's thread: executes instructions, stops the CPU, or
// passes a request on to the machine's owner. An error means that the guest cannot go on.
absl::StatusOr<Next> HandleExit(VcpuThread& cpu, const kvm::VcpuExit& exit, Platform& platform);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_EXIT_HANDLER_H_
