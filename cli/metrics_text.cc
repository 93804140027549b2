#include "cli/metrics_text.h"

#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/uuid.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

using Labels = std::vector<std::pair<absl::string_view, std::string>>;

// Values come from our own names, UUIDs and guest names (pv/ledger/ledger_names.h), none of which
// has a character that would need escaping.
std::string LabelText(const Labels& labels) {
  if (labels.empty()) return "";
  return absl::StrCat("{",
                      absl::StrJoin(labels, ",",
                                    [](std::string* out, const auto& label) {
                                      absl::StrAppend(out, label.first, "=\"", label.second, "\"");
                                    }),
                      "}");
}

class Exposition {
 public:
  void Begin(absl::string_view name, absl::string_view type, absl::string_view help) {
    name_ = std::string(name);
    absl::StrAppend(&text_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  void Add(const Labels& labels, const std::string& value) {
    absl::StrAppend(&text_, name_, LabelText(labels), " ", value, "\n");
  }
  void Add(const Labels& labels, std::uint64_t value) { Add(labels, absl::StrCat(value)); }
  std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

// All digits: a sum of years has more than a double's shortest form would show.
std::string Seconds(std::uint64_t nanoseconds) {
  const std::string fraction = absl::StrCat(nanoseconds % 1000000000);
  return absl::StrCat(nanoseconds / 1000000000, ".", std::string(9 - fraction.size(), '0'),
                      fraction);
}

std::uint64_t Bytes(std::uint64_t pages) { return pages * kLedgerPageBytes; }

template <typename Counter, typename Action>
void ForEach(Action action) {
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(Counter::kCount); ++i)
    action(static_cast<Counter>(i), i);
}

template <typename Value>
void AddTeardowns(Exposition& out, const LedgerTotals& totals, Value value) {
  ForEach<TeardownCounter>([&](TeardownCounter counter, std::uint32_t i) {
    out.Add({{"kind", std::string(TeardownKindName(counter))},
             {"strategy", std::string(TeardownStrategyName(counter))}},
            value(totals.teardowns[i]));
  });
}

void AddTotals(Exposition& out, const LedgerTotals& totals) {
  out.Begin("lethe_teardowns_total", "counter", "Protected guests torn down.");
  AddTeardowns(out, totals, [](const TeardownTotals& t) { return t.count.load(); });
  out.Begin("lethe_teardown_foreground_seconds_total", "counter",
            "Time for which somebody had to wait: pause of a reboot, end of a shut down guest.");
  AddTeardowns(out, totals,
               [](const TeardownTotals& t) { return Seconds(t.foreground_ns.load()); });
  out.Begin("lethe_teardown_background_seconds_total", "counter",
            "Time until all memory was clean (reboot) or released (shutdown).");
  AddTeardowns(out, totals,
               [](const TeardownTotals& t) { return Seconds(t.background_ns.load()); });
  out.Begin("lethe_teardown_bytes_total", "counter", "Memory cleaned (reboot) or returned.");
  AddTeardowns(out, totals, [](const TeardownTotals& t) { return Bytes(t.pages.load()); });
  out.Begin("lethe_fallbacks_total", "counter", "Teardowns that were not lazy, by reason.");
  ForEach<FallbackCounter>([&](FallbackCounter counter, std::uint32_t i) {
    out.Add({{"reason", std::string(FallbackName(counter))}}, totals.fallbacks[i].load());
  });
  out.Begin("lethe_admissions_total", "counter", "Guests that asked for their memory, by outcome.");
  ForEach<AdmissionCounter>([&](AdmissionCounter counter, std::uint32_t i) {
    out.Add({{"outcome", std::string(AdmissionName(counter))}}, totals.admissions[i].load());
  });
  out.Begin("lethe_admission_wait_seconds_total", "counter", "Time spent waiting for admission.");
  out.Add({}, Seconds(totals.admission_wait_ns.load()));
  out.Begin("lethe_guests_started_total", "counter", "Guests entered in the ledger.");
  out.Add({}, totals.guests_started.load());
  out.Begin("lethe_owners_died_total", "counter",
            "Guests whose processes ended without releasing their memory in order.");
  out.Add({}, totals.owners_died.load());
}

void AddStates(Exposition& out, absl::Span<const LedgerSnapshot> entries) {
  out.Begin("lethe_guests", "gauge", "Guests by state.");
  for (const LedgerState state :
       {LedgerState::kStarting, LedgerState::kWaiting, LedgerState::kRunning, LedgerState::kPaused,
        LedgerState::kDying}) {
    std::uint64_t count = 0;
    for (const LedgerSnapshot& entry : entries) count += entry.state == state ? 1 : 0;
    out.Add({{"state", std::string(LedgerStateName(state))}}, count);
  }
}

template <typename Value>
void AddGuests(Exposition& out, absl::Span<const LedgerSnapshot> entries, bool dying_only,
               Value value) {
  for (const LedgerSnapshot& entry : entries) {
    if (!entry.alive() || (dying_only && entry.state != LedgerState::kDying)) continue;
    out.Add(
        {{"name", entry.name}, {"uuid", FormatUuid(entry.uuid)}, {"pid", absl::StrCat(entry.pid)}},
        value(entry));
  }
}

void AddEntries(Exposition& out, absl::Span<const LedgerSnapshot> entries) {
  const LedgerDebt debt = DebtOf(entries);
  out.Begin("lethe_owed_bytes", "gauge", "Memory that stopped guests still owe the host.");
  out.Add({}, Bytes(debt.pages));
  out.Begin("lethe_return_bytes_per_second", "gauge", "Rate at which it comes back.");
  out.Add({}, Bytes(debt.pages_per_second));
  out.Begin("lethe_guest_memory_bytes", "gauge", "Size of each guest.");
  AddGuests(out, entries, false, [](const LedgerSnapshot& e) { return e.memory_bytes; });
  out.Begin("lethe_guest_owed_bytes", "gauge", "Memory that each stopped guest still owes.");
  AddGuests(out, entries, true, [](const LedgerSnapshot& e) { return Bytes(e.owed_pages); });
  out.Begin("lethe_guest_returned_bytes", "gauge", "Memory that each stopped guest has returned.");
  AddGuests(out, entries, true, [](const LedgerSnapshot& e) { return Bytes(e.returned_pages); });
}

}  // namespace

std::string MetricsText(const LedgerTotals& totals, absl::Span<const LedgerSnapshot> entries) {
  Exposition out;
  AddTotals(out, totals);
  AddStates(out, entries);
  AddEntries(out, entries);
  return out.Take();
}

}  // namespace lethe
