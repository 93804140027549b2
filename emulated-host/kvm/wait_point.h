#ifndef LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_
#define LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>

#include "base/unique_fd.h"

namespace lethe::emulated {

// Where a CPU in the wait state sleeps. A wake-up is never lost: take a Ticket, look whether there
// is anything to do, then sleep on the ticket. Nor is a signal, if the caller holds signals back
// while he looks (SignalBlock). One thread sleeps at a time.
class WaitPoint {
 public:
  using Ticket = std::uint32_t;

  WaitPoint();
  // False: the host had no descriptor left.
  bool ok() const { return static_cast<bool>(event_); }

  Ticket Prepare() const { return word_.load(std::memory_order_seq_cst); }
  // With `mask` as the thread's signal mask; `limit` nullopt: no limit. True: a signal was handled.
  bool Sleep(Ticket ticket, std::optional<std::chrono::nanoseconds> limit, const sigset_t& mask);
  // From any thread, and from signal handlers.
  void Wake();

 private:
  UniqueFd event_;
  std::atomic<std::uint32_t> word_{0};
  std::atomic<bool> sleeper_{false};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_
