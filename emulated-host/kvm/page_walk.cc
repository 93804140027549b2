#include "emulated-host/kvm/page_walk.h"

#include <algorithm>
#include <array>

namespace lethe::emulated {
namespace {

constexpr std::size_t kBatch = 1024;  // pages that our host is asked about at once

}  // namespace

void DestroyPages(Ultravisor& ultravisor, HostRegion& region, std::size_t first,
                  std::size_t count) {
  std::array<unsigned char, kBatch> present;
  const std::size_t end = first + count;
  for (; first < end; first += kBatch) {
    const std::size_t batch = std::min(kBatch, end - first);
    region.FindPresent(first, batch, present.data());
    for (std::size_t i = 0; i < batch; ++i) {
      if ((present[i] & 1) == 0) continue;
      CallPatiently([&] { return ultravisor.DestroyPage(region, first + i); });
    }
  }
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
