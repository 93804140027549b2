#ifndef LETHE_EMULATED_HOST_CPU_TOD_CLOCK_H_
#define LETHE_EMULATED_HOST_CPU_TOD_CLOCK_H_

#include <cstdint>

namespace lethe::emulated {

// The TOD clock of the emulated machine (Principles of Operation, "Timing"): a 64-bit count whose
// bit 51 is one microsecond, zero at the beginning of 1900. It never goes back and is not disturbed
// when the host's own clock is set. Safe for concurrent use.
class TodClock {
 public:
  static constexpr std::uint64_t kUnitsPerMicrosecond = 4096;

  TodClock();

  // Since the beginning of 1900, as the host saw it when the clock was made.
  std::uint64_t HostTime() const;

 private:
  std::uint64_t start_;  // HostTime() - monotonic time, in units
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_TOD_CLOCK_H_
