#include "pv/ledger/admission.h"

#include <algorithm>
#include <array>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe {
namespace {

using std::chrono::nanoseconds;

// Between two looks: as long as it takes for kStepPages to come back, within these bounds.
constexpr std::uint64_t kStepPages = 256;
constexpr nanoseconds kShortestPause = std::chrono::milliseconds(20);
constexpr nanoseconds kLongestPause = std::chrono::milliseconds(500);
// Somebody else decides, which takes no time to speak of.
constexpr nanoseconds kLockPause = std::chrono::milliseconds(5);
constexpr nanoseconds kLongestTurn = std::chrono::seconds(5);

constexpr std::array<std::pair<AdmissionMode, absl::string_view>, 4> kModes{
    {{AdmissionMode::kOff, "off"},
     {AdmissionMode::kStart, "start"},
     {AdmissionMode::kWait, "wait"},
     {AdmissionMode::kStrict, "strict"}}};

std::uint64_t PagesOf(std::uint64_t bytes) {
  return bytes / kLedgerPageBytes + (bytes % kLedgerPageBytes != 0 ? 1 : 0);
}

std::uint64_t LessPromised(std::uint64_t available_bytes, const AdmissionView& view) {
  const std::uint64_t promised = view.promised_pages * kLedgerPageBytes;
  return available_bytes > promised ? available_bytes - promised : 0;
}

// What can be had when all debts are paid.
std::uint64_t MostEver(const AvailableMemory& available, const AdmissionView& view) {
  constexpr std::uint64_t kEnough = std::uint64_t{1} << 62;  // the sum cannot overflow
  return std::min(available.bytes, kEnough) +
         std::min(view.debt.pages, kEnough / kLedgerPageBytes) * kLedgerPageBytes;
}

// Waiting may help.
bool IsHopeful(const AdmissionRequest& request, const std::optional<AvailableMemory>& available,
               const AdmissionView& view) {
  return available && view.debt.pages != 0 && MostEver(*available, view) >= request.need_bytes;
}

bool CameBefore(const LedgerSnapshot& entry, const LedgerSnapshot& self) {
  return std::tie(entry.created_ns, entry.id) < std::tie(self.created_ns, self.id);
}

std::uint64_t PromisedTo(const LedgerSnapshot& entry, const LedgerSnapshot* self) {
  switch (entry.state) {
    case LedgerState::kWaiting:
      return self == nullptr || CameBefore(entry, *self) ? entry.need_pages : 0;
    case LedgerState::kStarting:
    case LedgerState::kRunning:
    case LedgerState::kPaused:
      if (!entry.since_admitted || *entry.since_admitted > kPromiseLifetime) return 0;
      return entry.need_pages - std::min(entry.touched_pages, entry.need_pages);
    case LedgerState::kDying:
    case LedgerState::kReleased:
    case LedgerState::kDied:
      break;
  }
  return 0;
}

std::string InGiB(std::uint64_t bytes) {
  return absl::StrFormat("%.2f GiB", static_cast<double>(bytes) / (std::uint64_t{1} << 30));
}

// "it needs 10.00 GiB, 3.20 GiB are available (MemAvailable); 4.00 GiB are still owed by 1 ..."
std::string Numbers(const AdmissionRequest& request, const AvailableMemory& available,
                    const AdmissionView& view, nanoseconds waited) {
  std::string text =
      absl::StrCat("it needs ", InGiB(request.need_bytes), ", ", InGiB(available.bytes),
                   " are available (", available.limited_by, ")");
  if (view.promised_pages != 0)
    absl::StrAppend(&text, ", less ", InGiB(view.promised_pages * kLedgerPageBytes),
                    " promised to other guests");
  if (view.debt.pages == 0) {
    absl::StrAppend(&text, "; no stopped guest owes any");
  } else {
    absl::StrAppend(&text, "; ", InGiB(view.debt.pages * kLedgerPageBytes), " are still owed by ",
                    view.debt.guests, " stopped guest(s)");
  }
  if (waited.count() != 0)
    absl::StrAppendFormat(&text, "; waited %.1f s", std::chrono::duration<double>(waited).count());
  return text;
}

// What others go by. An entry that waited is starting again.
void Enter(AdmissionVerdict verdict, LedgerRecord& record) {
  const LedgerState state = record.state.load();
  switch (verdict) {
    case AdmissionVerdict::kWait:
      if (state != LedgerState::kWaiting) EnterState(record, LedgerState::kWaiting, LedgerNow());
      return;
    case AdmissionVerdict::kAdmit:
    case AdmissionVerdict::kAdmitShort:
      record.admitted_ns.store(LedgerNow());
      break;
    case AdmissionVerdict::kRefuse:
      record.need_pages.store(0);
      break;
  }
  if (state == LedgerState::kWaiting) EnterState(record, LedgerState::kStarting, LedgerNow());
}

AdmissionCounter CounterOf(AdmissionVerdict verdict, nanoseconds waited) {
  if (verdict == AdmissionVerdict::kRefuse) return AdmissionCounter::kRefused;
  if (verdict == AdmissionVerdict::kAdmitShort) return AdmissionCounter::kShort;
  return waited.count() == 0 ? AdmissionCounter::kAtOnce : AdmissionCounter::kAfterWaiting;
}

AdmissionProgress ProgressOf(const AdmissionRequest& request, const AvailableMemory& available,
                             const AdmissionView& view, nanoseconds waited) {
  AdmissionProgress progress;
  progress.need_bytes = request.need_bytes;
  progress.available_bytes = LessPromised(available.bytes, view);
  progress.short_bytes =
      request.need_bytes - std::min(request.need_bytes, progress.available_bytes);
  progress.debt = view.debt;
  progress.ready_in = ReadyIn(PagesOf(progress.short_bytes), view.debt.pages_per_second);
  progress.waited = waited;
  progress.patience = request.patience;
  return progress;
}

nanoseconds PauseUntilNextLook(const LedgerDebt& debt) {
  const std::optional<nanoseconds> step = ReadyIn(kStepPages, debt.pages_per_second);
  return std::clamp(step.value_or(kLongestPause / 5), kShortestPause, kLongestPause);
}

}  // namespace

std::optional<AdmissionMode> ParseAdmissionMode(absl::string_view name) {
  for (const auto& [mode, word] : kModes)
    if (word == name) return mode;
  return std::nullopt;
}

absl::string_view AdmissionModeName(AdmissionMode mode) {
  for (const auto& [candidate, word] : kModes)
    if (candidate == mode) return word;
  return "unknown";
}

AdmissionView ViewFor(absl::Span<const LedgerSnapshot> entries, absl::string_view self,
                      const std::optional<AvailableMemory>& available) {
  const auto own = std::find_if(entries.begin(), entries.end(),
                                [self](const auto& entry) { return entry.id == self; });
  const LedgerSnapshot* const asker = own == entries.end() ? nullptr : &*own;
  AdmissionView view;
  view.debt = DebtOf(entries);
  const std::uint64_t most = available ? MostEver(*available, view) / kLedgerPageBytes : 0;
  for (const LedgerSnapshot& entry : entries) {
    if (&entry == asker) continue;
    const std::uint64_t promised = PromisedTo(entry, asker);
    view.promised_pages +=
        entry.state == LedgerState::kWaiting ? std::min(promised, most) : promised;
  }
  return view;
}

AdmissionVerdict DecideAdmission(const AdmissionRequest& request,
                                 const std::optional<AvailableMemory>& available,
                                 const AdmissionView& view, nanoseconds waited) {
  if (request.mode == AdmissionMode::kOff || !available) return AdmissionVerdict::kAdmit;
  if (LessPromised(available->bytes, view) >= request.need_bytes) return AdmissionVerdict::kAdmit;
  if (view.debt.pages == 0)
    return request.mode == AdmissionMode::kStrict ? AdmissionVerdict::kRefuse
                                                  : AdmissionVerdict::kAdmitShort;
  if (IsHopeful(request, available, view) && waited < request.patience)
    return AdmissionVerdict::kWait;
  return request.mode == AdmissionMode::kStart ? AdmissionVerdict::kAdmitShort
                                               : AdmissionVerdict::kRefuse;
}

AdmissionWorld AdmissionWorld::Real(std::function<std::optional<AvailableMemory>()> available) {
  AdmissionWorld world;
  world.available = std::move(available);
  world.now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  world.sleep = [](nanoseconds duration) { std::this_thread::sleep_for(duration); };
  return world;
}

// Decisions are made one at a time on a host, so that two guests are not let in on the same bytes.
// Where that cannot be had (no ledger, no right to it, a holder that was stopped), without.
UniqueFd Admission::TakeTurn() const {
  if (ledger_ == nullptr) return UniqueFd();
  const nanoseconds start = world_.now();
  for (;;) {
    absl::StatusOr<UniqueFd> turn = ledger_->TryLockAdmission();
    if (turn.ok()) return *std::move(turn);
    if (!absl::IsUnavailable(turn.status()) || world_.now() - start > kLongestTurn)
      return UniqueFd();
    world_.sleep(kLockPause);
  }
}

// One look, whose verdict is entered before others have theirs. A ledger that cannot be read does
// not keep a guest from starting: then nothing is known to be owed or promised.
Admission::Look Admission::LookOnce(const AdmissionRequest& request, const LedgerEntry& entry,
                                    nanoseconds waited, bool settling) const {
  const UniqueFd turn = TakeTurn();
  Look look;
  // What comes back between these two is counted twice rather than not at all.
  const auto entries = ledger_ != nullptr ? ledger_->Read() : std::vector<LedgerSnapshot>();
  look.available = world_.available();
  if (entries.ok())
    look.view = ViewFor(*entries, entry.id(), look.available);
  else
    look.warning = absl::StrCat("what other guests owe is not known: ", entries.status().message());
  look.hopeful = IsHopeful(request, look.available, look.view);
  look.verdict = DecideAdmission(request, look.available, look.view, waited);
  if (settling && !look.hopeful && look.verdict != AdmissionVerdict::kAdmit)
    look.verdict = AdmissionVerdict::kWait;
  Enter(look.verdict, entry.record());
  return look;
}

void Admission::Count(AdmissionVerdict verdict, nanoseconds waited) const {
  if (ledger_ == nullptr) return;
  LedgerTotals& totals = *ledger_->totals();
  totals.of(CounterOf(verdict, waited)).fetch_add(1, std::memory_order_relaxed);
  totals.admission_wait_ns.fetch_add(static_cast<std::uint64_t>(waited.count()),
                                     std::memory_order_relaxed);
}

absl::StatusOr<AdmissionOutcome> Admission::Conclude(const AdmissionRequest& request,
                                                     const Look& look, nanoseconds waited) const {
  Count(look.verdict, waited);
  AdmissionOutcome outcome;
  outcome.waited = waited;
  outcome.warning = look.warning;
  if (look.verdict == AdmissionVerdict::kAdmit) return outcome;
  std::string numbers = Numbers(request, *look.available, look.view, waited);
  if (!look.warning.empty()) absl::StrAppend(&numbers, "; ", look.warning);
  if (look.verdict == AdmissionVerdict::kRefuse)
    return absl::ResourceExhaustedError(absl::StrCat("not enough memory for the guest: ", numbers));
  outcome.warning = absl::StrCat("memory is short for the guest: ", numbers);
  return outcome;
}

absl::StatusOr<AdmissionOutcome> Admission::Admit(const AdmissionRequest& request,
                                                  LedgerEntry& entry) {
  entry.record().need_pages.store(PagesOf(request.need_bytes));
  if (request.mode == AdmissionMode::kOff) {
    Enter(AdmissionVerdict::kAdmit, entry.record());
    return Conclude(request, Look(), nanoseconds(0));
  }
  const nanoseconds start = world_.now();
  nanoseconds waited(0);
  std::uint64_t short_at_first = 0;
  bool settling = false;
  for (;;) {
    if (world_.cancelled()) {
      Enter(AdmissionVerdict::kRefuse, entry.record());
      return absl::CancelledError("called off while it waited for memory");
    }
    const Look look = LookOnce(request, entry, waited, settling);
    if (look.verdict != AdmissionVerdict::kWait) return Conclude(request, look, waited);
    // What a guest has just returned may not be counted as available yet: when there is nothing
    // to hope for any more there is one more look.
    settling = look.hopeful;
    AdmissionProgress progress = ProgressOf(request, *look.available, look.view, waited);
    short_at_first = std::max(short_at_first, progress.short_bytes);
    progress.short_at_first_bytes = short_at_first;
    world_.progress(progress);
    world_.sleep(PauseUntilNextLook(look.view.debt));
    waited = world_.now() - start;
  }
}

}  // namespace lethe
