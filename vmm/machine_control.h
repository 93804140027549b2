#ifndef LETHE_VMM_MACHINE_CONTROL_H_
#define LETHE_VMM_MACHINE_CONTROL_H_

#include <string>

#include "absl/status/status.h"
#include "vmm/cause.h"
#include "vmm/run_state.h"

namespace lethe::vmm {

// What the outside (monitor, signals, console) can order of a machine. Any thread, but neither the
// machine's owner nor its CPUs. Errors are one line for the user.
class MachineControl {
 public:
  virtual ~MachineControl() = default;

  virtual RunState run_state() const = 0;
  virtual std::string name() const = 0;
  virtual std::string uuid() const = 0;  // 8-4-4-4-12 digits

  // Takes the CPUs out of the guest (Pause) or back in (Continue) and returns when that is done; no
  // error if it was so before. While paused, requests of the guest (reboot, power off) wait, the
  // guest's TOD clock runs on and its CPU timers stand. DeadlineExceeded: a CPU cannot leave now (a
  // console that nobody reads); the order stands and is carried out later.
  virtual absl::Status Pause() = 0;
  virtual absl::Status Continue() = 0;
  // System reset and load, as if the guest had asked for it; returns at once. A paused machine
  // stays paused.
  virtual absl::Status Reset(Cause cause) = 0;
  // Asks the guest to shut down. FailedPrecondition: the guest does not listen.
  virtual absl::Status RequestPowerDown() = 0;
  // Ends the machine as by pulling the plug; returns at once. Works in every state, and twice.
  virtual void End(Cause cause) = 0;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_CONTROL_H_
