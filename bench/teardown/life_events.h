#ifndef LETHE_BENCH_TEARDOWN_LIFE_EVENTS_H_
#define LETHE_BENCH_TEARDOWN_LIFE_EVENTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lethe::bench {

// One line of what `lethe run --events` writes.
struct LifeEvent {
  std::string name;
  std::chrono::nanoseconds monotonic{0};
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> uvcs;
};

// Lines that are complete; others are no events. DataLoss: a line is not what it should be.
absl::StatusOr<std::vector<LifeEvent>> ParseLifeEvents(absl::string_view text);
absl::StatusOr<std::vector<LifeEvent>> ReadLifeEvents(const std::string& path);

// The first event of that name at or after `from`; null: none.
const LifeEvent* FindEvent(const std::vector<LifeEvent>& events, absl::string_view name,
                           std::size_t from = 0);
// Where the last event of that name is; events.size(): nowhere.
std::size_t LastEvent(const std::vector<LifeEvent>& events, absl::string_view name);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_LIFE_EVENTS_H_
