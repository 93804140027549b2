#ifndef LETHE_CLI_LEDGER_TABLE_H_
#define LETHE_CLI_LEDGER_TABLE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "pv/ledger/ledger_snapshot.h"

namespace lethe {

// One line per guest under a line of headings. With a `width`, columns are left out, the least
// telling first, until lines fit (NAME, PID and STATE stay).
std::string LedgerTable(absl::Span<const LedgerSnapshot> entries,
                        std::optional<std::size_t> width = std::nullopt);

// Everything about one guest, "label: value" lines.
std::string LedgerDescription(const LedgerSnapshot& entry);

std::string FormatPages(std::uint64_t pages);                // "2.1 GiB"
std::string FormatPageRate(std::uint64_t pages_per_second);  // "2.1 GiB/s"
std::string FormatAge(std::chrono::nanoseconds age);         // "12s", "3m05s", "2h10m", "4d03h"
// "in 12s"-like estimates are rounded up to whole seconds; no value: "?".
std::string FormatReadyIn(std::optional<std::chrono::nanoseconds> ready_in);

}  // namespace lethe

#endif  // LETHE_CLI_LEDGER_TABLE_H_
