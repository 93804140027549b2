#ifndef LETHE_EMULATED_HOST_CPU_CPU_GROUP_H_
#define LETHE_EMULATED_HOST_CPU_CPU_GROUP_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "emulated-host/cpu/timer_thread.h"
#include "emulated-host/cpu/tod_clock.h"
#include "emulated-host/cpu/unique_clock.h"

namespace lethe::emulated {

class Cpu;

// What the CPUs of one machine have in common: purges that reach all of them, the clock, the
// timers. Outlives its CPUs. Safe for concurrent use.
//
// A purge returns when no CPU can use what was purged any more: each one that executes instructions
// has taken note between two of them, each one that does not will before the next. CPUs that purge
// at the same time serve each other while they wait.
class CpuGroup {
 public:
  CpuGroup();
  ~CpuGroup();
  CpuGroup(const CpuGroup&) = delete;
  CpuGroup& operator=(const CpuGroup&) = delete;

  // All copies of translations, storage keys and page ownership. The first one is for instruction
  // functions, on the thread of `self` (its own copies go as well); the second one for threads that
  // are not executing instructions: of the host, or of a CPU in a CpuHost call or outside of Run.
  void PurgeAll(Cpu& self);
  void PurgeAll();
  // The page at this absolute address has changed hands (or is about to, and is locked).
  void PurgePage(std::uint64_t absolute);
  // Storage may have been stored into from outside of the CPUs (by the machine's user, by a
  // device): a CPU compares its decoded instructions with storage again, from its next Run(), purge
  // or interruption on. Any thread.
  void NoteOutsideStores() { outside_stores_.fetch_add(1, std::memory_order_release); }
  std::uint64_t outside_stores() const { return outside_stores_.load(std::memory_order_acquire); }
  // Like PurgeAll, for a caller who holds all CPUs outside of Run anyhow.
  void PurgeStopped() { PurgeAll(); }

  // The host part of the TOD clock, and what the machine's clock is ahead of it (modulo 2^64).
  const TodClock& clock() const { return clock_; }
  std::uint64_t Tod() const { return clock_.HostTime() + epoch(); }
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  void SetEpoch(std::uint64_t epoch);
  // Sets the TOD clock to `tod` now.
  void SetTod(std::uint64_t tod) { SetEpoch(tod - clock_.HostTime()); }
  // What STORE CLOCK stores on this CPU: no value twice in the machine.
  std::uint64_t UniqueTod(const Cpu& cpu);

  // PERFORM LOCKED OPERATION: one lock serves all tokens. Only to be tried, never waited for.
  absl::Mutex& operation_lock() { return operation_lock_; }

  // --- for Cpu ---------------------------------------------------------------------------------
  void Add(Cpu& cpu);
  void Remove(Cpu& cpu);
  // Beginning and end of guest execution on the calling thread.
  void Enter(Cpu& cpu);
  void Leave(Cpu& cpu);
  // Between two instructions, when attention was requested.
  void Serve(Cpu& cpu);
  // From now on each store into the page must be told to the code caches. Returns when all know.
  void WatchPage(Cpu& self, std::uint64_t absolute_page);
  // Others may hold instructions decoded from these bytes, which have been stored into.
  void CodeStored(Cpu& self, std::uint64_t absolute, std::size_t length);
  // All forget the instructions of the page.
  void DropCode(Cpu& self, std::uint64_t absolute_page);
  TimerThread& timers() { return timers_; }

 private:
  struct StoredRange {
    std::uint64_t absolute;
    std::size_t length;
  };
  struct Member {
    bool inside = false;
    bool purge = false;
    std::vector<StoredRange> stored;
    std::vector<std::uint64_t> dropped;

    bool Waiting() const { return purge || !stored.empty() || !dropped.empty(); }
  };

  template <typename Request>
  void Broadcast(Cpu* self, bool wait, Request request);
  void ServeLocked(Cpu& cpu, Member& member);
  bool Pending(const Cpu* self) const;

  const TodClock clock_;
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> outside_stores_{1};
  UniqueClock unique_;
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::flat_hash_map<Cpu*, Member> members_;
  TimerThread timers_;
  absl::Mutex operation_lock_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_GROUP_H_
