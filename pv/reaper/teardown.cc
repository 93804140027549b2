#include "pv/reaper/teardown.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>

#include "accel/kvm-s390/abi.h"
#include "base/system_call.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_totals.h"
#include "pv/reaper/raw_time.h"

namespace lethe {
namespace {

constexpr std::uint64_t kLower = std::uint64_t{2} << 30;  // what PREPARE cleans
constexpr std::uint64_t kFewPages = 16384;                // too few to learn a pace from
constexpr std::uint64_t kCaution = 2;
constexpr long kTrickleStep = 5'000'000;  // ns
constexpr double kSecond = 1e9;

}  // namespace

void Teardown::Run() {
  begun_ = RawTime(CLOCK_MONOTONIC);
  strategy_ = block_.strategy.load(std::memory_order_acquire);
  EnterCrash();
  if (block_.priority == ReaperPriority::kIdle && strategy_ != ShutdownStrategy::kSync) {
    watch_pressure_ = TakePolicy(SCHED_IDLE) && block_.pressure_count > 0;
    if (watch_pressure_) ForgetPressure();
  }
  EnterOwed();
  switch (strategy_) {
    case ShutdownStrategy::kBulk:
    case ShutdownStrategy::kSync:
      block_.survivor != nullptr ? Bulk() : ReleaseRest();
      break;
    case ShutdownStrategy::kTrickle:
      block_.survivor != nullptr ? Trickle() : ReleaseRest();
      break;
    case ShutdownStrategy::kExit:
      break;
  }
  CountTeardown();
}

// For both tasks; false: not permitted.
bool Teardown::TakePolicy(int policy) {
  const sched_param parameter = {};
  const long master = SystemCall(SYS_sched_setscheduler, 0, policy, Argument(&parameter));
  const long worker =
      SystemCall(SYS_sched_setscheduler, block_.worker_id, policy, Argument(&parameter));
  return master == 0 && worker == 0;
}

void Teardown::Bulk() {
  for (const std::uint32_t command : {abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM}) {
    const int result = Command(command);
    if (result != 0 && result != -EINVAL) {
      CountFallback(FallbackCounter::kOther);
      return Close();
    }
  }
  Close();
  ReleaseRest();
}

void Teardown::Trickle() {
  const std::uint64_t lower = std::min(kLower, pages_.size());
  const std::uint64_t begun = RawTime(CLOCK_MONOTONIC);
  const std::uint64_t begun_processor = worker_.ProcessorTime();
  const std::uint64_t pages = pages_.Count(0, lower);
  if (Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE) != 0) {
    CountFallback(FallbackCounter::kPrepareFailed);
    return Bulk();
  }
  const Pace pace = {pages, RawTime(CLOCK_MONOTONIC) - begun,
                     worker_.ProcessorTime() - begun_processor};

  worker_.StartCommand(abi::KVM_PV_ASYNC_CLEANUP_PERFORM);
  while (released_to_ < lower)
    if (!ReleaseChunk(lower)) break;
  ReleaseBehind(pace);
  const int result = worker_.Take();
  Close();
  if (result != 0 && result != -EINVAL) return CountFallback(FallbackCounter::kPerformFailed);
  ReleaseRest();
}

// Returns when PERFORM has ended.
void Teardown::ReleaseBehind(const Pace& pace) {
  if (pace.pages < kFewPages) return AwaitWorker();
  const std::uint64_t begun = RawTime(CLOCK_MONOTONIC);
  const std::uint64_t begun_processor = worker_.ProcessorTime();
  std::uint64_t walked = 0;  // pages that were present below the end of the last chunk
  std::uint64_t counted_to = released_to_;
  while (!AwaitWorkerFor(kTrickleStep)) {
    while (released_to_ < pages_.size()) {
      const std::uint64_t end = std::min(released_to_ + block_.chunk_size, pages_.size());
      if (counted_to < end) walked += pages_.Count(counted_to, end);
      counted_to = end;
      if (walked > Passed(pace, begun, begun_processor)) break;
      if (!ReleaseChunk(pages_.size())) return AwaitWorker();
    }
  }
}

std::uint64_t Teardown::Passed(const Pace& pace, std::uint64_t begun,
                               std::uint64_t begun_processor) const {
  const auto pages = [&pace](std::uint64_t time, std::uint64_t pace_time) {
    return static_cast<double>(pace.pages) * static_cast<double>(time) /
           static_cast<double>(std::max<std::uint64_t>(pace_time, 1));
  };
  const double by_time = pages(RawTime(CLOCK_MONOTONIC) - begun, pace.time);
  const double by_processor_time =
      pages(worker_.ProcessorTime() - begun_processor, pace.processor_time);
  return static_cast<std::uint64_t>(std::min(by_time, by_processor_time)) / kCaution;
}

int Teardown::Command(std::uint32_t command) {
  worker_.StartCommand(command);
  AwaitWorker();
  return worker_.Take();
}

void Teardown::Close() {
  worker_.StartClose();
  AwaitWorker();
  worker_.Take();
}

void Teardown::AwaitWorker() {
  while (!AwaitWorkerFor(-1)) {
  }
}

// Signals of the time before: they would end the idle priority before it has begun. A trigger tells
// of each event once.
void Teardown::ForgetPressure() {
  pollfd polled[kMaxPressureTriggers];
  for (std::size_t i = 0; i < block_.pressure_count; ++i)
    polled[i] = {block_.pressure_fds[i], POLLPRI, 0};
  const timespec at_once = {0, 0};
  SystemCall(SYS_ppoll, Argument(polled), static_cast<long>(block_.pressure_count),
             Argument(&at_once), 0, 0);
}

bool Teardown::AwaitWorkerFor(long nanoseconds) {
  pollfd polled[1 + kMaxPressureTriggers];
  polled[0] = {worker_.done_fd(), POLLIN, 0};
  std::size_t count = 1;
  if (watch_pressure_)
    for (std::size_t i = 0; i < block_.pressure_count; ++i)
      polled[count++] = {block_.pressure_fds[i], POLLPRI, 0};
  const timespec timeout = {0, nanoseconds};
  SystemCall(SYS_ppoll, Argument(polled), static_cast<long>(count),
             nanoseconds < 0 ? 0 : Argument(&timeout), 0, 0);
  for (std::size_t i = 1; i < count; ++i) {
    if (polled[i].revents & (POLLERR | POLLNVAL))
      block_.pressure_fds[i - 1] = -1;  // its cgroup is gone; poll skips it from now on
    else if (polled[i].revents & POLLPRI)
      RaisePriority();
  }
  return polled[0].revents & POLLIN;
}

void Teardown::ReleaseRest() {
  while (released_to_ < pages_.size()) {
    if (!ReleaseChunk(pages_.size())) return;
    if (watch_pressure_) AwaitWorkerFor(0);
  }
  EnterReleased(*block_.record, RawTime(CLOCK_REALTIME));
}

// Releases the next chunk, at most up to `end`; false: the host refused.
bool Teardown::ReleaseChunk(std::uint64_t end) {
  const std::uint64_t begun = RawTime(CLOCK_MONOTONIC);
  const std::uint64_t to = std::min(released_to_ + block_.chunk_size, end);
  const std::int64_t pages = pages_.Release(released_to_, to);
  if (pages < 0) return false;
  released_to_ = to;
  returned_ += static_cast<std::uint64_t>(pages);
  releasing_ += RawTime(CLOCK_MONOTONIC) - begun;
  const double rate =
      static_cast<double>(returned_) * kSecond / static_cast<double>(releasing_ + 1);
  EnterReturned(*block_.record, returned_, static_cast<std::uint64_t>(rate));
  return true;
}

void Teardown::RaisePriority() {
  TakePolicy(SCHED_OTHER);  // not permitted: goes on as it is
  watch_pressure_ = false;  // once is enough, and a trigger may be ready for ever
}

// A VMM that came to its end by itself has entered "dying" before, with the time. Else the debt is
// entered before anything that takes time, as an estimate: others wait for memory that is owed.
void Teardown::EnterCrash() {
  LedgerRecord& record = *block_.record;
  crash_ = record.state.load(std::memory_order_acquire) != LedgerState::kDying;
  if (!crash_) return;
  const std::uint64_t touched = record.touched_pages.load(std::memory_order_relaxed);
  EnterDying(record, touched != 0 ? touched : pages_.size() / kLedgerPageBytes,
             LedgerStrategyOf(strategy_), RawTime(CLOCK_REALTIME));
}

void Teardown::EnterOwed() {
  LedgerRecord& record = *block_.record;
  record.strategy.store(LedgerStrategyOf(strategy_), std::memory_order_relaxed);
  record.owed_pages.store(pages_.CountAll(), std::memory_order_relaxed);
}

void Teardown::CountTeardown() {
  if (block_.totals == nullptr) return;
  TeardownTotals& totals =
      block_.totals->of(crash_ ? TeardownCounter::kCrash : TeardownCounterOf(strategy_));
  totals.count.fetch_add(1, std::memory_order_relaxed);
  totals.background_ns.fetch_add(RawTime(CLOCK_MONOTONIC) - begun_, std::memory_order_relaxed);
  totals.pages.fetch_add(returned_, std::memory_order_relaxed);
}

void Teardown::CountFallback(FallbackCounter reason) {
  if (block_.totals != nullptr) block_.totals->of(reason).fetch_add(1, std::memory_order_relaxed);
}

}  // namespace lethe
