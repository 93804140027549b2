#ifndef LETHE_PV_CLEANER_H_
#define LETHE_PV_CLEANER_H_

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "accel/kvm-s390/pv_command.h"
#include "pv/event_sink.h"

namespace lethe {

enum class CleanerPriority {
  kAuto,  // idle if the host allows to leave that class again, otherwise normal
  kIdle,
  kNormal,
};

std::optional<CleanerPriority> ParseCleanerPriority(absl::string_view name);  // "auto", ...
absl::string_view CleanerPriorityName(CleanerPriority priority);

enum class CleaningEnd {
  kClean,
  kAlreadyClean,  // a DISABLE was faster
  kInterrupted,   // by a fatal signal; the kernel does the rest with the VM
  kFailed,
};

// One guest that was set aside, when nothing more is done about it.
struct Cleaning {
  CleaningEnd end;
  std::chrono::nanoseconds duration;   // of PERFORM
  std::optional<std::uint64_t> pages;  // as handed over
};

// A sum of amounts some of which may be unknown.
class PageSum {
 public:
  void Add(std::optional<std::uint64_t> pages) { Count(pages, +1); }
  void Remove(std::optional<std::uint64_t> pages) { Count(pages, -1); }
  // No value: one of them is unknown.
  std::optional<std::uint64_t> value() const {
    return unknown_ == 0 ? std::optional(known_) : std::nullopt;
  }

 private:
  void Count(std::optional<std::uint64_t> pages, int sign) {
    if (!pages) unknown_ += sign;
    known_ += sign * pages.value_or(0);
  }
  std::uint64_t known_ = 0;
  int unknown_ = 0;
};

// Guests of this VM that are not clean yet.
struct Zombies {
  unsigned waiting = 0;   // set aside; at most one
  unsigned cleaning = 0;  // PERFORM runs
  unsigned left = 0;      // interrupted or failed: for the next DISABLE or the end of the VM
  // Of all of them, as handed over (how far a PERFORM is the kernel does not tell); none: not
  // known.
  std::optional<std::uint64_t> pages = 0;

  unsigned total() const { return waiting + cleaning + left; }
};

struct CleanerOptions {
  unsigned concurrency = 1;  // guests cleaned at the same time, at least 1
  CleanerPriority priority = CleanerPriority::kAuto;
  std::vector<unsigned> cpus = {};  // on which the threads may run; none: on all
  // Called on a cleaner thread, after the event.
  std::function<void(const Cleaning&)> on_end = [](const Cleaning&) {};
};

// Cleans set-aside guests in the background: threads that wait from the beginning, so that PERFORM
// follows PREPARE at once. The kernel has room for one guest that waits; the others are those that
// are being cleaned. All calls may come from any thread.
//
// While somebody waits for it, or memory is short, it runs with normal priority. What the host does
// not allow of that is told in one event "degraded".
class Cleaner {
 public:
  // `events` and the VM of `command` must outlive this.
  Cleaner(kvm::PvCommand command, CleanerOptions options, EventSink& events);
  // Waits for every PERFORM that has begun, however long it takes (only the end of the process
  // interrupts it); what still waits is left to the kernel, which cleans it with the VM.
  ~Cleaner();
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // PREPARE has succeeded. The one before it must have begun (WaitForRoom). `pages`: how many there
  // are to clean, if that is known.
  void HandOver(std::optional<std::uint64_t> pages = std::nullopt);
  // DISABLE has succeeded, which cleans what waits and what was left.
  void Forget();
  // Memory is short, or no longer.
  void SetUrgent(bool urgent);

  // Waits until nothing waits any more, so that PREPARE may be issued; false: `bound` is over.
  // A PERFORM that runs is no obstacle. The kernel does not tell when PERFORM has taken the guest
  // up, so a PERFORM that has only just begun gets a moment for it; should that not be enough,
  // PREPARE fails and DISABLE cleans both guests.
  bool WaitForRoom(std::chrono::nanoseconds bound);
  // Waits until nothing waits or runs; false: `bound` is over.
  bool WaitUntilIdle(std::chrono::nanoseconds bound);
  void WaitUntilIdle();
  bool idle() const;
  Zombies zombies() const;

 private:
  // Raises the priority for as long as somebody waits; lock held at both ends.
  class Hurry;

  void Run();
  CleaningEnd Clean(std::optional<std::uint64_t> pages);
  bool IsIdle() const { return !waiting_ && running_ == 0; }  // lock held
  void ChoosePriority();
  void EnterService();         // lock held
  void ChangeUrgency(int by);  // lock held
  void Degrade(absl::string_view reason);

  kvm::PvCommand command_;
  const CleanerOptions options_;
  EventSink& events_;
  bool idle_class_ = false;  // what the threads do while nothing is urgent

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool waiting_ = false;  // a guest was handed over and PERFORM has not begun
  std::optional<std::uint64_t> waiting_pages_;
  unsigned running_ = 0;
  PageSum running_pages_;
  unsigned left_ = 0;
  PageSum left_pages_;
  std::chrono::steady_clock::time_point begun_;  // the newest PERFORM
  int urgency_ = 0;
  bool memory_is_short_ = false;
  bool degraded_ = false;
  bool stop_ = false;
  std::vector<pid_t> in_service_;  // thread ids
  std::vector<std::thread> threads_;
};

}  // namespace lethe

#endif  // LETHE_PV_CLEANER_H_
