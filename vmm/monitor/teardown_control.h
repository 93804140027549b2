#ifndef LETHE_VMM_MONITOR_TEARDOWN_CONTROL_H_
#define LETHE_VMM_MONITOR_TEARDOWN_CONTROL_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "pv/destroy_policy.h"
#include "pv/pressure_level.h"

namespace lethe::vmm {

// How the lives of a guest are being got rid of.
struct TeardownStatus {
  bool is_protected = false;  // the life that runs now
  unsigned waiting = 0;       // earlier ones, set aside, not being cleaned yet
  unsigned cleaning = 0;      // earlier ones being cleaned
  PressureLevel pressure = PressureLevel::kNone;
  std::optional<std::int64_t> reaper;  // its process, while it lives
  // Of 4 KiB, of earlier lives, as counted when they ended; if known.
  std::optional<std::uint64_t> pages_owed;
  std::vector<DestroyDecision> decisions;  // the last one of each kind
};

// What the monitor asks of the destroy policy and those who carry it out. Any thread.
class TeardownControl {
 public:
  virtual ~TeardownControl() = default;
  virtual DestroyPolicy policy() const = 0;
  virtual void SetPolicy(const DestroyPolicy& policy) = 0;  // from the next teardown on
  virtual TeardownStatus status() const = 0;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_TEARDOWN_CONTROL_H_
