#include "emulated-host/cpu/timer_thread.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace lethe::emulated {

TimerThread::TimerThread(const TodClock& clock, std::function<void(std::uintptr_t)> due)
    : clock_(clock), due_(std::move(due)) {}

TimerThread::~TimerThread() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    stop_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void TimerThread::Set(std::uintptr_t id, std::uint64_t deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (deadline == kNever) {
    deadlines_.erase(id);
    return;
  }
  deadlines_[id] = deadline;
  if (!thread_.joinable()) {
    Start();
  } else if (deadline < sleeping_until_) {
    changed_.notify_one();
  }
}

// Signals are for the client's threads.
void TimerThread::Start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::uint64_t TimerThread::Nearest() const {
  std::uint64_t nearest = kNever;
  for (const auto& [id, deadline] : deadlines_) nearest = std::min(nearest, deadline);
  return nearest;
}

void TimerThread::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const std::uint64_t now = clock_.HostTime();
    for (auto timer = deadlines_.begin(); timer != deadlines_.end();) {
      const auto current = timer++;
      if (current->second > now) continue;
      const std::uintptr_t id = current->first;
      deadlines_.erase(current);
      due_(id);
    }
    sleeping_until_ = Nearest();
    if (sleeping_until_ == kNever) {
      changed_.wait(lock);
    } else if (sleeping_until_ > now) {
      // A microsecond is 4096 units; rounded up, so that the deadline has passed on waking.
      changed_.wait_for(lock, std::chrono::nanoseconds((sleeping_until_ - now) / 512 * 125 + 1000));
    }
    sleeping_until_ = 0;
  }
}

}  // namespace lethe::emulated
