#ifndef LETHE_CLI_LEDGER_LOOKUP_H_
#define LETHE_CLI_LEDGER_LOOKUP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pv/ledger/ledger.h"
#include "pv/ledger/ledger_snapshot.h"

namespace lethe {

// All of the ledger; one line on standard error for each file that is not believed.
absl::StatusOr<std::vector<LedgerSnapshot>> ReadLedger(Ledger& ledger);

// The guest called so: by name, else by process id, else by UUID or the beginning of one (at least
// four digits). Of several, the one made last. NotFound with the list of those that are known.
absl::StatusOr<LedgerSnapshot> FindGuest(absl::Span<const LedgerSnapshot> entries,
                                         const std::string& guest);

}  // namespace lethe

#endif  // LETHE_CLI_LEDGER_LOOKUP_H_
