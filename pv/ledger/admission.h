#ifndef LETHE_PV_LEDGER_ADMISSION_H_
#define LETHE_PV_LEDGER_ADMISSION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pv/ledger/ledger.h"
#include "pv/ledger/ledger_snapshot.h"

namespace lethe {

// What to do about a guest that needs more memory than is available. Where dying guests owe enough
// memory to help, all but kOff wait for it first; where they owe too little, the deadline has come.
enum class AdmissionMode {
  kOff,     // do not look, neither at the host nor into the ledger
  kStart,   // past the deadline: start anyway, with a warning
  kWait,    // past the deadline: fail. Short, but nothing is owed: start, with a warning
  kStrict,  // never start while memory is short
};

std::optional<AdmissionMode> ParseAdmissionMode(absl::string_view name);  // "off", "start", ...
absl::string_view AdmissionModeName(AdmissionMode mode);

struct AdmissionRequest {
  AdmissionMode mode = AdmissionMode::kWait;
  std::uint64_t need_bytes = 0;
  std::chrono::nanoseconds patience = std::chrono::minutes(2);
};

// How much memory can be had now, and what sets the limit ("MemAvailable", a control group's path).
struct AvailableMemory {
  std::uint64_t bytes = 0;
  std::string limited_by;
};

// What the ledger says to one who wants to be admitted.
struct AdmissionView {
  LedgerDebt debt;
  // Promised to others but not in their hands yet: to guests admitted within the last two minutes,
  // what they have not touched (after that, memory that a guest does not use is not kept for it:
  // overcommitting is the operator's choice); to guests that have waited longer, what they need
  // (first come, first served), at most what can ever be had: what is available and owed.
  std::uint64_t promised_pages = 0;
};
inline constexpr std::chrono::minutes kPromiseLifetime{2};
// `self`: the id of the asker's own entry. Waiting guests of the same age are ordered by id.
AdmissionView ViewFor(absl::Span<const LedgerSnapshot> entries, absl::string_view self,
                      const std::optional<AvailableMemory>& available);

// One look. `waited`: so far.
enum class AdmissionVerdict { kAdmit, kAdmitShort, kWait, kRefuse };
AdmissionVerdict DecideAdmission(const AdmissionRequest& request,
                                 const std::optional<AvailableMemory>& available,
                                 const AdmissionView& view, std::chrono::nanoseconds waited);

// What is told at each look of one who waits.
struct AdmissionProgress {
  std::uint64_t need_bytes = 0;
  std::uint64_t available_bytes = 0;       // without what is promised to others
  std::uint64_t short_bytes = 0;           // what is missing
  std::uint64_t short_at_first_bytes = 0;  // the most that was missing so far
  LedgerDebt debt;                         // of all stopped guests
  std::optional<std::chrono::nanoseconds> ready_in = std::nullopt;  // an estimate
  std::chrono::nanoseconds waited{0};
  std::chrono::nanoseconds patience{0};
};

struct AdmissionOutcome {
  std::chrono::nanoseconds waited{0};
  // Not empty: a sentence. Memory is short (with the numbers), or the ledger cannot be read.
  std::string warning;
};

// What admission asks of the world; tests put theirs in its place.
struct AdmissionWorld {
  std::function<std::optional<AvailableMemory>()> available;
  std::function<std::chrono::nanoseconds()> now;        // monotonic
  std::function<void(std::chrono::nanoseconds)> sleep;  // may return early (cancelled)
  std::function<void(const AdmissionProgress&)> progress = [](const AdmissionProgress&) {};
  std::function<bool()> cancelled = [] { return false; };

  // Steady clock and std::this_thread::sleep_for.
  static AdmissionWorld Real(std::function<std::optional<AvailableMemory>()> available);
};

class Admission {
 public:
  // `ledger` outlives it; null: there is none, nothing is known to be owed.
  Admission(Ledger* ledger, AdmissionWorld world) : ledger_(ledger), world_(std::move(world)) {}

  // Lets the guest of `entry` in, now or when memory has come back: while it waits its entry is in
  // state kWaiting, then in kStarting again with its need entered, which counts against others.
  // Errors: ResourceExhausted with the numbers (refused), Cancelled. Counted in the totals.
  absl::StatusOr<AdmissionOutcome> Admit(const AdmissionRequest& request, LedgerEntry& entry);

 private:
  struct Look {
    AdmissionVerdict verdict = AdmissionVerdict::kAdmit;
    AdmissionView view;
    std::optional<AvailableMemory> available;
    bool hopeful = false;  // waiting may help
    std::string warning;   // not empty: the ledger cannot be read
  };

  UniqueFd TakeTurn() const;
  Look LookOnce(const AdmissionRequest& request, const LedgerEntry& entry,
                std::chrono::nanoseconds waited, bool settling) const;
  void Count(AdmissionVerdict verdict, std::chrono::nanoseconds waited) const;
  absl::StatusOr<AdmissionOutcome> Conclude(const AdmissionRequest& request, const Look& look,
                                            std::chrono::nanoseconds waited) const;

  Ledger* const ledger_;
  const AdmissionWorld world_;
};

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_ADMISSION_H_
