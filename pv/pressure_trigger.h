#ifndef LETHE_PV_PRESSURE_TRIGGER_H_
#define LETHE_PV_PRESSURE_TRIGGER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "pv/cgroup_memory.h"
#include "pv/pressure_level.h"

namespace lethe {

// A descriptor that the kernel makes ready when memory gets short.
struct PressureTrigger {
  enum class Kind {
    // A trigger of pressure stall information, for the host or a control group (Linux,
    // Documentation/accounting/psi.rst): POLLPRI, at most once per window for as long as tasks
    // stall; POLLERR when the group is gone.
    kStall,
    // memory.events of a version 2 group: POLLPRI when a counter has changed, until it is read.
    kEvents,
    // An eventfd for memory.pressure_level of a version 1 group: POLLIN, until it is read.
    kEventFd,
  };

  Kind kind;
  UniqueFd fd;
  PressureLevel level;  // what it means; of kEvents: at least
  std::string name;     // for messages

  short poll_events() const;
};

struct PressureTriggers {
  std::vector<PressureTrigger> triggers;
  std::vector<std::string> missing;  // what this host should have and does not offer, and why
};

// All triggers for the host and this process's control group. `root` as for FindCgroup; the second
// form takes a place that was found before.
PressureTriggers OpenPressureTriggers(const std::string& root = "");
PressureTriggers OpenPressureTriggers(const std::string& root, const CgroupPlace& place);

// Fresh descriptors of the first kind only, for another process: a descriptor tells of each event
// once, whoever polls it.
std::vector<UniqueFd> OpenStallTriggers(const std::string& root = "");

// The counters of memory.events that matter here.
struct MemoryEvents {
  std::uint64_t high = 0;  // usage was pushed below memory.high
  std::uint64_t max = 0;   // the maximum was hit
  std::uint64_t oom = 0;   // and nothing could be reclaimed
};
MemoryEvents ParseMemoryEvents(absl::string_view text);
// What it means that `before` has become `now`.
PressureLevel LevelOf(const MemoryEvents& before, const MemoryEvents& now);

}  // namespace lethe

#endif  // LETHE_PV_PRESSURE_TRIGGER_H_
