#include "cli/quantity.h"

#include <array>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe {
namespace {

struct Number {
  absl::string_view digits;
  absl::string_view unit;
};

Number SplitUnit(absl::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (absl::ascii_isdigit(text[end]) || text[end] == '.')) ++end;
  return {text.substr(0, end), text.substr(end)};
}

struct SizeUnit {
  absl::string_view letter;
  int shift;
};
constexpr std::array<SizeUnit, 5> kSizeUnits{
    {{"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}, {"", 20}}};

struct TimeUnit {
  absl::string_view name;
  double nanoseconds;
};
constexpr std::array<TimeUnit, 4> kTimeUnits{{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};

// "4GiB", "4GB", "4g" name the same unit as "4G".
std::string PlainLetter(absl::string_view unit) {
  std::string upper = absl::AsciiStrToUpper(unit);
  for (absl::string_view suffix : {"IB", "B"}) {
    if (upper.size() > suffix.size() && absl::string_view(upper).substr(1) == suffix)
      return upper.substr(0, 1);
  }
  return upper;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseMemorySize(absl::string_view text) {
  const auto [digits, unit] = SplitUnit(text);
  const std::string letter = PlainLetter(unit);
  std::uint64_t value = 0;
  if (absl::SimpleAtoi(digits, &value)) {
    for (const SizeUnit& candidate : kSizeUnits) {
      if (candidate.letter != letter) continue;
      if (value > (~std::uint64_t{0} >> candidate.shift)) break;
      return value << candidate.shift;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a size; write for example 512M or 4G"));
}

absl::StatusOr<std::chrono::nanoseconds> ParseDuration(absl::string_view text) {
  const auto [digits, unit] = SplitUnit(text);
  double value = 0;
  if (absl::SimpleAtod(digits, &value) && value >= 0) {
    if (unit.empty() && value == 0) return std::chrono::nanoseconds(0);
    for (const TimeUnit& candidate : kTimeUnits) {
      if (candidate.name != unit || value * candidate.nanoseconds > 1e15) continue;
      return std::chrono::nanoseconds(std::llround(value * candidate.nanoseconds));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a duration; write for example 0, 500ns, 1us or 2ms"));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const auto count = static_cast<double>(duration.count());
  if (count < 1e3) return absl::StrFormat("%.0f ns", count);
  if (count < 1e6) return absl::StrFormat("%.0f us", count / 1e3);
  if (count < 1e9) return absl::StrFormat("%.1f ms", count / 1e6);
  return absl::StrFormat("%.2f s", count / 1e9);
}

std::string FormatSize(std::uint64_t bytes) {
  if (bytes >= std::uint64_t{1} << 30)
    return absl::StrFormat("%.1f GiB", std::ldexp(static_cast<double>(bytes), -30));
  if (bytes >= std::uint64_t{1} << 20)
    return absl::StrFormat("%.0f MiB", std::ldexp(static_cast<double>(bytes), -20));
  return absl::StrFormat("%.0f KiB", std::ldexp(static_cast<double>(bytes), -10));
}

}  // namespace lethe
