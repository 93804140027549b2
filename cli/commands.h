#ifndef LETHE_CLI_COMMANDS_H_
#define LETHE_CLI_COMMANDS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/command_line.h"
#include "cli/exit_status.h"

namespace lethe {

// Each carries out one command of the program and returns what the process ends with; an error
// status is printed by main as one line and ends the process with ExitStatus::kFailure.
absl::StatusOr<ExitStatus> Run(const RunOptions& options);
absl::StatusOr<ExitStatus> SealImage(const SealOptions& options);
absl::StatusOr<ExitStatus> Check(const CheckOptions& options);
absl::StatusOr<ExitStatus> BenchTeardown(const BenchTeardownOptions& options);
// Returns only if it fails.
absl::StatusOr<ExitStatus> Emulate(const EmulateOptions& options);

}  // namespace lethe

#endif  // LETHE_CLI_COMMANDS_H_
