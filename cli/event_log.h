#ifndef LETHE_CLI_EVENT_LOG_H_
#define LETHE_CLI_EVENT_LOG_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "pv/event_sink.h"

namespace lethe {

// Reports each event as a log line for people and, if a file was named, as one JSON object per line
// for programs. Lines reach the file in the order of their times, each with one write.
class EventLog : public EventSink {
 public:
  // `path`: created or emptied; empty: no file.
  static absl::StatusOr<std::unique_ptr<EventLog>> Open(Log log, const std::string& path);

  void Report(const Event& event) override;

 private:
  EventLog(Log log, UniqueFd file) : log_(std::move(log)), file_(std::move(file)) {}

  const Log log_;
  std::mutex mutex_;  // keeps lines in the order of their times
  UniqueFd file_;
};

// {"event": ..., "monotonic_ns": ...} and the fields that are set; ends with a newline.
std::string ToJsonLine(const Event& event, std::int64_t monotonic_nanoseconds);
// What a person reads; empty for events that are of use to programs only.
std::string ToSentence(const Event& event);

}  // namespace lethe

#endif  // LETHE_CLI_EVENT_LOG_H_
