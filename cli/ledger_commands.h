#ifndef LETHE_CLI_LEDGER_COMMANDS_H_
#define LETHE_CLI_LEDGER_COMMANDS_H_

#include "absl/status/statusor.h"
#include "cli/exit_status.h"
#include "cli/ledger_options.h"

namespace lethe {

// As those of cli/commands.h. None of them makes a ledger: one that is not there is empty.
absl::StatusOr<ExitStatus> ListGuests(const PsOptions& options);
absl::StatusOr<ExitStatus> ShowStatus(const StatusOptions& options);
// kPoweredOff: reached; kFailure: the time was up (said on standard error).
absl::StatusOr<ExitStatus> WaitForGuest(const WaitOptions& options);
absl::StatusOr<ExitStatus> WriteMetrics(const MetricsOptions& options);

}  // namespace lethe

#endif  // LETHE_CLI_LEDGER_COMMANDS_H_
