#ifndef LETHE_PV_LEDGER_LEDGER_SNAPSHOT_H_
#define LETHE_PV_LEDGER_LEDGER_SNAPSHOT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/uuid.h"
#include "pv/ledger/ledger_record.h"

namespace lethe {

// One entry as a reader found it: checked, copied, and completed with what follows from it. Values
// of different members may be from slightly different moments.
struct LedgerSnapshot {
  std::string id;  // the entry's file name: unique in its directory
  std::string name;
  Uuid uuid = {};
  std::uint32_t pid = 0;
  std::uint32_t reaper_pid = 0;  // 0: none
  LedgerState state = LedgerState::kStarting;
  LedgerStrategy strategy = LedgerStrategy::kNone;
  std::uint64_t memory_bytes = 0;
  std::uint64_t owed_pages = 0;  // still to come back: 0 but for dying guests
  std::uint64_t held_pages = 0;  // owed when the guest stopped
  std::uint64_t returned_pages = 0;
  std::uint64_t pages_per_second = 0;  // as reported, else on average since it stopped; 0: unknown
  std::optional<std::chrono::nanoseconds> ready_in = std::nullopt;  // dying guests: an estimate
  std::uint64_t need_pages = 0;
  std::uint64_t touched_pages = 0;
  std::uint32_t set_aside = 0;
  std::chrono::nanoseconds age{0};       // since it was made
  std::chrono::nanoseconds in_state{0};  // since it entered its state
  std::optional<std::chrono::nanoseconds> since_stopped = std::nullopt;
  std::optional<std::chrono::nanoseconds> since_admitted = std::nullopt;
  std::uint64_t created_ns = 0;  // CLOCK_REALTIME
  std::uint64_t since_ns = 0;
  std::uint32_t owner_uid = 0;

  // Owned by a living process: starting to dying.
  bool alive() const { return state <= LedgerState::kDying; }
  bool stopped() const { return state >= LedgerState::kDying; }
  bool released() const { return state >= LedgerState::kReleased; }
};

// `record` must have passed CheckRecord. `owned`: whether a living process holds the entry.
LedgerSnapshot MakeSnapshot(const LedgerRecord& record, bool owned, std::uint64_t now_ns);

// The state of an entry nobody holds: its memory went back to the kernel with the last who held it.
// Such an end is "released" where it was the strategy (kExit), else "died".
LedgerState WithoutOwner(LedgerState state, LedgerStrategy strategy);

// When `pages` will have come back: nothing to wait for is ready now; no value: the rate is unknown
// (0). At most some centuries.
std::optional<std::chrono::nanoseconds> ReadyIn(std::uint64_t pages,
                                                std::uint64_t pages_per_second);

// What is wrong with a record that some file contained; no value: nothing.
std::optional<std::string> CheckRecord(const LedgerRecord& record);

// What all dying guests together owe.
struct LedgerDebt {
  int guests = 0;
  std::uint64_t pages = 0;
  std::uint64_t pages_per_second = 0;
  std::optional<std::chrono::nanoseconds> ready_in = std::nullopt;  // no value: rate unknown
};
LedgerDebt DebtOf(absl::Span<const LedgerSnapshot> entries);

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_SNAPSHOT_H_
