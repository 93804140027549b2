#ifndef LETHE_BASE_LOG_H_
#define LETHE_BASE_LOG_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lethe {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Where messages go. Passed to those who log; there is no global logger. Safe for concurrent use;
// each call writes one line.
class Log {
 public:
  // Lines "lethe: [level: ]message" to standard error, for levels up to `highest`.
  static Log ToStandardError(LogLevel highest);
  // The same to the end of a file, made if need be.
  static absl::StatusOr<Log> ToFile(const std::string& path, LogLevel highest);
  // Every line to `sink` (tests), called under no lock.
  static Log To(std::function<void(LogLevel, absl::string_view)> sink);
  // Nowhere.
  static Log Silent();

  void Error(absl::string_view message) const { Write(LogLevel::kError, message); }
  void Warning(absl::string_view message) const { Write(LogLevel::kWarning, message); }
  void Info(absl::string_view message) const { Write(LogLevel::kInfo, message); }
  void Debug(absl::string_view message) const { Write(LogLevel::kDebug, message); }
  // Are messages of this level written? To be asked before a text is made of something frequent.
  bool Wants(LogLevel level) const { return highest_.has_value() && level <= *highest_; }

 private:
  using Sink = std::function<void(LogLevel, absl::string_view)>;

  Log(std::optional<LogLevel> highest, Sink sink) : highest_(highest), sink_(std::move(sink)) {}
  void Write(LogLevel level, absl::string_view message) const {
    if (Wants(level)) sink_(level, message);
  }

  std::optional<LogLevel> highest_;  // nullopt: none
  Sink sink_;
};

}  // namespace lethe

#endif  // LETHE_BASE_LOG_H_
