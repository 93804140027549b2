#ifndef LETHE_EMULATED_HOST_KVM_PAGE_WALK_H_
#define LETHE_EMULATED_HOST_KVM_PAGE_WALK_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/types/span.h"
#include "emulated-host/kvm/memory_slots.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {

// The walks over memory that destroy pages, as KVM does them: one Ultravisor call (0x0202) for each
// page that is present, repeated while the Ultravisor is busy. A page whose owner has CPUs refuses,
// and that is ignored. Take no lock but the page's, allocate nothing.

inline constexpr std::uint64_t kLowStorage = std::uint64_t{2} << 30;

// Calls until the Ultravisor is neither busy nor done in part only. Does not give way in between:
// not every process that calls may make that system call.
template <typename Call>
UvcResult CallPatiently(Call call) {
  UvcResult result = call();
  while (result.cc > 1) result = call();
  return result;
}

// `interrupted`, if there is one, is asked after every 32 pages and at the end; false: it said yes,
// and the rest was not done.
bool DestroyPages(Ultravisor& ultravisor, HostRegion& region, std::size_t first, std::size_t count,
                  const std::function<bool()>& interrupted = nullptr);

// The first 2 GiB of the guest, up to the first gap between slots (`ranges` is sorted by address):
// prefix areas lie there, and a new guest must not find old secure pages in them.
void DestroyLowPages(Ultravisor& ultravisor, absl::Span<const MemorySlots::Range> ranges);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_PAGE_WALK_H_
