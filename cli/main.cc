#include <iostream>
#include <new>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "base/log.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/ledger_commands.h"

namespace lethe {
namespace {

struct Dispatch {
  absl::StatusOr<ExitStatus> operator()(const RunOptions& options) const { return Run(options); }
  absl::StatusOr<ExitStatus> operator()(const SealOptions& options) const {
    return SealImage(options);
  }
  absl::StatusOr<ExitStatus> operator()(const CheckOptions& options) const {
    return Check(options);
  }
  absl::StatusOr<ExitStatus> operator()(const BenchTeardownOptions& options) const {
    return BenchTeardown(options);
  }
  absl::StatusOr<ExitStatus> operator()(const EmulateOptions& options) const {
    return Emulate(options);
  }
  absl::StatusOr<ExitStatus> operator()(const PsOptions& options) const {
    return ListGuests(options);
  }
  absl::StatusOr<ExitStatus> operator()(const StatusOptions& options) const {
    return ShowStatus(options);
  }
  absl::StatusOr<ExitStatus> operator()(const WaitOptions& options) const {
    return WaitForGuest(options);
  }
  absl::StatusOr<ExitStatus> operator()(const MetricsOptions& options) const {
    return WriteMetrics(options);
  }
};

ExitStatus Main(const std::vector<std::string>& arguments) {
  const ParsedCommandLine parsed = ParseCommandLine(arguments);
  std::cout << parsed.output;
  if (!parsed.error.empty()) std::cerr << parsed.error << "\n";
  if (!parsed.command) return parsed.status;
  const Log log = Log::ToStandardError(LogLevel::kError);
  try {
    const absl::StatusOr<ExitStatus> status = std::visit(Dispatch(), *parsed.command);
    if (status.ok()) return *status;
    log.Error(status.status().message());
  } catch (const std::bad_alloc&) {
    log.Error("not enough memory on this host");
  } catch (const std::system_error& error) {  // no more threads
    log.Error(error.what());
  }
  return ExitStatus::kFailure;
}

}  // namespace
}  // namespace lethe

int main(int count, char** arguments) {
  return static_cast<int>(lethe::Main(std::vector<std::string>(arguments + 1, arguments + count)));
}
