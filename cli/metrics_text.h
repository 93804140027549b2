#ifndef LETHE_CLI_METRICS_TEXT_H_
#define LETHE_CLI_METRICS_TEXT_H_

#include <string>

#include "absl/types/span.h"
#include "pv/ledger/ledger_snapshot.h"
#include "pv/ledger/ledger_totals.h"

namespace lethe {

// The ledger in the text format of Prometheus (version 0.0.4): counters from the totals, gauges
// from the entries that are alive. Base units: bytes and seconds.
std::string MetricsText(const LedgerTotals& totals, absl::Span<const LedgerSnapshot> entries);

}  // namespace lethe

#endif  // LETHE_CLI_METRICS_TEXT_H_
