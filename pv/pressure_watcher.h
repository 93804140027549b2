#ifndef LETHE_PV_PRESSURE_WATCHER_H_
#define LETHE_PV_PRESSURE_WATCHER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "pv/pressure_gauge.h"
#include "pv/pressure_level.h"
#include "pv/pressure_trigger.h"

namespace lethe {

// Follows the memory pressure on this process: one thread that sleeps until the kernel signals
// something or a level has lasted long enough.
class PressureWatcher {
 public:
  struct Options {
    // How long a level lasts after its last signal; stall triggers signal once in two seconds.
    std::chrono::nanoseconds hold = std::chrono::seconds(6);
    // Called on the watcher's thread after each change of the level.
    std::function<void(PressureLevel)> on_change = [](PressureLevel) {};
  };

  // What `triggers` misses is told in one line of `log`, which must outlive the watcher. Without
  // any trigger the level is always none. An error: the host has no descriptors or threads left.
  static absl::StatusOr<std::unique_ptr<PressureWatcher>> Start(PressureTriggers triggers,
                                                                Options options, const Log& log);
  ~PressureWatcher();
  PressureWatcher(const PressureWatcher&) = delete;
  PressureWatcher& operator=(const PressureWatcher&) = delete;

 private:
  struct Source {
    PressureTrigger trigger;
    MemoryEvents last = {};  // of kEvents
  };

  PressureWatcher(PressureTriggers triggers, Options options, const Log& log, UniqueFd stop);

  void Run();
  // What a source that is ready says; no value: it will say nothing any more.
  std::optional<PressureLevel> Ask(Source& source, short ready);
  void Publish(PressureLevel level);

  const Options options_;
  const Log& log_;
  const UniqueFd stop_;  // an eventfd
  std::vector<Source> sources_;
  PressureGauge gauge_;
  PressureLevel level_ = PressureLevel::kNone;  // as published last
  std::thread thread_;                          // last: everything above exists when it starts
};

}  // namespace lethe

#endif  // LETHE_PV_PRESSURE_WATCHER_H_
