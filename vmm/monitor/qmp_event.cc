#include "vmm/monitor/qmp_event.h"

#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "vmm/monitor/command.h"

namespace lethe::vmm {
namespace {

// The members under "data"; null: the event has none.
using DataOf = Json (*)(const Event&);

Json None(const Event&) { return nullptr; }

Json WhoAndWhy(const Event& event) {
  return {{"guest", absl::StartsWith(event.cause, "guest-")}, {"reason", event.cause}};
}

Json Panic(const Event& event) {
  Json data = {{"action", "poweroff"}};
  if (event.cpu && event.psw_mask && event.psw_address)
    data["info"] = {{"type", "s390"},
                    {"core", *event.cpu},
                    {"psw-mask", *event.psw_mask},
                    {"psw-addr", *event.psw_address},
                    {"reason", absl::StrReplaceAll(event.reason, {{" ", "-"}})}};
  return data;
}

Json Teardown(const Event& event) {
  Json data = Json::object();
  if (!event.kind.empty()) data["kind"] = event.kind;
  if (!event.strategy.empty()) data["strategy"] = event.strategy;
  if (event.pages) data["pages"] = *event.pages;
  if (event.duration) data["seconds"] = std::chrono::duration<double>(*event.duration).count();
  data["reasons"] = Json::array();
  if (!event.reason.empty()) data["reasons"].push_back(event.reason);
  return data;
}

struct Translation {
  absl::string_view event;
  absl::string_view name;
  DataOf data;
};

// In the order in which they are sent.
constexpr std::array<Translation, 12> kTranslations{{
    {"pause", "STOP", &None},
    {"resume", "RESUME", &None},
    {"power-down-request", "POWERDOWN", &None},
    {"guest-restarted", "RESET", &WhoAndWhy},
    {"power-off", "SHUTDOWN", &WhoAndWhy},
    {"end", "SHUTDOWN", &WhoAndWhy},
    {"crash", "GUEST_PANICKED", &Panic},
    {"crash", "STOP", &None},
    {"crash", "SHUTDOWN", &WhoAndWhy},
    {"decision", "X_LETHE_DECISION", &Teardown},
    {"stopped", "X_LETHE_STOPPED", &Teardown},
    {"released", "X_LETHE_RELEASED", &Teardown},
}};

}  // namespace

std::vector<std::string> ToQmpEvents(const Event& event, std::chrono::microseconds now) {
  std::vector<std::string> lines;
  // A restart in place is none to the outside.
  if (event.cause == "subsystem-reset") return lines;
  for (const Translation& translation : kTranslations) {
    if (translation.event != event.name) continue;
    Json line = {
        {"timestamp",
         {{"seconds", now.count() / 1'000'000}, {"microseconds", now.count() % 1'000'000}}},
        {"event", std::string(translation.name)}};
    if (Json data = translation.data(event); !data.is_null()) line["data"] = std::move(data);
    lines.push_back(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\r\n");
  }
  return lines;
}

}  // namespace lethe::vmm
