#ifndef LETHE_EMULATED_HOST_STORAGE_GUEST_STORAGE_H_
#define LETHE_EMULATED_HOST_STORAGE_GUEST_STORAGE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "emulated-host/storage/page_state.h"

namespace lethe::emulated {

inline constexpr std::uint64_t kPageSize = 4096;
inline constexpr std::uint64_t kPageMask = ~(kPageSize - 1);

// Beside the bits of a storage key that ISKE shows: stored into since the host read its log of such
// pages last. Set with the change bit, and not reset with it.
inline constexpr std::uint8_t kLoggedStore = 0x01;

// One page of guest absolute storage as a CPU sees it.
struct PageFrame {
  std::uint8_t* bytes = nullptr;             // 4096 bytes, through the emulated machine's mapping
  std::atomic<std::uint8_t>* key = nullptr;  // storage key: ACC(4) F R C kLoggedStore
  std::atomic<std::uint32_t>* state = nullptr;  // PageState word
  std::atomic<std::uint8_t>* code = nullptr;  // nonzero: some CPU holds decoded instructions of it
};

// Guest absolute storage of one virtual machine: a table of slots. Lookups take no lock and may
// come from any CPU thread; Replace() is called with all CPUs of the machine outside of guest
// execution (the KVM layer holds them off).
class GuestStorage {
 public:
  struct Slot {
    std::uint64_t absolute = 0;
    std::uint64_t size = 0;
    std::uint8_t* bytes = nullptr;
    std::atomic<std::uint8_t>* keys = nullptr;
    std::atomic<std::uint32_t>* states = nullptr;
    std::atomic<std::uint8_t>* code = nullptr;
  };

  // The page that holds `absolute`, or a frame without bytes when no slot covers it (addressing
  // exception).
  PageFrame Find(std::uint64_t absolute) const {
    for (const Slot& slot : slots_) {
      const std::uint64_t offset = absolute - slot.absolute;
      if (offset >= slot.size) continue;
      const std::uint64_t page = offset / kPageSize;
      return {slot.bytes + page * kPageSize, slot.keys + page, slot.states + page,
              slot.code + page};
    }
    return {};
  }

  // One past the highest covered address; 0 when there are no slots.
  std::uint64_t End() const {
    std::uint64_t end = 0;
    for (const Slot& slot : slots_) end = std::max(end, slot.absolute + slot.size);
    return end;
  }

  const std::vector<Slot>& slots() const { return slots_; }
  void Replace(std::vector<Slot> slots) { slots_ = std::move(slots); }

 private:
  std::vector<Slot> slots_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_STORAGE_GUEST_STORAGE_H_
