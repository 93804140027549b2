#ifndef LETHE_PV_REAPER_RAW_TIME_H_
#define LETHE_PV_REAPER_RAW_TIME_H_

#include <sys/syscall.h>
#include <time.h>

#include <cstdint>

#include "base/system_call.h"

namespace lethe {

// clock_gettime(2) in nanoseconds, without the C library.
inline std::uint64_t RawTime(long clock) {
  timespec time = {};
  SystemCall(SYS_clock_gettime, clock, Argument(&time));
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace lethe

#endif  // LETHE_PV_REAPER_RAW_TIME_H_
