#ifndef LETHE_VMM_RESETS_H_
#define LETHE_VMM_RESETS_H_

#include "absl/status/status.h"
#include "accel/kvm-s390/flic.h"
#include "vmm/cpu_set.h"
#include "vmm/sclp_event_facility.h"

namespace lethe::vmm {

// The resets of the machine (Principles of Operation, "Resets"). All of them: while all CPUs are
// out. CPU resets leave the CPU stopped.

// Stops every CPU.
absl::Status StopCpus(CpuSet& cpus);

enum class CpuReset { kNormal, kInitial, kClear };
absl::Status ResetCpu(VcpuThread& cpu, CpuReset kind);

// `own` for the CPU with address `cpu`, `others` for the rest.
absl::Status ResetCpus(CpuSet& cpus, unsigned cpu, CpuReset own, CpuReset others);

// The I/O and service-call part of a system reset: nothing is pending, the guest listens to
// nothing.
absl::Status SubsystemReset(const kvm::Flic& flic, SclpEventFacility& events);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_RESETS_H_
