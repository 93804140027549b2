#include "vmm/resets.h"

#include "base/status_macros.h"

namespace lethe::vmm {

absl::Status StopCpus(CpuSet& cpus) {
  for (const auto& cpu : cpus.all()) LETHE_RETURN_IF_ERROR(cpu->SetActivity(Activity::kStopped));
  return absl::OkStatus();
}

absl::Status ResetCpu(VcpuThread& cpu, CpuReset kind) {
  LETHE_RETURN_IF_ERROR(cpu.SetActivity(Activity::kStopped));
  kvm::Vcpu& vcpu = cpu.vcpu();
  switch (kind) {
    case CpuReset::kNormal:
      return vcpu.NormalReset();
    case CpuReset::kInitial:
      LETHE_RETURN_IF_ERROR(vcpu.InitialReset());
      break;
    case CpuReset::kClear:
      LETHE_RETURN_IF_ERROR(vcpu.ClearReset());
      break;
  }
  // A prefix that another CPU has set, and that the kernel has not seen yet, must not come back.
  vcpu.registers().prefix = 0;
  return absl::OkStatus();
}

absl::Status ResetCpus(CpuSet& cpus, unsigned cpu, CpuReset own, CpuReset others) {
  for (const auto& thread : cpus.all())
    LETHE_RETURN_IF_ERROR(ResetCpu(*thread, thread->address() == cpu ? own : others));
  return absl::OkStatus();
}

absl::Status SubsystemReset(const kvm::Flic& flic, SclpEventFacility& events) {
  events.Reset();
  return flic.Clear();
}

}  // namespace lethe::vmm
