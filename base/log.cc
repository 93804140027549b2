#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

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

// One write per line, so that lines of several threads do not mix.
void WriteLine(int descriptor, LogLevel level, absl::string_view message) {
  const std::string line = absl::StrCat("lethe: ", Prefix(level), message, "\n");
  [[maybe_unused]] const ssize_t ignored = ::write(descriptor, line.data(), line.size());
}

}  // namespace

Log Log::ToStandardError(LogLevel highest) {
  return {highest, [](LogLevel level, absl::string_view message) {
            WriteLine(STDERR_FILENO, level, message);
          }};
}

absl::StatusOr<Log> Log::ToFile(const std::string& path, LogLevel highest) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write the log to '", path, "'"));
  return Log(highest, [file = std::make_shared<UniqueFd>(std::move(file))](
                          LogLevel level, absl::string_view message) {
    WriteLine(file->get(), level, message);
  });
}

Log Log::To(std::function<void(LogLevel, absl::string_view)> sink) {
  return {LogLevel::kDebug, std::move(sink)};
}

Log Log::Silent() { return {std::nullopt, nullptr}; }

}  // namespace lethe
