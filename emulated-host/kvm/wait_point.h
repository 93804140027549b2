#ifndef LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_
#define LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace lethe::emulated {

// Where a CPU in the wait state sleeps. A wake-up is never lost: take a Ticket, look whether there
// is anything to do, then sleep on the ticket. A signal to the sleeping thread ends the sleep as
// well, as it does in the kernel.
class WaitPoint {
 public:
  using Ticket = std::uint32_t;

  Ticket Prepare() const { return word_.load(std::memory_order_seq_cst); }
  // nullopt: no limit.
  void Sleep(Ticket ticket, std::optional<std::chrono::nanoseconds> limit);
  void Wake();

 private:
  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> sleepers_{0};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_WAIT_POINT_H_
