#ifndef LETHE_PV_LEDGER_LEDGER_RECORD_H_
#define LETHE_PV_LEDGER_LEDGER_RECORD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "pv/shutdown_strategy.h"

namespace lethe {

inline constexpr std::uint64_t kLedgerPageBytes = 4096;  // what the ledger counts in

// Where a guest is in its life, as its entry says. "Died" is never said by the owner: readers
// conclude it when nobody holds an entry any more that was not released (but for a guest that was
// to be freed by the end of its last process, LedgerStrategy::kExit: that one is released then).
enum class LedgerState : std::uint32_t {
  kStarting = 1,
  kWaiting = 2,  // for admission: memory that others owe
  kRunning = 3,
  kPaused = 4,
  kDying = 5,     // the guest has stopped; its memory is owed
  kReleased = 6,  // the memory is back; the entry stays some minutes as a tombstone
  kDied = 7,      // the owner went without a word; the kernel has taken everything back
};

// How a dying guest's memory is cleaned and given back.
enum class LedgerStrategy : std::uint32_t {
  kNone = 0,  // not decided
  kBulk = 1,
  kTrickle = 2,
  kExit = 3,
  kSync = 4,
};

// Inlined, also for the reaper.
[[gnu::always_inline]] inline constexpr LedgerStrategy LedgerStrategyOf(ShutdownStrategy strategy) {
  switch (strategy) {
    case ShutdownStrategy::kBulk:
      return LedgerStrategy::kBulk;
    case ShutdownStrategy::kTrickle:
      return LedgerStrategy::kTrickle;
    case ShutdownStrategy::kExit:
      return LedgerStrategy::kExit;
    case ShutdownStrategy::kSync:
      return LedgerStrategy::kSync;
  }
  return LedgerStrategy::kNone;
}

// One guest in the ledger: the content of its entry file, which the owners (the VMM, later its
// reaper) map shared and write with plain atomic stores: no locks, no allocation, no system calls.
// Host byte order; the file never leaves the host. Times are CLOCK_REALTIME nanoseconds.
// Members without std::atomic are written before the entry becomes visible and never again.
struct LedgerRecord {
  static constexpr std::uint64_t kMagic = 0x4c657468654c6467;  // "LetheLdg" on a big-endian host
  static constexpr std::uint32_t kVersion = 1;
  static constexpr std::size_t kNameBytes = 64;  // with its terminating zero

  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t bytes;  // sizeof(LedgerRecord), also the size of the file
  std::uint64_t memory_bytes;
  std::uint64_t created_ns;
  char name[kNameBytes];
  std::uint8_t uuid[16];

  std::atomic<std::uint32_t> pid;         // of the VMM
  std::atomic<std::uint32_t> reaper_pid;  // 0: none
  std::atomic<LedgerState> state;
  std::atomic<LedgerStrategy> strategy;
  std::atomic<std::uint64_t> since_ns;    // when `state` was entered
  std::atomic<std::uint64_t> stopped_ns;  // when the guest stopped; 0: it has not

  // Of a dying guest. Owed is what it held when it stopped; owed minus returned is still to come.
  std::atomic<std::uint64_t> owed_pages;
  std::atomic<std::uint64_t> returned_pages;
  std::atomic<std::uint64_t> pages_per_second;  // 0: not known

  // For the admission of others (pv/ledger/admission.h).
  std::atomic<std::uint64_t> need_pages;     // what this guest asked for, or was admitted with
  std::atomic<std::uint64_t> touched_pages;  // how much of that it has in use by now
  std::atomic<std::uint64_t> admitted_ns;    // 0: not yet

  std::atomic<std::uint32_t> set_aside;  // earlier configurations of the VM still being destroyed
  std::uint32_t reserved0;
  std::uint64_t reserved[34];  // zero
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<LedgerState>::is_always_lock_free);
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && sizeof(std::atomic<LedgerState>) == 4);
static_assert(std::is_standard_layout_v<LedgerRecord> &&
              std::is_trivially_destructible_v<LedgerRecord>);
static_assert(offsetof(LedgerRecord, pid) == 112);
static_assert(offsetof(LedgerRecord, since_ns) == 128);
static_assert(offsetof(LedgerRecord, owed_pages) == 144);
static_assert(offsetof(LedgerRecord, set_aside) == 192);
static_assert(sizeof(LedgerRecord) == 472);

// The steps an owner enters. Safe in a reaper whose VMM was killed anywhere.
inline void EnterState(LedgerRecord& record, LedgerState state, std::uint64_t now_ns) {
  record.since_ns.store(now_ns, std::memory_order_relaxed);
  record.state.store(state, std::memory_order_release);
}

// The guest has stopped and owes `pages`.
inline void EnterDying(LedgerRecord& record, std::uint64_t pages, LedgerStrategy strategy,
                       std::uint64_t now_ns) {
  record.returned_pages.store(0, std::memory_order_relaxed);
  record.owed_pages.store(pages, std::memory_order_relaxed);
  record.strategy.store(strategy, std::memory_order_relaxed);
  record.stopped_ns.store(now_ns, std::memory_order_relaxed);
  EnterState(record, LedgerState::kDying, now_ns);
}

// `pages` in all have come back since EnterDying, lately at this rate (0: not known).
inline void EnterReturned(LedgerRecord& record, std::uint64_t pages,
                          std::uint64_t pages_per_second) {
  record.pages_per_second.store(pages_per_second, std::memory_order_relaxed);
  record.returned_pages.store(pages, std::memory_order_release);
}

// All memory is back.
inline void EnterReleased(LedgerRecord& record, std::uint64_t now_ns) {
  record.returned_pages.store(record.owed_pages.load(std::memory_order_relaxed),
                              std::memory_order_relaxed);
  EnterState(record, LedgerState::kReleased, now_ns);
}

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_RECORD_H_
