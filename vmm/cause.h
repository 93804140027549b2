#ifndef LETHE_VMM_CAUSE_H_
#define LETHE_VMM_CAUSE_H_

#include "absl/strings/string_view.h"

namespace lethe::vmm {

// Who wants a machine to be reset or to end.
enum class Cause {
  kGuestReset,      // the guest loads itself anew
  kSubsystemReset,  // the guest restarts in place (kexec, dump): not a reset to the outside
  kGuestShutdown,
  kGuestPanic,
  kMonitorReset,  // system_reset
  kMonitorQuit,   // quit
  kSignal,        // SIGINT, SIGTERM, SIGHUP
  kUser,          // at the console
  kHostError,
};

// QMP's word for it, as event field `cause` and in RESET and SHUTDOWN. Those of the guest begin
// with "guest-".
constexpr absl::string_view CauseName(Cause cause) {
  switch (cause) {
    case Cause::kGuestReset:
      return "guest-reset";
    case Cause::kSubsystemReset:
      return "subsystem-reset";
    case Cause::kGuestShutdown:
      return "guest-shutdown";
    case Cause::kGuestPanic:
      return "guest-panic";
    case Cause::kMonitorReset:
      return "host-qmp-system-reset";
    case Cause::kMonitorQuit:
      return "host-qmp-quit";
    case Cause::kSignal:
      return "host-signal";
    case Cause::kUser:
      return "host-ui";
    case Cause::kHostError:
      break;
  }
  return "host-error";
}

}  // namespace lethe::vmm

#endif  // LETHE_VMM_CAUSE_H_
