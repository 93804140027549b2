#include "pv/cleaner.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "pv/command_event.h"
#include "pv/thread_priority.h"

namespace lethe {
namespace {

// What PERFORM leaves when a fatal signal stopped it.
constexpr std::uint16_t kInterruptedReason = 42;

// Long for a thread to enter the kernel, short for a reboot.
constexpr auto kTakingUp = std::chrono::milliseconds(5);

CleaningEnd EndOf(const kvm::PvResult& result) {
  if (result.ok())
    return result.rrc == kInterruptedReason ? CleaningEnd::kInterrupted : CleaningEnd::kClean;
  const bool nothing_set_aside = result.error == EINVAL && result.rc == 0;
  return nothing_set_aside ? CleaningEnd::kAlreadyClean : CleaningEnd::kFailed;
}

Event EventOf(CleaningEnd end, const Stopwatch& stopwatch, const kvm::PvResult& result) {
  switch (end) {
    case CleaningEnd::kAlreadyClean:
      return CommandEvent("perform-end", stopwatch, {}, "already clean");
    case CleaningEnd::kInterrupted:
      return CommandEvent("perform-end", stopwatch, result,
                          "interrupted, the kernel does the rest with the VM");
    case CleaningEnd::kClean:
    case CleaningEnd::kFailed:
      break;
  }
  return CommandEvent("perform-end", stopwatch, result);
}

}  // namespace

std::optional<CleanerPriority> ParseCleanerPriority(absl::string_view name) {
  for (CleanerPriority priority :
       {CleanerPriority::kAuto, CleanerPriority::kIdle, CleanerPriority::kNormal})
    if (name == CleanerPriorityName(priority)) return priority;
  return std::nullopt;
}

absl::string_view CleanerPriorityName(CleanerPriority priority) {
  switch (priority) {
    case CleanerPriority::kAuto:
      return "auto";
    case CleanerPriority::kIdle:
      return "idle";
    case CleanerPriority::kNormal:
      return "normal";
  }
  return "unknown";
}

class Cleaner::Hurry {
 public:
  explicit Hurry(Cleaner& cleaner) : cleaner_(cleaner) { cleaner_.ChangeUrgency(+1); }
  ~Hurry() { cleaner_.ChangeUrgency(-1); }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;

 private:
  Cleaner& cleaner_;
};

Cleaner::Cleaner(kvm::PvCommand command, CleanerOptions options, EventSink& events)
    : command_(command), options_(std::move(options)), events_(events) {
  LETHE_CHECK(options_.concurrency > 0);
  ChoosePriority();
  for (unsigned i = 0; i < options_.concurrency; ++i) threads_.emplace_back([this] { Run(); });
}

Cleaner::~Cleaner() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    ChangeUrgency(+1);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Cleaner::ChoosePriority() {
  if (options_.priority == CleanerPriority::kNormal) return;
  const bool may_return = MayLeaveIdleClass();
  idle_class_ = may_return || options_.priority == CleanerPriority::kIdle;
  if (may_return) return;
  Degrade(idle_class_ ? "the cleaner stays in the idle scheduling class even when memory is short "
                        "(leaving it needs CAP_SYS_NICE or RLIMIT_NICE 20)"
                      : "the cleaner runs with normal priority "
                        "(the idle class cannot be left without CAP_SYS_NICE or RLIMIT_NICE 20)");
}

void Cleaner::Degrade(absl::string_view reason) {
  if (std::exchange(degraded_, true)) return;
  events_.Report({.name = "degraded", .reason = std::string(reason)});
}

void Cleaner::HandOver(std::optional<std::uint64_t> pages) {
  {
    std::lock_guard lock(mutex_);
    LETHE_CHECK(!waiting_);
    waiting_ = true;
    waiting_pages_ = pages;
  }
  changed_.notify_all();
}

void Cleaner::Forget() {
  {
    std::lock_guard lock(mutex_);
    waiting_ = false;
    left_ = 0;
    left_pages_ = {};
  }
  changed_.notify_all();
}

void Cleaner::SetUrgent(bool urgent) {
  std::lock_guard lock(mutex_);
  if (std::exchange(memory_is_short_, urgent) != urgent) ChangeUrgency(urgent ? +1 : -1);
}

void Cleaner::ChangeUrgency(int by) {
  const bool was_urgent = urgency_ > 0;
  urgency_ += by;
  const bool is_urgent = urgency_ > 0;
  if (!idle_class_ || was_urgent == is_urgent) return;
  for (pid_t thread : in_service_)
    if (const absl::Status status = SetIdleClass(thread, !is_urgent); !status.ok())
      Degrade(absl::StrCat("the cleaner keeps its priority: ", status.message()));
}

bool Cleaner::WaitForRoom(std::chrono::nanoseconds bound) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  std::unique_lock lock(mutex_);
  const Hurry hurry(*this);
  if (!changed_.wait_until(lock, deadline, [this] { return !waiting_; })) return false;
  if (running_ > 0)
    changed_.wait_until(lock, std::min(deadline, begun_ + kTakingUp),
                        [this] { return running_ == 0; });
  return true;
}

bool Cleaner::WaitUntilIdle(std::chrono::nanoseconds bound) {
  std::unique_lock lock(mutex_);
  const Hurry hurry(*this);
  return changed_.wait_for(lock, bound, [this] { return IsIdle(); });
}

void Cleaner::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  const Hurry hurry(*this);
  changed_.wait(lock, [this] { return IsIdle(); });
}

bool Cleaner::idle() const {
  std::lock_guard lock(mutex_);
  return IsIdle();
}

Zombies Cleaner::zombies() const {
  std::lock_guard lock(mutex_);
  PageSum pages;
  if (waiting_) pages.Add(waiting_pages_);
  pages.Add(running_pages_.value());
  pages.Add(left_pages_.value());
  return {waiting_ ? 1u : 0u, running_, left_, pages.value()};
}

void Cleaner::EnterService() {
  pthread_setname_np(pthread_self(), "cleaner");
  if (const absl::Status status = SetAffinity(0, options_.cpus); !status.ok())
    Degrade(absl::StrCat("the cleaner runs on any CPU: ", status.message()));
  if (idle_class_ && urgency_ == 0) {
    if (const absl::Status status = SetIdleClass(0, true); !status.ok())
      Degrade(absl::StrCat("the cleaner runs with normal priority: ", status.message()));
  }
  in_service_.push_back(gettid());
}

void Cleaner::Run() {
  std::unique_lock lock(mutex_);
  EnterService();
  while (true) {
    changed_.wait(lock, [this] { return waiting_ || stop_; });
    if (stop_) break;
    waiting_ = false;
    ++running_;
    begun_ = std::chrono::steady_clock::now();
    const std::optional<std::uint64_t> pages = waiting_pages_;
    running_pages_.Add(pages);
    lock.unlock();
    changed_.notify_all();
    const CleaningEnd end = Clean(pages);
    lock.lock();
    --running_;
    running_pages_.Remove(pages);
    if (end == CleaningEnd::kInterrupted || end == CleaningEnd::kFailed) {
      ++left_;
      left_pages_.Add(pages);
    }
    changed_.notify_all();
  }
  std::erase(in_service_, gettid());
}

CleaningEnd Cleaner::Clean(std::optional<std::uint64_t> pages) {
  Event begin;
  begin.name = "perform-begin";
  events_.Report(begin);
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.PerformCleanup();
  const CleaningEnd end = EndOf(result);
  events_.Report(EventOf(end, stopwatch, result));
  options_.on_end({end, stopwatch.Elapsed(), pages});
  return end;
}

}  // namespace lethe
