#include "cli/ledger_table.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "cli/quantity.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

constexpr char kNothing[] = "-";

std::string IfDying(const LedgerSnapshot& entry, const std::string& text) {
  return entry.state == LedgerState::kDying ? text : kNothing;
}

struct Column {
  absl::string_view heading;
  bool to_the_right;
  int rank;  // the highest goes first when room is short; 0 stays
  std::string (*value)(const LedgerSnapshot&);
};

constexpr std::array<Column, 10> kColumns{{
    {"NAME", false, 0, [](const LedgerSnapshot& e) { return e.name; }},
    {"UUID", false, 7, [](const LedgerSnapshot& e) { return FormatUuid(e.uuid).substr(0, 8); }},
    {"PID", true, 0, [](const LedgerSnapshot& e) { return absl::StrCat(e.pid); }},
    {"STATE", false, 0,
     [](const LedgerSnapshot& e) { return std::string(LedgerStateName(e.state)); }},
    {"SIZE", true, 3, [](const LedgerSnapshot& e) { return FormatSize(e.memory_bytes); }},
    {"OWED", true, 1,
     [](const LedgerSnapshot& e) { return IfDying(e, FormatPages(e.owed_pages)); }},
    {"RETURNED", true, 5,
     [](const LedgerSnapshot& e) {
       return e.stopped() ? FormatPages(e.returned_pages) : kNothing;
     }},
    {"RATE", true, 6,
     [](const LedgerSnapshot& e) { return IfDying(e, FormatPageRate(e.pages_per_second)); }},
    {"READY-IN", true, 2,
     [](const LedgerSnapshot& e) { return IfDying(e, FormatReadyIn(e.ready_in)); }},
    {"SINCE", true, 4, [](const LedgerSnapshot& e) { return FormatAge(e.in_state); }},
}};

struct FilledColumn {
  const Column* column;
  std::vector<std::string> cells;  // the heading first
  std::size_t width = 0;
};

std::vector<FilledColumn> Fill(absl::Span<const LedgerSnapshot> entries) {
  std::vector<FilledColumn> filled;
  for (const Column& column : kColumns) {
    FilledColumn cells{&column, {std::string(column.heading)}};
    for (const LedgerSnapshot& entry : entries) cells.cells.push_back(column.value(entry));
    for (const std::string& cell : cells.cells) cells.width = std::max(cells.width, cell.size());
    filled.push_back(std::move(cells));
  }
  return filled;
}

constexpr std::size_t kGap = 2;

std::size_t LineWidth(const std::vector<FilledColumn>& columns) {
  std::size_t width = 0;
  for (const FilledColumn& column : columns) width += column.width + kGap;
  return width - kGap;
}

void LeaveOut(std::vector<FilledColumn>& columns, std::size_t width) {
  while (LineWidth(columns) > width) {
    const auto least = std::max_element(
        columns.begin(), columns.end(),
        [](const auto& a, const auto& b) { return a.column->rank < b.column->rank; });
    if (least->column->rank == 0) return;
    columns.erase(least);
  }
}

std::string Padded(const FilledColumn& column, std::size_t row) {
  const std::string& cell = column.cells[row];
  const std::string padding(column.width - cell.size(), ' ');
  return column.column->to_the_right ? padding + cell : cell + padding;
}

constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;

std::string FormatSeconds(std::int64_t seconds) {
  if (seconds < kMinute) return absl::StrCat(seconds, "s");
  if (seconds < kHour) return absl::StrFormat("%dm%02ds", seconds / kMinute, seconds % kMinute);
  if (seconds < kDay)
    return absl::StrFormat("%dh%02dm", seconds / kHour, seconds % kHour / kMinute);
  return absl::StrFormat("%dd%02dh", seconds / kDay, seconds % kDay / kHour);
}

std::string FormatMoment(std::uint64_t realtime_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S",
                          absl::FromUnixNanos(static_cast<std::int64_t>(realtime_ns)),
                          absl::LocalTimeZone());
}

}  // namespace

std::string FormatPages(std::uint64_t pages) { return FormatSize(pages * kLedgerPageBytes); }

std::string FormatPageRate(std::uint64_t pages_per_second) {
  if (pages_per_second == 0) return "?";
  return absl::StrCat(FormatPages(pages_per_second), "/s");
}

std::string FormatAge(std::chrono::nanoseconds age) {
  return FormatSeconds(std::chrono::duration_cast<std::chrono::seconds>(age).count());
}

std::string FormatReadyIn(std::optional<std::chrono::nanoseconds> ready_in) {
  if (!ready_in) return "?";
  return FormatSeconds(std::chrono::ceil<std::chrono::seconds>(*ready_in).count());
}

std::string LedgerTable(absl::Span<const LedgerSnapshot> entries,
                        std::optional<std::size_t> width) {
  std::vector<FilledColumn> columns = Fill(entries);
  if (width) LeaveOut(columns, *width);
  std::string table;
  for (std::size_t row = 0; row <= entries.size(); ++row) {
    std::string line;
    for (const FilledColumn& column : columns)
      absl::StrAppend(&line, line.empty() ? "" : std::string(kGap, ' '), Padded(column, row));
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&table, line, "\n");
  }
  return table;
}

std::string LedgerDescription(const LedgerSnapshot& entry) {
  std::string text;
  const auto add = [&text](absl::string_view label, const std::string& value) {
    absl::StrAppendFormat(&text, "%-12s %s\n", absl::StrCat(label, ":"), value);
  };
  add("name", entry.name);
  add("uuid", FormatUuid(entry.uuid));
  add("pid", absl::StrCat(entry.pid));
  if (entry.reaper_pid != 0) add("reaper", absl::StrCat("pid ", entry.reaper_pid));
  add("user", absl::StrCat(entry.owner_uid));
  add("state", absl::StrCat(LedgerStateName(entry.state), " for ", FormatAge(entry.in_state)));
  add("started", absl::StrCat(FormatMoment(entry.created_ns), " (", FormatAge(entry.age), " ago)"));
  add("memory", FormatSize(entry.memory_bytes));
  if (entry.need_pages != 0)
    add("admission", absl::StrCat("needs ", FormatPages(entry.need_pages), ", uses ",
                                  FormatPages(entry.touched_pages)));
  if (entry.set_aside != 0)
    add("set aside", absl::StrCat(entry.set_aside, " earlier configuration(s) being destroyed"));
  if (!entry.stopped()) return text;
  if (entry.since_stopped) add("stopped", absl::StrCat(FormatAge(*entry.since_stopped), " ago"));
  add("strategy", std::string(LedgerStrategyName(entry.strategy)));
  add("held", FormatPages(entry.held_pages));
  add("returned", FormatPages(entry.returned_pages));
  add("owed", FormatPages(entry.owed_pages));
  add("rate", FormatPageRate(entry.pages_per_second));
  if (!entry.released()) add("ready in", FormatReadyIn(entry.ready_in));
  return text;
}

}  // namespace lethe
