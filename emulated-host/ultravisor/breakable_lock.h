#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_BREAKABLE_LOCK_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_BREAKABLE_LOCK_H_

#include <sched.h>

#include <atomic>

namespace lethe::emulated {

// A lock for short critical sections that can be set free when the thread that held it was killed
// (a process that shares the memory goes on without it). For std::lock_guard.
class BreakableLock {
 public:
  void lock() {
    while (held_.exchange(true, std::memory_order_acquire)) sched_yield();
  }
  void unlock() { held_.store(false, std::memory_order_release); }
  void Break() { unlock(); }

 private:
  std::atomic<bool> held_{false};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_BREAKABLE_LOCK_H_
