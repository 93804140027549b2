#include "base/status_macros.h"
#include "cli/ledger_commands.h"
#include "cli/ledger_json.h"
#include "cli/ledger_lookup.h"
#include "cli/ledger_table.h"
#include "cli/terminal.h"

namespace lethe {

absl::StatusOr<ExitStatus> ShowStatus(const StatusOptions& options) {
  LETHE_ASSIGN_OR_RETURN(const auto ledger, Ledger::OpenForReading(options.ledger));
  LETHE_ASSIGN_OR_RETURN(const auto entries, ReadLedger(*ledger));
  LETHE_ASSIGN_OR_RETURN(const LedgerSnapshot entry, FindGuest(entries, options.guest));
  LETHE_RETURN_IF_ERROR(PrintAll(options.json ? LedgerJson(entry) : LedgerDescription(entry)));
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
