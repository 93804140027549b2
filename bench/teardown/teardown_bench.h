#ifndef LETHE_BENCH_TEARDOWN_TEARDOWN_BENCH_H_
#define LETHE_BENCH_TEARDOWN_TEARDOWN_BENCH_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/teardown/results.h"

namespace lethe::bench {

struct TeardownPlan {
  std::vector<std::uint64_t> sizes;  // guest memory in bytes
  std::vector<std::chrono::nanoseconds> costs;
  std::vector<std::string> modes;  // of `lethe run --destroy`
  int rounds = 1;
  std::string lethe;              // program to measure
  std::string host_key_document;  // of a real host; empty: the emulated host
  std::string qemu;               // program; empty: QEMU is not measured
};

// Told now and then: what is being done, and how much of the whole is done (0 to 1).
using OnProgress = std::function<void(double fraction, absl::string_view what)>;

// Runs guests that fill their memory, reboots them, powers them off, and measures. What cannot be
// measured here (a guest larger than the available memory, a QEMU that is not there) is left out
// and noted. An error ends the whole: a guest that did not do as it was told, an interruption.
//
// Blocks SIGINT, SIGTERM and SIGHUP for the calling thread and adopts orphans of its children; to
// be called by a process that has no other children.
absl::StatusOr<Results> MeasureTeardown(const TeardownPlan& plan, const OnProgress& on_progress);

// How much memory must be available before a guest of this size is started.
std::uint64_t MemoryNeeded(std::uint64_t guest_size);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_TEARDOWN_BENCH_H_
