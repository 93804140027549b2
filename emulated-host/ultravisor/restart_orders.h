#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_RESTART_ORDERS_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_RESTART_ORDERS_H_

#include <atomic>
#include <cstdint>

namespace lethe::emulated {

// The restart orders (SIGP) that a stopped CPU has got from others and not yet carried out. Several
// are as good as one; each can be taken back by who has given it, as long as none was carried out
// since. Safe for concurrent use.
class RestartOrders {
 public:
  // Which round an order belongs to: all until the CPU has carried them out.
  using Round = std::uint32_t;

  Round Give() { return RoundOf(state_.fetch_add(1)); }

  void TakeBack(Round round) {
    std::uint64_t state = state_;
    while (RoundOf(state) == round && !state_.compare_exchange_weak(state, state - 1)) {
    }
  }

  // True: there were some, and now there are none.
  bool CarryOut() {
    std::uint64_t state = state_;
    do {
      if (NumberOf(state) == 0) return false;
    } while (!state_.compare_exchange_weak(state, NextRound(state)));
    return true;
  }

 private:
  static Round RoundOf(std::uint64_t state) { return static_cast<Round>(state >> 32); }
  static std::uint32_t NumberOf(std::uint64_t state) { return static_cast<std::uint32_t>(state); }
  static std::uint64_t NextRound(std::uint64_t state) {
    return std::uint64_t{RoundOf(state) + 1} << 32;
  }

  std::atomic<std::uint64_t> state_{0};  // round and number of orders
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_RESTART_ORDERS_H_
