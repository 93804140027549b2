#include "preload/settings.h"

#include <charconv>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace lethe::preload {
namespace {

absl::Status Wrong(const char* name, absl::string_view value, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": '", value, "' is not understood (", accepted, ")"));
}

// Variables that are not set leave `result` alone.
absl::Status ReadDuration(const Environment& environment, const char* name,
                          std::chrono::nanoseconds& result) {
  const char* const value = environment(name);
  if (value == nullptr) return absl::OkStatus();
  std::int64_t count = 0;
  const char* const end = value + std::strlen(value);
  const auto [rest, error] = std::from_chars(value, end, count);
  if (error != std::errc() || rest != end || count < 0) {
    return Wrong(name, value, "a number of nanoseconds");
  }
  result = std::chrono::nanoseconds(count);
  return absl::OkStatus();
}

absl::Status ReadFlag(const Environment& environment, const char* name, bool& result) {
  const char* const value = environment(name);
  if (value == nullptr) return absl::OkStatus();
  const absl::string_view text(value);
  if (text != "0" && text != "1") return Wrong(name, text, "0 or 1");
  result = text == "1";
  return absl::OkStatus();
}

absl::Status ReadLogLevel(const Environment& environment, const char* name, LogLevel& result) {
  const char* const value = environment(name);
  if (value == nullptr) return absl::OkStatus();
  static constexpr struct {
    absl::string_view name;
    LogLevel level;
  } kLevels[] = {{"error", LogLevel::kError},
                 {"warning", LogLevel::kWarning},
                 {"info", LogLevel::kInfo},
                 {"debug", LogLevel::kDebug}};
  for (const auto& row : kLevels) {
    if (row.name == value) {
      result = row.level;
      return absl::OkStatus();
    }
  }
  return Wrong(name, value, "error, warning, info or debug");
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const Environment& environment) {
  Settings settings;
  if (const char* const key = environment("LETHE_EMULATE_HOST_KEY")) settings.host_key = key;
  LETHE_RETURN_IF_ERROR(ReadDuration(environment, "LETHE_EMULATE_UVC_COST", settings.uvc_cost));
  LETHE_RETURN_IF_ERROR(
      ReadDuration(environment, "LETHE_EMULATE_EXPORT_COST", settings.export_cost));
  LETHE_RETURN_IF_ERROR(ReadFlag(environment, "LETHE_EMULATE_DESTROY_FAST", settings.destroy_fast));
  LETHE_RETURN_IF_ERROR(
      ReadFlag(environment, "LETHE_EMULATE_ASYNC_DESTROY", settings.asynchronous_destroy));
  LETHE_RETURN_IF_ERROR(ReadLogLevel(environment, "LETHE_EMULATE_LOG", settings.log_level));
  return settings;
}

}  // namespace lethe::preload
