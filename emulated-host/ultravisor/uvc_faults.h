#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_UVC_FAULTS_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_UVC_FAULTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "emulated-host/ultravisor/breakable_lock.h"
#include "emulated-host/ultravisor/uvc.h"

namespace lethe::emulated {

// A failure on demand of one kind of Ultravisor call: the call does nothing and answers `result`.
// Calls are counted from the moment the fault is added.
struct UvcFault {
  Uvc call = Uvc::kQuery;
  UvcResult result = UvcResult::Busy();  // cc 1, 2 or 3
  std::uint64_t after = 0;               // so many calls are left alone,
  std::uint64_t every = 1;               // of the others every n-th is meant,
  double probability = 1.0;              // and fails with this probability (drawn from `seed`),
  std::uint64_t seed = 1;
  std::uint64_t times = 1;  // until so many have failed
};

// The faults that are waiting for their calls. Safe for concurrent use; costs one load per call
// when there are none.
class UvcFaults {
 public:
  static constexpr std::size_t kLimit = 64;

  // At most kLimit at a time (those that are used up do not count).
  void Add(const UvcFault& fault);
  void Clear();
  // For every call: what it fails with, if it is to fail. Of several faults the first one decides.
  std::optional<UvcResult> Take(Uvc call) {
    if ((kinds_.load(std::memory_order_relaxed) >> NumberOf(call) & 1) == 0) return std::nullopt;
    return Find(call);
  }
  // Faults that have not struck for the last time.
  std::size_t waiting() const;
  // Calls that failed on demand.
  std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  // See Ultravisor::BreakLocks.
  void BreakLock() { lock_.Break(); }

 private:
  struct Waiting {
    UvcFault fault;
    std::uint64_t seen = 0;
    std::uint64_t left = 0;  // 0: free
    std::uint64_t random = 0;
  };

  std::optional<UvcResult> Find(Uvc call);
  static bool Strikes(Waiting& waiting);

  std::atomic<std::uint64_t> kinds_{0};  // bit n: a fault may wait for the call with number n
  std::atomic<std::uint64_t> taken_{0};
  mutable BreakableLock lock_;  // guards waiting_
  std::array<Waiting, kLimit> waiting_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_UVC_FAULTS_H_
