#include "pv/ledger/ledger_snapshot.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

using std::chrono::nanoseconds;

// More pages than any address space has: arithmetic on what is below cannot overflow.
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 52;
constexpr std::uint64_t kNanosecondsPerSecond = 1000000000;

// The clock may have been set back since.
nanoseconds Elapsed(std::uint64_t from_ns, std::uint64_t to_ns) {
  if (to_ns <= from_ns) return nanoseconds(0);
  return nanoseconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(to_ns - from_ns, std::uint64_t{1} << 62)));
}

std::optional<nanoseconds> ElapsedIfSet(std::uint64_t from_ns, std::uint64_t to_ns) {
  if (from_ns == 0) return std::nullopt;
  return Elapsed(from_ns, to_ns);
}

std::uint64_t AverageRate(std::uint64_t pages, nanoseconds elapsed) {
  if (elapsed.count() <= 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(pages) * 1e9 /
                                    static_cast<double>(elapsed.count()));
}

bool IsState(LedgerState state) {
  return state >= LedgerState::kStarting && state <= LedgerState::kDied;
}

// From stopping until now, or until the memory was back.
nanoseconds TimeDying(const LedgerSnapshot& snapshot) {
  if (!snapshot.since_stopped) return nanoseconds(0);
  return snapshot.released() ? *snapshot.since_stopped - snapshot.in_state
                             : *snapshot.since_stopped;
}

}  // namespace

std::optional<std::string> CheckRecord(const LedgerRecord& record) {
  if (record.magic != LedgerRecord::kMagic) return "not a ledger entry";
  if (record.version != LedgerRecord::kVersion)
    return absl::StrCat("version ", record.version, "; this program knows ",
                        LedgerRecord::kVersion);
  if (record.bytes != sizeof(LedgerRecord)) return "its length is wrong";
  if (std::memchr(record.name, 0, sizeof record.name) == nullptr || !IsGuestName(record.name))
    return "its name is not a guest's";
  if (!IsState(record.state.load(std::memory_order_acquire))) return "its state is not known";
  if (record.memory_bytes / kLedgerPageBytes >= kMostPages ||
      record.owed_pages.load() >= kMostPages || record.need_pages.load() >= kMostPages)
    return "its numbers are out of range";
  return std::nullopt;
}

LedgerState WithoutOwner(LedgerState state, LedgerStrategy strategy) {
  if (state >= LedgerState::kReleased) return state;
  const bool meant = state == LedgerState::kDying && strategy == LedgerStrategy::kExit;
  return meant ? LedgerState::kReleased : LedgerState::kDied;
}

std::optional<nanoseconds> ReadyIn(std::uint64_t pages, std::uint64_t pages_per_second) {
  if (pages == 0) return nanoseconds(0);
  if (pages_per_second == 0) return std::nullopt;
  const double seconds = static_cast<double>(pages) / static_cast<double>(pages_per_second);
  return nanoseconds(static_cast<std::int64_t>(
      std::min(seconds * static_cast<double>(kNanosecondsPerSecond), 9e18)));
}

LedgerSnapshot MakeSnapshot(const LedgerRecord& record, bool owned, std::uint64_t now_ns) {
  LedgerSnapshot snapshot;
  const LedgerState state = record.state.load(std::memory_order_acquire);
  snapshot.name = record.name;
  std::memcpy(snapshot.uuid.data(), record.uuid, snapshot.uuid.size());
  snapshot.pid = record.pid.load();
  snapshot.reaper_pid = record.reaper_pid.load();
  snapshot.strategy = record.strategy.load();
  snapshot.state = owned ? state : WithoutOwner(state, snapshot.strategy);
  snapshot.memory_bytes = record.memory_bytes;
  snapshot.need_pages = record.need_pages.load();
  snapshot.touched_pages = record.touched_pages.load();
  snapshot.set_aside = record.set_aside.load();
  snapshot.created_ns = record.created_ns;
  snapshot.since_ns = record.since_ns.load();
  snapshot.age = Elapsed(record.created_ns, now_ns);
  snapshot.in_state = Elapsed(snapshot.since_ns, now_ns);
  snapshot.since_stopped = ElapsedIfSet(record.stopped_ns.load(), now_ns);
  snapshot.since_admitted = ElapsedIfSet(record.admitted_ns.load(), now_ns);
  if (!snapshot.stopped()) return snapshot;

  snapshot.held_pages = record.owed_pages.load();
  snapshot.returned_pages = snapshot.released()
                                ? snapshot.held_pages
                                : std::min(record.returned_pages.load(), snapshot.held_pages);
  snapshot.owed_pages = snapshot.held_pages - snapshot.returned_pages;
  snapshot.pages_per_second = record.pages_per_second.load();
  if (snapshot.pages_per_second == 0)
    snapshot.pages_per_second = AverageRate(snapshot.returned_pages, TimeDying(snapshot));
  if (snapshot.state == LedgerState::kDying)
    snapshot.ready_in = ReadyIn(snapshot.owed_pages, snapshot.pages_per_second);
  return snapshot;
}

LedgerDebt DebtOf(absl::Span<const LedgerSnapshot> entries) {
  LedgerDebt debt;
  for (const LedgerSnapshot& entry : entries) {
    if (entry.state != LedgerState::kDying) continue;
    ++debt.guests;
    debt.pages += entry.owed_pages;
    debt.pages_per_second += entry.pages_per_second;
  }
  debt.ready_in = ReadyIn(debt.pages, debt.pages_per_second);
  return debt;
}

}  // namespace lethe
