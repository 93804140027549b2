#include "emulated-host/ultravisor/uvc_faults.h"

#include <algorithm>
#include <mutex>

#include "base/check.h"

namespace lethe::emulated {
namespace {

// A number in [0, 1): the next of a linear congruential sequence (Knuth's MMIX constants).
double Draw(std::uint64_t& random) {
  random = random * 6364136223846793005u + 1442695040888963407u;
  constexpr double kScale = 1.0 / (std::uint64_t{1} << 53);
  return static_cast<double>(random >> 11) * kScale;
}

}  // namespace

void UvcFaults::Add(const UvcFault& fault) {
  LETHE_CHECK(fault.every != 0 && fault.times != 0 && !fault.result.ok());
  const std::lock_guard lock(lock_);
  // In the order they came.
  const auto free = std::remove_if(waiting_.begin(), waiting_.end(),
                                   [](const Waiting& waiting) { return waiting.left == 0; });
  LETHE_CHECK(free != waiting_.end());
  *free = {fault, 0, fault.times, fault.seed};
  std::fill(free + 1, waiting_.end(), Waiting());
  kinds_.fetch_or(std::uint64_t{1} << NumberOf(fault.call), std::memory_order_relaxed);
}

void UvcFaults::Clear() {
  const std::lock_guard lock(lock_);
  waiting_.fill({});
  kinds_.store(0, std::memory_order_relaxed);
}

std::size_t UvcFaults::waiting() const {
  const std::lock_guard lock(lock_);
  return static_cast<std::size_t>(std::count_if(
      waiting_.begin(), waiting_.end(), [](const Waiting& waiting) { return waiting.left != 0; }));
}

bool UvcFaults::Strikes(Waiting& waiting) {
  const UvcFault& fault = waiting.fault;
  const std::uint64_t number = waiting.seen++;
  if (number < fault.after || (number - fault.after) % fault.every != 0) return false;
  if (fault.probability < 1.0 && Draw(waiting.random) >= fault.probability) return false;
  --waiting.left;
  return true;
}

std::optional<UvcResult> UvcFaults::Find(Uvc call) {
  const std::lock_guard lock(lock_);
  std::optional<UvcResult> result;
  bool more = false;
  for (Waiting& waiting : waiting_) {
    if (waiting.left == 0 || waiting.fault.call != call) continue;
    if (!result && Strikes(waiting)) result = waiting.fault.result;
    more = more || waiting.left != 0;
  }
  if (!more) kinds_.fetch_and(~(std::uint64_t{1} << NumberOf(call)), std::memory_order_relaxed);
  if (result) taken_.fetch_add(1, std::memory_order_relaxed);
  return result;
}

}  // namespace lethe::emulated
