#ifndef LETHE_PV_PRESSURE_GAUGE_H_
#define LETHE_PV_PRESSURE_GAUGE_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "pv/pressure_level.h"

namespace lethe {

// Turns signals, which come only while there is pressure, into a level: a level lasts until it has
// not been signalled for some time. Time points must not go back.
class PressureGauge {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit PressureGauge(std::chrono::nanoseconds hold) : hold_(hold) {}

  void Signal(PressureLevel level, Time now) {
    if (level != PressureLevel::kNone) until_[Index(level)] = now + hold_;
  }
  PressureLevel Level(Time now) const {
    for (PressureLevel level : {PressureLevel::kHigh, PressureLevel::kSome})
      if (Lasts(level, now)) return level;
    return PressureLevel::kNone;
  }
  // When the level may fall next; no value: it is none.
  std::optional<Time> NextChange(Time now) const {
    const PressureLevel level = Level(now);
    if (level == PressureLevel::kNone) return std::nullopt;
    return until_[Index(level)];
  }

 private:
  static std::size_t Index(PressureLevel level) { return level == PressureLevel::kHigh ? 1 : 0; }
  bool Lasts(PressureLevel level, Time now) const {
    const std::optional<Time>& until = until_[Index(level)];
    return until && now < *until;
  }

  const std::chrono::nanoseconds hold_;
  std::array<std::optional<Time>, 2> until_;
};

}  // namespace lethe

#endif  // LETHE_PV_PRESSURE_GAUGE_H_
