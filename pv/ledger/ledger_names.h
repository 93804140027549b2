#ifndef LETHE_PV_LEDGER_LEDGER_NAMES_H_
#define LETHE_PV_LEDGER_LEDGER_NAMES_H_

#include "absl/strings/string_view.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_totals.h"

namespace lethe {

absl::string_view LedgerStateName(LedgerState state);             // "running", "dying", ...
absl::string_view LedgerStrategyName(LedgerStrategy strategy);    // "bulk", ...; kNone: "none"
absl::string_view TeardownKindName(TeardownCounter counter);      // "reboot", "shutdown", "crash"
absl::string_view TeardownStrategyName(TeardownCounter counter);  // "set-aside", "bulk", ...
absl::string_view FallbackName(FallbackCounter counter);          // "low-memory", ...
absl::string_view AdmissionName(AdmissionCounter counter);        // "at-once", "refused", ...

// 1 to 63 letters, digits and . _ - + @ : (what a terminal, a file and a shell take as it is).
bool IsGuestName(absl::string_view name);

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_NAMES_H_
