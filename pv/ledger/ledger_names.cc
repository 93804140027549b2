#include "pv/ledger/ledger_names.h"

#include <array>

#include "absl/strings/ascii.h"

namespace lethe {
namespace {

template <typename Enum, std::size_t size>
absl::string_view NameIn(const std::array<absl::string_view, size>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < size ? names[index] : "unknown";
}

constexpr std::array<absl::string_view, 8> kStates{"unknown", "starting", "waiting",  "running",
                                                   "paused",  "dying",    "released", "died"};
constexpr std::array<absl::string_view, 5> kStrategies{"none", "bulk", "trickle", "exit", "sync"};

template <typename Enum>
constexpr auto kCount = static_cast<std::size_t>(Enum::kCount);

constexpr std::array<absl::string_view, kCount<TeardownCounter>> kTeardownKinds{
    "reboot", "reboot", "shutdown", "shutdown", "shutdown", "shutdown", "crash"};
constexpr std::array<absl::string_view, kCount<TeardownCounter>> kTeardownStrategies{
    "set-aside", "disable", "bulk", "trickle", "exit", "sync", "any"};
constexpr std::array<absl::string_view, kCount<FallbackCounter>> kFallbacks{
    "no-capability", "memory-limit",   "small-guest",    "low-memory", "pressure", "zombie-limit",
    "slot-taken",    "prepare-failed", "perform-failed", "no-reaper",  "other"};
constexpr std::array<absl::string_view, kCount<AdmissionCounter>> kAdmissions{
    "at-once", "after-waiting", "short", "refused"};

}  // namespace

absl::string_view LedgerStateName(LedgerState state) { return NameIn(kStates, state); }
absl::string_view LedgerStrategyName(LedgerStrategy strategy) {
  return NameIn(kStrategies, strategy);
}
absl::string_view TeardownKindName(TeardownCounter counter) {
  return NameIn(kTeardownKinds, counter);
}
absl::string_view TeardownStrategyName(TeardownCounter counter) {
  return NameIn(kTeardownStrategies, counter);
}
absl::string_view FallbackName(FallbackCounter counter) { return NameIn(kFallbacks, counter); }
absl::string_view AdmissionName(AdmissionCounter counter) { return NameIn(kAdmissions, counter); }

bool IsGuestName(absl::string_view name) {
  if (name.empty() || name.size() >= LedgerRecord::kNameBytes) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        absl::string_view("._-+@:").find(c) == absl::string_view::npos)
      return false;
  }
  return true;
}

}  // namespace lethe
