#ifndef LETHE_EMULATED_HOST_CPU_UNIQUE_CLOCK_H_
#define LETHE_EMULATED_HOST_CPU_UNIQUE_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace lethe::emulated {

// Makes the values that STORE CLOCK stores unique and ascending across the CPUs of a machine, as
// Principles of Operation, "Timing", asks. Safe for concurrent use.
class UniqueClock {
 public:
  // A value not given before: `now` (a TOD clock value), or the least step beyond the last one. A
  // clock that was set back by more than a second starts anew.
  std::uint64_t Next(std::uint64_t now) {
    constexpr std::uint64_t kSecond = std::uint64_t{1'000'000} << 12;
    std::uint64_t last = last_.load(std::memory_order_relaxed);
    std::uint64_t next;
    do {
      const bool ahead = now > last || last - now > kSecond;
      next = ahead ? now : last + 1;
    } while (!last_.compare_exchange_weak(last, next, std::memory_order_relaxed));
    return next;
  }

 private:
  std::atomic<std::uint64_t> last_{0};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_UNIQUE_CLOCK_H_
