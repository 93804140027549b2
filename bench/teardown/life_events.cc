#include "bench/teardown/life_events.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace lethe::bench {
namespace {

constexpr std::size_t kLargestFile = std::size_t{64} << 20;

absl::StatusOr<LifeEvent> ParseLine(absl::string_view line) {
  const auto json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  const auto number = [&json](const char* key) -> std::optional<std::uint64_t> {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_integer()) return std::nullopt;
    return found->get<std::uint64_t>();
  };
  const auto time = json.is_object() ? number("monotonic_ns") : std::nullopt;
  if (!time || !json.contains("event") || !json["event"].is_string())
    return absl::DataLossError(absl::StrCat("not an event: ", line));
  LifeEvent event;
  event.name = json["event"].get<std::string>();
  event.monotonic = std::chrono::nanoseconds(*time);
  if (const auto duration = number("duration_ns"))
    event.duration = std::chrono::nanoseconds(*duration);
  event.uvcs = number("uvcs");
  return event;
}

}  // namespace

absl::StatusOr<std::vector<LifeEvent>> ParseLifeEvents(absl::string_view text) {
  std::vector<LifeEvent> events;
  const std::size_t complete = text.rfind('\n');
  if (complete == absl::string_view::npos) return events;
  for (absl::string_view line : absl::StrSplit(text.substr(0, complete), '\n', absl::SkipEmpty())) {
    LETHE_ASSIGN_OR_RETURN(LifeEvent event, ParseLine(line));
    events.push_back(std::move(event));
  }
  return events;
}

absl::StatusOr<std::vector<LifeEvent>> ReadLifeEvents(const std::string& path) {
  LETHE_ASSIGN_OR_RETURN(const Bytes content, ReadFile(path, kLargestFile));
  return ParseLifeEvents({reinterpret_cast<const char*>(content.data()), content.size()});
}

const LifeEvent* FindEvent(const std::vector<LifeEvent>& events, absl::string_view name,
                           std::size_t from) {
  for (std::size_t i = from; i < events.size(); ++i)
    if (events[i].name == name) return &events[i];
  return nullptr;
}

std::size_t LastEvent(const std::vector<LifeEvent>& events, absl::string_view name) {
  for (std::size_t i = events.size(); i > 0; --i)
    if (events[i - 1].name == name) return i - 1;
  return events.size();
}

}  // namespace lethe::bench
