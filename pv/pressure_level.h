#ifndef LETHE_PV_PRESSURE_LEVEL_H_
#define LETHE_PV_PRESSURE_LEVEL_H_

#include "absl/strings/string_view.h"

namespace lethe {

// What the kernel signals about memory, of the host or of this process's memory cgroup.
enum class PressureLevel {
  kNone,
  kSome,  // some tasks wait for memory
  kHigh,  // hardly anything else gets done, or a limit was hit with nothing left to reclaim
};

inline absl::string_view PressureLevelName(PressureLevel level) {
  switch (level) {
    case PressureLevel::kNone:
      return "none";
    case PressureLevel::kSome:
      return "some";
    case PressureLevel::kHigh:
      return "high";
  }
  return "unknown";
}

}  // namespace lethe

#endif  // LETHE_PV_PRESSURE_LEVEL_H_
