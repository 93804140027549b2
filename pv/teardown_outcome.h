#ifndef LETHE_PV_TEARDOWN_OUTCOME_H_
#define LETHE_PV_TEARDOWN_OUTCOME_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "pv/destroy_policy.h"

namespace lethe {

// What came of one part of a teardown, for whoever counts.
struct TeardownOutcome {
  // A teardown has a foreground, which somebody waits for (reboot: PREPARE or DISABLE), and if the
  // guest was set aside a background later (PERFORM).
  enum class Part { kForeground, kBackground };

  Part part = Part::kForeground;
  std::variant<RebootStrategy, ShutdownStrategy> strategy;  // as carried out
  std::chrono::nanoseconds duration{0};
  std::optional<std::uint64_t> pages = std::nullopt;  // at most: what existed on the host
  Fallback fallback = Fallback::kNone;                // why it is not what was wished for
  bool ok = true;  // false: something is left that cannot be had back

  absl::string_view strategy_name() const {
    return std::visit([](auto value) { return StrategyName(value); }, strategy);
  }
  TeardownKind kind() const {
    return std::holds_alternative<RebootStrategy>(strategy) ? TeardownKind::kReboot
                                                            : TeardownKind::kShutdown;
  }
};

}  // namespace lethe

#endif  // LETHE_PV_TEARDOWN_OUTCOME_H_
