#include <cstdint>

#include "absl/types/span.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "cli/ledger_commands.h"
#include "cli/ledger_lookup.h"
#include "cli/metrics_text.h"
#include "cli/terminal.h"

namespace lethe {

absl::StatusOr<ExitStatus> WriteMetrics(const MetricsOptions& options) {
  LETHE_ASSIGN_OR_RETURN(const auto ledger, Ledger::OpenForReading(options.ledger));
  LETHE_ASSIGN_OR_RETURN(const auto entries, ReadLedger(*ledger));
  LedgerTotals totals{};
  const absl::Status read = ledger->ReadTotals(totals);
  if (!read.ok() && !absl::IsNotFound(read)) return read;  // never kept: all zero
  const std::string text = MetricsText(totals, entries);
  if (options.output.empty()) {
    LETHE_RETURN_IF_ERROR(PrintAll(text));
  } else {
    LETHE_RETURN_IF_ERROR(WriteFile(
        options.output,
        absl::MakeConstSpan(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())));
  }
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
