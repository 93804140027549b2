#include "pv/cleaner.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "pv/command_event.h"

namespace lethe {
namespace {

// What PERFORM leaves when a fatal signal stopped it.
constexpr std::uint16_t kInterruptedReason = 42;

// Long for a thread to enter the kernel, short for a reboot.
constexpr auto kTakingUp = std::chrono::milliseconds(5);

Event EndOf(const Stopwatch& stopwatch, const kvm::PvResult& result) {
  if (result.error == EINVAL && result.rc == 0) {
    // Nothing is set aside: a DISABLE was faster. Not a failure.
    Event event = CommandEvent("perform-end", stopwatch, {});
    event.reason = "already clean";
    return event;
  }
  const bool interrupted = result.ok() && result.rrc == kInterruptedReason;
  return CommandEvent("perform-end", stopwatch, result,
                      interrupted ? "interrupted, the kernel does the rest with the VM" : "");
}

}  // namespace

Cleaner::Cleaner(kvm::PvCommand command, EventSink& events)
    : command_(command), events_(events), thread_([this] { Run(); }) {}

Cleaner::~Cleaner() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Cleaner::HandOver() {
  {
    std::lock_guard lock(mutex_);
    LETHE_CHECK(!waiting_);
    waiting_ = true;
  }
  changed_.notify_all();
}

void Cleaner::Forget() {
  {
    std::lock_guard lock(mutex_);
    waiting_ = false;
  }
  changed_.notify_all();
}

bool Cleaner::WaitForRoom(std::chrono::nanoseconds bound) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return !waiting_; })) return false;
  if (running_)
    changed_.wait_until(lock, std::min(deadline, begun_ + kTakingUp), [this] { return !running_; });
  return true;
}

bool Cleaner::WaitUntilIdle(std::chrono::nanoseconds bound) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, bound, [this] { return !waiting_ && !running_; });
}

bool Cleaner::idle() const {
  std::lock_guard lock(mutex_);
  return !waiting_ && !running_;
}

void Cleaner::Run() {
  pthread_setname_np(pthread_self(), "cleaner");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return waiting_ || stop_; });
    if (stop_) return;
    waiting_ = false;
    running_ = true;
    begun_ = std::chrono::steady_clock::now();
    lock.unlock();
    changed_.notify_all();
    Clean();
    lock.lock();
    running_ = false;
    changed_.notify_all();
  }
}

void Cleaner::Clean() {
  Event begin;
  begin.name = "perform-begin";
  events_.Report(begin);
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.PerformCleanup();
  events_.Report(EndOf(stopwatch, result));
}

}  // namespace lethe
