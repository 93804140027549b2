#ifndef LETHE_VMM_RUN_STATE_H_
#define LETHE_VMM_RUN_STATE_H_

#include "absl/strings/string_view.h"

namespace lethe::vmm {

// What a machine as a whole is doing, in the words of QMP:
//
//   prelaunch --> running <--> paused      from each of these three to each of
//                                          shutdown, guest-panicked, internal-error
enum class RunState {
  kPrelaunch,      // the guest is not loaded yet
  kRunning,        // the CPUs do as the guest says
  kPaused,         // no CPU is inside the guest; requests of the guest wait
  kShutdown,       // over: powered off or ended from outside
  kGuestPanicked,  // over: the guest can never go on
  kInternalError,  // over: the host failed
};
inline constexpr RunState kRunStates[] = {RunState::kPrelaunch,     RunState::kRunning,
                                          RunState::kPaused,        RunState::kShutdown,
                                          RunState::kGuestPanicked, RunState::kInternalError};

constexpr absl::string_view RunStateName(RunState state) {
  switch (state) {
    case RunState::kPrelaunch:
      return "prelaunch";
    case RunState::kRunning:
      return "running";
    case RunState::kPaused:
      return "paused";
    case RunState::kShutdown:
      return "shutdown";
    case RunState::kGuestPanicked:
      return "guest-panicked";
    case RunState::kInternalError:
      break;
  }
  return "internal-error";
}

constexpr bool IsOver(RunState state) { return state >= RunState::kShutdown; }

constexpr bool MayFollow(RunState from, RunState to) {
  if (IsOver(from)) return false;
  if (IsOver(to)) return true;
  return (to == RunState::kRunning && from != RunState::kRunning) ||
         (to == RunState::kPaused && from == RunState::kRunning);
}

}  // namespace lethe::vmm

#endif  // LETHE_VMM_RUN_STATE_H_
