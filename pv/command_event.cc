#include "pv/command_event.h"

#include "absl/strings/str_cat.h"

namespace lethe {

Event CommandEvent(absl::string_view name, const Stopwatch& stopwatch, const kvm::PvResult& result,
                   absl::string_view reason) {
  Event event;
  event.name = std::string(name);
  event.duration = stopwatch.Elapsed();
  event.rc = result.rc;
  event.rrc = result.rrc;
  event.reason = std::string(reason);
  if (!result.ok())
    absl::StrAppend(&event.reason, reason.empty() ? "" : ": ", result.ToStatus().message());
  return event;
}

}  // namespace lethe
