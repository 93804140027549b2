#include "emulated-host/cpu/tod_clock.h"

#include <ctime>

namespace lethe::emulated {
namespace {

// 1900 to 1970 in TOD units.
constexpr std::uint64_t kUnixEpoch = 0x7d91048bca000000;

std::uint64_t UnitsOf(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 * TodClock::kUnitsPerMicrosecond +
         static_cast<std::uint64_t>(now.tv_nsec) * 512 / 125;
}

}  // namespace

TodClock::TodClock() : start_(kUnixEpoch + UnitsOf(CLOCK_REALTIME) - UnitsOf(CLOCK_MONOTONIC)) {}

std::uint64_t TodClock::HostTime() const { return start_ + UnitsOf(CLOCK_MONOTONIC); }

}  // namespace lethe::emulated
