// Clock comparator and CPU timer (Principles of Operation, "Timing").

#include <algorithm>

#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {

std::uint64_t Cpu::Tod() const { return group_.Tod(); }

std::int64_t Cpu::cpu_timer() const {
  const std::uint64_t value = cpu_timer_.load(std::memory_order_relaxed);
  if (!cpu_timer_runs_.load(std::memory_order_relaxed)) return static_cast<std::int64_t>(value);
  return static_cast<std::int64_t>(value - group_.clock().HostTime());
}

void Cpu::SetCpuTimer(std::int64_t value) {
  const std::uint64_t now = cpu_timer_runs_.load() ? group_.clock().HostTime() : 0;
  cpu_timer_.store(static_cast<std::uint64_t>(value) + now, std::memory_order_relaxed);
  UpdateTimers();
}

void Cpu::SetClockComparator(std::uint64_t value) {
  registers_.clock_comparator = value;
  UpdateTimers();
}

void Cpu::StartCpuTimer() {
  cpu_timer_.fetch_add(group_.clock().HostTime(), std::memory_order_relaxed);
  cpu_timer_runs_.store(true, std::memory_order_relaxed);
}

void Cpu::StopCpuTimer() {
  cpu_timer_runs_.store(false, std::memory_order_relaxed);
  cpu_timer_.fetch_sub(group_.clock().HostTime(), std::memory_order_relaxed);
  group_.timers().Set(reinterpret_cast<std::uintptr_t>(this), TimerThread::kNever);
}

bool Cpu::ClockComparatorPending() const { return Tod() > registers_.clock_comparator; }
bool Cpu::CpuTimerPending() const { return cpu_timer() < 0; }

// The timers that may interrupt, as in control register 0.
std::uint64_t Cpu::TimerMasks() const {
  const std::uint64_t masks = registers_.control[0];
  return debug_.holds_clock_comparator ? masks & ~kClockComparatorMask : masks;
}

bool Cpu::TimerInterruptionPending() const {
  const std::uint64_t masks = TimerMasks();
  return ((masks & kClockComparatorMask) != 0 && ClockComparatorPending()) ||
         ((masks & kCpuTimerMask) != 0 && CpuTimerPending());
}

void Cpu::TimerDue() {
  timer_due_.store(true, std::memory_order_relaxed);
  RaiseAttention(kTimerAttention);
}

// Looks at both timers anew and arms the machine's timer thread for the next one to come due. Only
// while the CPU runs; in a wait the host uses NextTimerDeadline().
void Cpu::UpdateTimers() {
  if (!running_) return;
  const auto id = reinterpret_cast<std::uintptr_t>(this);
  if (TimerInterruptionPending()) {
    timer_due_.store(true, std::memory_order_relaxed);
    if ((registers_.psw.mask & Psw::kExternal) != 0) RaiseAttention(kHostAttention);
    return;
  }
  timer_due_.store(false, std::memory_order_relaxed);
  std::uint64_t deadline = TimerThread::kNever;
  const std::uint64_t masks = TimerMasks();
  const std::uint64_t now = group_.clock().HostTime();
  if ((masks & kClockComparatorMask) != 0 && registers_.clock_comparator != ~std::uint64_t{0}) {
    // As a distance, so that any epoch will do.
    const std::uint64_t distance = registers_.clock_comparator - Tod();
    if (distance < TimerThread::kNever - now) deadline = now + distance + 1;
  }
  if ((masks & kCpuTimerMask) != 0) {
    const std::uint64_t distance = static_cast<std::uint64_t>(cpu_timer());
    if (distance < TimerThread::kNever - now) deadline = std::min(deadline, now + distance + 1);
  }
  group_.timers().Set(id, deadline);
}

std::uint64_t Cpu::NextTimerDeadline() const {
  if ((registers_.psw.mask & Psw::kExternal) == 0) return ~std::uint64_t{0};
  if (TimerInterruptionPending()) return 0;
  const std::uint64_t masks = TimerMasks();
  std::uint64_t deadline = ~std::uint64_t{0};
  if ((masks & kClockComparatorMask) != 0 && registers_.clock_comparator != ~std::uint64_t{0}) {
    deadline = registers_.clock_comparator + 1;
  }
  // The CPU timer stands still outside of Run, but not in a wait of the program.
  if ((masks & kCpuTimerMask) != 0) {
    const std::uint64_t zero = Tod() + static_cast<std::uint64_t>(cpu_timer()) + 1;
    if (zero >= Tod()) deadline = std::min(deadline, zero);
  }
  return deadline;
}

bool Cpu::PresentTimers() {
  if ((registers_.psw.mask & Psw::kExternal) == 0) return false;
  const std::uint64_t masks = TimerMasks();
  if ((masks & kClockComparatorMask) != 0 && ClockComparatorPending()) {
    PresentExternal(0x1004, 0, 0, 0);
    return true;
  }
  if ((masks & kCpuTimerMask) != 0 && CpuTimerPending()) {
    PresentExternal(0x1005, 0, 0, 0);
    return true;
  }
  return false;
}

}  // namespace lethe::emulated
