#include "base/log.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace lethe {
namespace {

absl::string_view Prefix(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error: ";
    case LogLevel::kWarning:
      return "warning: ";
    case LogLevel::kInfo:
      return "";
    case LogLevel::kDebug:
      return "debug: ";
  }
  return "";
}

}  // namespace

Log Log::ToStandardError(LogLevel highest) {
  return Log([highest](LogLevel level, absl::string_view message) {
    if (level > highest) return;
    // One write per line, so that lines of several threads do not mix.
    const std::string line = absl::StrCat("lethe: ", Prefix(level), message, "\n");
    [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
  });
}

Log Log::To(std::function<void(LogLevel, absl::string_view)> sink) { return Log(std::move(sink)); }

Log Log::Silent() {
  return Log([](LogLevel, absl::string_view) {});
}

}  // namespace lethe
