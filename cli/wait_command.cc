#include <chrono>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/ledger_commands.h"
#include "cli/ledger_lookup.h"
#include "cli/ledger_table.h"
#include "cli/progress_bar.h"
#include "cli/quantity.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollInterval{50};

bool Reached(const WaitOptions& options, const LedgerSnapshot& entry) {
  return options.released ? entry.released() : entry.stopped();
}

// No value: the entry is gone, which only happens some time after its guest.
absl::StatusOr<std::optional<LedgerSnapshot>> Follow(Ledger& ledger, const std::string& id) {
  LETHE_ASSIGN_OR_RETURN(const auto entries, ledger.Read());
  for (const LedgerSnapshot& entry : entries)
    if (entry.id == id) return entry;
  return std::nullopt;
}

std::string Debt(const LedgerSnapshot& entry) {
  return absl::StrCat(FormatPages(entry.owed_pages), " of ", FormatPages(entry.held_pages),
                      " owed, ", FormatPageRate(entry.pages_per_second), ", ready in ",
                      FormatReadyIn(entry.ready_in));
}

void Show(ProgressBar& bar, const LedgerSnapshot& entry) {
  if (entry.state != LedgerState::kDying)
    return bar.Update(0, absl::StrCat(entry.name, " is ", LedgerStateName(entry.state)));
  const auto held = static_cast<double>(entry.held_pages);
  bar.Update(held == 0 ? 0 : static_cast<double>(entry.returned_pages) / held, Debt(entry));
}

absl::Status TimeIsUp(const WaitOptions& options, const LedgerSnapshot& entry) {
  std::string still = absl::StrCat("is ", LedgerStateName(entry.state));
  if (entry.state == LedgerState::kDying) absl::StrAppend(&still, ", ", Debt(entry));
  return absl::DeadlineExceededError(
      absl::StrCat(entry.name, " ", still, " after ", FormatDuration(*options.timeout)));
}

}  // namespace

absl::StatusOr<ExitStatus> WaitForGuest(const WaitOptions& options) {
  LETHE_ASSIGN_OR_RETURN(const auto ledger, Ledger::OpenForReading(options.ledger));
  LETHE_ASSIGN_OR_RETURN(const auto entries, ReadLedger(*ledger));
  LETHE_ASSIGN_OR_RETURN(LedgerSnapshot entry, FindGuest(entries, options.guest));
  const auto start = steady_clock::now();
  ProgressBar bar(absl::StrCat("lethe: waiting for ", entry.name), ProgressBar::StandardError());
  while (!Reached(options, entry)) {
    if (options.timeout && steady_clock::now() - start >= *options.timeout)
      return TimeIsUp(options, entry);
    Show(bar, entry);
    std::this_thread::sleep_for(kPollInterval);
    LETHE_ASSIGN_OR_RETURN(const auto now, Follow(*ledger, entry.id));
    if (!now) break;
    entry = *now;
  }
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
