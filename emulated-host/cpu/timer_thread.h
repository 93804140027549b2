#ifndef LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_
#define LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_

#include <cstdint>
#include <functional>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "emulated-host/cpu/tod_clock.h"

namespace lethe::emulated {

// Calls back when the host's TOD time reaches a deadline: one thread for all timers of a machine,
// started with the first deadline, asleep until the nearest one. Safe for concurrent use.
class TimerThread {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  // `due` is called on the timer's thread with the owner's lock held: it must not call back.
  TimerThread(const TodClock& clock, std::function<void(std::uintptr_t)> due);
  ~TimerThread();
  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;

  // Replaces the deadline of timer `id`; kNever takes it away. After that returns, the old deadline
  // is not called back any more.
  void Set(std::uintptr_t id, std::uint64_t deadline);

 private:
  void Run();
  std::uint64_t Nearest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TodClock& clock_;
  const std::function<void(std::uintptr_t)> due_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  absl::flat_hash_map<std::uintptr_t, std::uint64_t> deadlines_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t sleeping_until_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_
