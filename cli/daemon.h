#ifndef LETHE_CLI_DAEMON_H_
#define LETHE_CLI_DAEMON_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace lethe {

// `--daemonize`: the process that the user started waits until the guest runs and then ends with
// success, or with the exit status of the one that goes on if that ends before.
class Daemon {
 public:
  // Splits the process in two; returns in the one that goes on, which has a session of its own.
  // Before any thread is made and before anything that a fork would leave behind (the helper
  // that shares the guest's memory, locks on files).
  static absl::StatusOr<std::unique_ptr<Daemon>> Detach();

  // The guest runs: standard streams go to /dev/null, the other process ends with success. Once;
  // any thread.
  void Ready();

 private:
  explicit Daemon(UniqueFd report) : report_(std::move(report)) {}
  UniqueFd report_;
};

}  // namespace lethe

#endif  // LETHE_CLI_DAEMON_H_
