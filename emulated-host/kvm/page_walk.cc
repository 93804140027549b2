#include "emulated-host/kvm/page_walk.h"

#include <algorithm>
#include <array>

namespace lethe::emulated {
namespace {

constexpr std::size_t kQuery = 1024;  // pages that our host is asked about at once
constexpr std::size_t kBatch = 32;

}  // namespace

bool DestroyPages(Ultravisor& ultravisor, HostRegion& region, std::size_t first, std::size_t count,
                  const std::function<bool()>& interrupted) {
  std::array<unsigned char, kQuery> present;
  std::size_t destroyed = 0;
  const std::size_t end = first + count;
  for (; first < end; first += kQuery) {
    const std::size_t query = std::min(kQuery, end - first);
    region.FindPresent(first, query, present.data());
    for (std::size_t i = 0; i < query; ++i) {
      if ((present[i] & 1) == 0) continue;
      CallPatiently([&] { return ultravisor.DestroyPage(region, first + i); });
      if (++destroyed % kBatch == 0 && interrupted && interrupted()) return false;
    }
  }
  return !interrupted || !interrupted();
}

void DestroyLowPages(Ultravisor& ultravisor, absl::Span<const MemorySlots::Range> ranges) {
  std::uint64_t expected = 0;
  for (const MemorySlots::Range& range : ranges) {
    if (range.absolute != expected || range.absolute >= kLowStorage) return;
    expected = range.absolute + range.size;
    const std::uint64_t end = std::min(expected, kLowStorage);
    DestroyPages(ultravisor, *range.region, range.first_page, (end - range.absolute) / kPageSize);
  }
}

}  // namespace lethe::emulated
