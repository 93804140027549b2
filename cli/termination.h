#ifndef LETHE_CLI_TERMINATION_H_
#define LETHE_CLI_TERMINATION_H_

#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace lethe {

// SIGINT, SIGTERM and SIGHUP as orders to a running guest. Made before any other thread (they are
// blocked from then on, in all threads).
class Termination {
 public:
  static absl::StatusOr<std::unique_ptr<Termination>> Claim();
  ~Termination();

  // Calls `on_signal` for each signal, on a thread of its own.
  void Watch(std::function<void()> on_signal);
  // No call is made after it returns; from then on the signals end the process as usual.
  void Stop();

 private:
  Termination(const sigset_t& set, UniqueFd signals, UniqueFd stop)
      : set_(set), signals_(std::move(signals)), stop_(std::move(stop)) {}

  const sigset_t set_;
  UniqueFd signals_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace lethe

#endif  // LETHE_CLI_TERMINATION_H_
