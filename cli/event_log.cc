#include "cli/event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "cli/quantity.h"

namespace lethe {
namespace {

struct Wording {
  absl::string_view event;
  absl::string_view words;
};

// Events that are told to people, and how.
constexpr std::array<Wording, 20> kWordings{{
    {"pv-enable", "secure configuration created"},
    {"pv-unpack", "image unpacked"},
    {"pv-verify", "image verified"},
    {"pv-refused", "protected mode refused"},
    {"protected", "guest is protected"},
    {"reset-request", "guest asks for a reset"},
    {"prepare", "set aside for lazy destroy (PREPARE)"},
    {"guest-restarted", "guest restarted"},
    {"perform-begin", "cleaning in background begins (PERFORM)"},
    {"perform-end", "cleaning in background ended (PERFORM)"},
    {"disable", "destroyed in the foreground (DISABLE)"},
    {"power-off", "guest powered off"},
    {"power-down-request", "guest is asked to shut down"},
    {"pause", "guest paused"},
    {"resume", "guest goes on"},
    {"decision", "teardown"},
    {"degraded", "degraded"},
    {"stopped", "guest stopped"},
    {"released", "memory given back"},
    {"first-instruction", "first guest instruction"},
}};

absl::string_view WordsFor(absl::string_view event) {
  for (const Wording& wording : kWordings)
    if (wording.event == event) return wording.words;
  return "";
}

void Append(std::string& list, const std::string& item) {
  absl::StrAppend(&list, list.empty() ? "" : ", ", item);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> EventLog::Open(Log log, const std::string& path) {
  UniqueFd file;
  if (!path.empty()) {
    file.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file)
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write events to '", path, "'"));
  }
  return std::unique_ptr<EventLog>(new EventLog(std::move(log), std::move(file)));
}

void EventLog::Report(const Event& event) {
  if (const std::string sentence = ToSentence(event); !sentence.empty()) log_.Info(sentence);
  if (!file_) return;
  std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::string line =
      ToJsonLine(event, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  [[maybe_unused]] const ssize_t ignored = ::write(file_.get(), line.data(), line.size());
}

std::string ToJsonLine(const Event& event, std::int64_t monotonic_nanoseconds) {
  nlohmann::ordered_json json;
  json["event"] = event.name;
  json["monotonic_ns"] = monotonic_nanoseconds;
  if (event.duration) json["duration_ns"] = event.duration->count();
  if (event.pages) json["pages"] = *event.pages;
  if (event.uvcs) json["uvcs"] = *event.uvcs;
  if (event.rc) json["rc"] = *event.rc;
  if (event.rrc) json["rrc"] = *event.rrc;
  if (event.host_address) json["host_address"] = *event.host_address;
  if (event.size) json["size"] = *event.size;
  if (!event.kind.empty()) json["kind"] = event.kind;
  if (!event.strategy.empty()) json["strategy"] = event.strategy;
  if (!event.cause.empty()) json["cause"] = event.cause;
  if (!event.reason.empty()) json["reason"] = event.reason;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string ToSentence(const Event& event) {
  std::string sentence(WordsFor(event.name));
  if (sentence.empty()) return sentence;
  std::string details;
  if (event.duration) Append(details, FormatDuration(*event.duration));
  if (event.pages) Append(details, FormatSize(*event.pages * 4096));
  // 1: done; 0: no Ultravisor call was made.
  if (event.rc.value_or(1) > 1)
    Append(details, absl::StrFormat("rc 0x%x rrc 0x%x", *event.rc, event.rrc.value_or(0)));
  if (!event.reason.empty()) Append(details, event.reason);
  return details.empty() ? sentence : absl::StrCat(sentence, ": ", details);
}

}  // namespace lethe
