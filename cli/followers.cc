#include "cli/followers.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/version.h"

namespace lethe {

absl::Status AddFollowers(const RunOptions& options, const Log& log, Daemon* daemon,
                          Followers& followers) {
  LETHE_ASSIGN_OR_RETURN(followers.log, EventLog::Open(log, options.events));
  followers.events.Add(*followers.log);
  if (!options.qmp.empty()) {
    LETHE_ASSIGN_OR_RETURN(
        followers.monitor,
        vmm::Monitor::Listen(options.qmp, absl::StrCat("lethe ", kVersion), log));
    followers.events.Add(*followers.monitor);
  }
  if (daemon != nullptr) {
    followers.events.Add([daemon](const Event& event) {
      if (event.name == "first-instruction") daemon->Ready();
    });
  }
  return absl::OkStatus();
}

}  // namespace lethe
