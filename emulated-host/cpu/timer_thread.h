#ifndef LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_
#define LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/container/flat_hash_map.h"
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
  void Start();
  void Run();
  std::uint64_t Nearest() const;

  const TodClock& clock_;
  const std::function<void(std::uintptr_t)> due_;
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::flat_hash_map<std::uintptr_t, std::uint64_t> deadlines_;
  std::uint64_t sleeping_until_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_TIMER_THREAD_H_
