#include <unistd.h>

#include <algorithm>

#include "base/status_macros.h"
#include "cli/ledger_commands.h"
#include "cli/ledger_json.h"
#include "cli/ledger_lookup.h"
#include "cli/ledger_table.h"
#include "cli/terminal.h"

namespace lethe {

absl::StatusOr<ExitStatus> ListGuests(const PsOptions& options) {
  LETHE_ASSIGN_OR_RETURN(const auto ledger, Ledger::OpenForReading(options.ledger));
  LETHE_ASSIGN_OR_RETURN(std::vector<LedgerSnapshot> entries, ReadLedger(*ledger));
  if (!options.all) std::erase_if(entries, [](const auto& entry) { return entry.released(); });
  LETHE_RETURN_IF_ERROR(PrintAll(
      options.json ? LedgerJson(entries) : LedgerTable(entries, TerminalWidth(STDOUT_FILENO))));
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
