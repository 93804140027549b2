#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "bench/teardown/chart.h"
#include "bench/teardown/results_json.h"
#include "bench/teardown/table.h"
#include "bench/teardown/teardown_bench.h"
#include "cli/commands.h"
#include "cli/progress_bar.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace lethe {
namespace {

absl::Status Write(const std::string& path, const std::string& text) {
  if (path.empty()) return absl::OkStatus();
  return WriteFile(
      path, absl::MakeConstSpan(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// Minutes of work must not end with a file that cannot be written.
absl::Status CheckWritable(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const std::string directory = std::filesystem::absolute(path).parent_path().string();
  if (access(directory.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", path, "'"));
}

bench::TeardownPlan PlanOf(const BenchTeardownOptions& options) {
  bench::TeardownPlan plan;
  plan.sizes = options.sizes;
  plan.costs = options.costs;
  // A real machine's calls take the time they take.
  if (!options.host_key_document.empty()) plan.costs = {std::chrono::nanoseconds(0)};
  plan.modes = options.modes;
  plan.rounds = options.rounds;
  plan.lethe = options.program.empty() ? "/proc/self/exe" : options.program;
  plan.host_key_document = options.host_key_document;
  if (options.qemu != "off") plan.qemu = options.qemu;
  return plan;
}

}  // namespace

absl::StatusOr<ExitStatus> BenchTeardown(const BenchTeardownOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  LETHE_RETURN_IF_ERROR(CheckWritable(options.json));
  LETHE_RETURN_IF_ERROR(CheckWritable(options.svg));
  ProgressBar bar("lethe: measuring", ProgressBar::StandardError());
  LETHE_ASSIGN_OR_RETURN(
      const bench::Results results,
      bench::MeasureTeardown(PlanOf(options), [&bar](double fraction, absl::string_view what) {
        bar.Update(fraction, what);
      }));
  bar.Finish();
  LETHE_RETURN_IF_ERROR(PrintAll(bench::ToTable(results)));
  LETHE_RETURN_IF_ERROR(Write(options.json, bench::ToJson(results, kVersion)));
  LETHE_RETURN_IF_ERROR(Write(options.svg, bench::ToChart(results)));
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
