#ifndef LETHE_BENCH_TEARDOWN_GUEST_RUN_H_
#define LETHE_BENCH_TEARDOWN_GUEST_RUN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/teardown/child_process.h"
#include "bench/teardown/results.h"

namespace lethe::bench {

// What is started, with the guest of guest.S in it.
struct GuestCommand {
  std::vector<std::string> arguments;
  std::string events;    // file of life-cycle events; empty: it writes none
  bool reboots = false;  // measure a reboot before the end
};

// `touched`: how much of the guest's memory has been written to, 0 to 1.
using OnTouched = std::function<void(double touched)>;

// One life of a monitor: its guest fills its memory, reboots and fills it again if it is to, and
// powers itself off.
absl::StatusOr<Round> RunGuest(const GuestCommand& command, std::uint64_t size,
                               const Interruption& interruption, const OnTouched& on_touched);

// Seconds for unmapping and closing a memory file of `size` bytes whose every page was written to,
// by a process of its own.
absl::StatusOr<double> RunPlainRelease(std::uint64_t size, const Interruption& interruption);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_GUEST_RUN_H_
