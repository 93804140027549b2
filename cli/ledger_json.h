#ifndef LETHE_CLI_LEDGER_JSON_H_
#define LETHE_CLI_LEDGER_JSON_H_

#include <string>

#include "absl/types/span.h"
#include "pv/ledger/ledger_snapshot.h"

namespace lethe {

// For programs: sizes in bytes, durations in seconds, moments in nanoseconds since 1970. What is
// not known is null. Ends with a newline.
std::string LedgerJson(const LedgerSnapshot& entry);
std::string LedgerJson(absl::Span<const LedgerSnapshot> entries);

}  // namespace lethe

#endif  // LETHE_CLI_LEDGER_JSON_H_
