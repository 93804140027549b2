#ifndef LETHE_PV_REAPER_GUEST_PAGES_H_
#define LETHE_PV_REAPER_GUEST_PAGES_H_

#include <cstdint>

#include "pv/reaper/helper_block.h"

namespace lethe {

// The guest's memory as pages that are there or not. Nothing here touches their contents: that
// could mean an export, or a fault that nobody handles any more.
class GuestPages {
 public:
  explicit GuestPages(HelperBlock& block) : block_(block) {}

  std::uint64_t size() const { return block_.memory_size; }  // bytes

  // Pages present in all of the memory.
  std::uint64_t CountAll() const;
  // Pages present in [from, to): byte offsets, multiples of 4 KiB.
  std::uint64_t Count(std::uint64_t from, std::uint64_t to) const;

  // Gives [from, to) back to the host: how many pages these were, or -1 when the host refused.
  // Through the memory file where there is one, since other mappings of it would keep the pages.
  std::int64_t Release(std::uint64_t from, std::uint64_t to);

 private:
  std::int64_t Punch(std::uint64_t from, std::uint64_t to);
  std::int64_t Discard(std::uint64_t from, std::uint64_t to);
  std::uint64_t FilePages() const;

  HelperBlock& block_;
};

}  // namespace lethe

#endif  // LETHE_PV_REAPER_GUEST_PAGES_H_
