#include "bench/teardown/table.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe::bench {
namespace {

using Cells = std::vector<std::string>;

// Columns as wide as they must be: the first two to the left, numbers to the right.
std::string Align(const std::vector<Cells>& rows) {
  std::vector<std::size_t> widths;
  for (const Cells& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Cells& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string room(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, "  ", i < 2 ? row[i] + room : room + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string Times(double ratio) { return absl::StrFormat("%.3g x", ratio); }

double Pause(const Round& round) { return round.reboot->pause; }

// How often the pause of destroying at once is that of this row; empty: cannot be said.
std::string AgainstSync(const Results& results, const Row& row) {
  Subject other = row.subject;
  other.mode = "sync";
  const Row* const sync = Find(results, other);
  if (row.subject.mode == "sync" || sync == nullptr) return "";
  return Times(MedianOf(*sync, Pause) / MedianOf(row, Pause));
}

std::string RebootTable(const Results& results) {
  std::vector<Cells> rows = {{"memory", "destroyed", "per call", "pause", "in kernel", "VMM's own",
                              "protected", "output", "cleaned", "sync/lazy"}};
  for (const Row& row : results.rows) {
    if (row.rounds.empty() || !row.rounds.front().reboot) continue;
    const RebootTimes& first = *row.rounds.front().reboot;
    const auto median = [&row](double RebootTimes::*member) {
      return SecondsText(
          MedianOf(row, [&](const Round& round) { return (*round.reboot).*member; }));
    };
    const bool fell_back = row.subject.mode != "sync" && first.command == "disable";
    const double cleaned =
        MedianOf(row, [](const Round& round) { return round.reboot->clean_end.value_or(0); });
    rows.push_back({SizeText(row.subject.size),
                    absl::StrCat(row.subject.mode, fell_back ? " (at once)" : ""),
                    CostText(row.subject.uvc_cost), median(&RebootTimes::pause),
                    median(&RebootTimes::destroy), median(&RebootTimes::own),
                    median(&RebootTimes::is_protected), median(&RebootTimes::first_output),
                    cleaned > 0 ? SecondsText(cleaned) : "", AgainstSync(results, row)});
  }
  if (rows.size() == 1) return "";
  return absl::StrCat(
      "Reboot of a protected guest that has written to all of its memory\n"
      "(pause: from its request until the new guest runs, of which in kernel: PREPARE or DISABLE;\n"
      "protected, output, cleaned: from the request until then)\n\n",
      Align(rows), "\n");
}

std::string EndTable(const Results& results) {
  std::vector<Cells> rows = {
      {"memory", "", "per call", "process gone", "memory back", "GiB/s", "of plain"}};
  const auto gibibytes = [](double rate) {
    return rate > 0 ? absl::StrFormat("%.2f", rate / (1 << 30)) : "";
  };
  for (const PlainRelease& plain : results.plain) {
    if (plain.seconds.empty()) continue;
    const double plain_rate = PlainRate(plain);
    for (const Row& row : results.rows) {
      if (row.subject.size != plain.size || row.rounds.empty()) continue;
      const double rate = MedianOf(row, [](const Round& round) { return round.end.release_rate; });
      rows.push_back(
          {SizeText(plain.size), SubjectText(row.subject),
           row.subject.vmm == "lethe" ? CostText(row.subject.uvc_cost) : "",
           SecondsText(MedianOf(row, [](const Round& round) { return round.end.exit; })),
           SecondsText(MedianOf(row, [](const Round& round) { return round.end.released; })),
           gibibytes(rate), rate > 0 ? absl::StrFormat("%.0f %%", 100 * rate / plain_rate) : ""});
    }
    rows.push_back({SizeText(plain.size), "plain munmap", "", "",
                    SecondsText(Median(plain.seconds)), gibibytes(plain_rate), "100 %"});
  }
  if (rows.size() == 1) return "";
  return absl::StrCat(
      "Power-off of a guest that has written to all of its memory\n"
      "(from the request until the process is gone and until its memory is back; GiB/s: while it\n"
      "came back; QEMU: an ordinary guest, emulated)\n\n",
      Align(rows), "\n");
}

}  // namespace

std::string SecondsText(double seconds) {
  const auto digits = [](double value, const char* unit) {
    return absl::StrFormat("%.*f %s", value < 9.95 ? 1 : 0, value, unit);
  };
  if (seconds < 0.9995e-3) return digits(seconds * 1e6, "us");
  if (seconds < 0.9995) return digits(seconds * 1e3, "ms");
  return digits(seconds, "s");
}

std::string SizeText(std::uint64_t bytes) {
  if (bytes < std::uint64_t{1} << 30) return absl::StrFormat("%d MiB", bytes >> 20);
  return absl::StrFormat("%.4g GiB", static_cast<double>(bytes) / (1 << 30));
}

std::string CostText(std::chrono::nanoseconds cost) {
  if (cost.count() == 0) return "0";
  if (cost.count() < 1000) return absl::StrFormat("%d ns", cost.count());
  return absl::StrFormat("%.4g us", static_cast<double>(cost.count()) / 1000);
}

std::string SubjectText(const Subject& subject) {
  if (subject.vmm == "lethe") return absl::StrCat("Lethe, ", subject.mode);
  return subject.mode == "exit" ? "QEMU" : absl::StrCat("QEMU, ", subject.mode);
}

std::string ToTable(const Results& results) {
  std::string text = absl::StrCat(RebootTable(results), EndTable(results));
  for (const std::string& note : results.notes) absl::StrAppend(&text, "Note: ", note, ".\n");
  return text;
}

}  // namespace lethe::bench
