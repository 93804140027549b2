#ifndef LETHE_CLI_FOLLOWERS_H_
#define LETHE_CLI_FOLLOWERS_H_

#include <memory>

#include "absl/status/status.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/event_fan.h"
#include "cli/event_log.h"
#include "cli/run_options.h"
#include "vmm/monitor/monitor.h"

namespace lethe {

// What is said and shown about a guest, to those who asked for it.
struct Followers {
  EventFan events;
  std::unique_ptr<EventLog> log;
  std::unique_ptr<vmm::Monitor> monitor;
};

// `daemon` (null: none) and `log` outlive `followers`. Errors: a file or socket that cannot be
// made.
absl::Status AddFollowers(const RunOptions& options, const Log& log, Daemon* daemon,
                          Followers& followers);

}  // namespace lethe

#endif  // LETHE_CLI_FOLLOWERS_H_
