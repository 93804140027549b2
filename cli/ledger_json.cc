#include "cli/ledger_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/uuid.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

using nlohmann::ordered_json;

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

ordered_json SecondsOrNull(std::optional<std::chrono::nanoseconds> duration) {
  return duration ? ordered_json(Seconds(*duration)) : ordered_json(nullptr);
}

ordered_json ToJson(const LedgerSnapshot& entry) {
  ordered_json json = {
      {"name", entry.name},
      {"uuid", FormatUuid(entry.uuid)},
      {"pid", entry.pid},
      {"reaper_pid", nullptr},
      {"user", entry.owner_uid},
      {"state", std::string(LedgerStateName(entry.state))},
      {"strategy", std::string(LedgerStrategyName(entry.strategy))},
      {"memory_bytes", entry.memory_bytes},
      {"held_bytes", entry.held_pages * kLedgerPageBytes},
      {"owed_bytes", entry.owed_pages * kLedgerPageBytes},
      {"returned_bytes", entry.returned_pages * kLedgerPageBytes},
      {"bytes_per_second", entry.pages_per_second * kLedgerPageBytes},
      {"ready_in_seconds", SecondsOrNull(entry.ready_in)},
      {"needed_bytes", entry.need_pages * kLedgerPageBytes},
      {"touched_bytes", entry.touched_pages * kLedgerPageBytes},
      {"set_aside", entry.set_aside},
      {"created_ns", entry.created_ns},
      {"since_ns", entry.since_ns},
      {"age_seconds", Seconds(entry.age)},
      {"in_state_seconds", Seconds(entry.in_state)},
      {"stopped_seconds", SecondsOrNull(entry.since_stopped)},
  };
  if (entry.reaper_pid != 0) json["reaper_pid"] = entry.reaper_pid;
  return json;
}

}  // namespace

std::string LedgerJson(const LedgerSnapshot& entry) {
  return absl::StrCat(ToJson(entry).dump(2), "\n");
}

std::string LedgerJson(absl::Span<const LedgerSnapshot> entries) {
  ordered_json array = ordered_json::array();
  for (const LedgerSnapshot& entry : entries) array.push_back(ToJson(entry));
  return absl::StrCat(array.dump(2), "\n");
}

}  // namespace lethe
