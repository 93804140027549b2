#include "emulated-host/kvm/memory_slots.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kSegmentSize = std::uint64_t{1} << 20;
constexpr std::uint64_t kUserAddressEnd = std::uint64_t{1} << 53;
constexpr std::uint64_t kSlotNumberMask = 0xffff;

bool Aligned(std::uint64_t value, std::uint64_t to) { return value % to == 0; }

bool Logs(const abi::kvm_userspace_memory_region& slot) {
  return (slot.flags & abi::KVM_MEM_LOG_DIRTY_PAGES) != 0;
}

}  // namespace

PageBytes::PageBytes(std::size_t pages) : size_(pages), data_(nullptr) {
  static_assert(sizeof(std::atomic<std::uint8_t>) == 1);
  void* bytes = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED) return;
  madvise(bytes, size_, MADV_DONTDUMP);
  data_ = static_cast<std::atomic<std::uint8_t>*>(bytes);
}

PageBytes::PageBytes(PageBytes&& other) noexcept
    : size_(other.size_), data_(std::exchange(other.data_, nullptr)) {}

PageBytes::~PageBytes() {
  if (data_ != nullptr) munmap(data_, size_);
}

MemorySlots::~MemorySlots() {
  for (auto& [number, slot] : slots_) removed_.push_back(std::move(slot));
  Settle();
}

int MemorySlots::CheckArguments(const abi::kvm_userspace_memory_region& wanted) const {
  if (wanted.flags & ~abi::KVM_MEM_LOG_DIRTY_PAGES) return -EINVAL;
  if (!Aligned(wanted.memory_size, kPageSize)) return -EINVAL;
  if (!Aligned(wanted.guest_phys_addr, kPageSize)) return -EINVAL;
  if (!Aligned(wanted.userspace_addr, kPageSize)) return -EINVAL;
  if (wanted.userspace_addr + wanted.memory_size > kUserAddressEnd) return -EINVAL;
  if (wanted.userspace_addr + wanted.memory_size < wanted.userspace_addr) return -EINVAL;
  if ((wanted.slot & kSlotNumberMask) >= kMaxSlots) return -EINVAL;
  if ((wanted.slot >> 16) != 0) return -EINVAL;  // address spaces: there is one
  if (wanted.guest_phys_addr + wanted.memory_size < wanted.guest_phys_addr) return -EINVAL;
  return 0;
}

int MemorySlots::CheckMachine(const abi::kvm_userspace_memory_region& wanted) const {
  if (!Aligned(wanted.userspace_addr, kSegmentSize)) return -EINVAL;
  if (!Aligned(wanted.memory_size, kSegmentSize)) return -EINVAL;
  if (wanted.guest_phys_addr + wanted.memory_size > highest_address_) return -EINVAL;
  return 0;
}

bool MemorySlots::Overlaps(const abi::kvm_userspace_memory_region& wanted) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const auto& entry) {
    const abi::kvm_userspace_memory_region& other = entry.second.user;
    return entry.first != wanted.slot &&
           wanted.guest_phys_addr < other.guest_phys_addr + other.memory_size &&
           other.guest_phys_addr < wanted.guest_phys_addr + wanted.memory_size;
  });
}

int MemorySlots::Set(const abi::kvm_userspace_memory_region& wanted, bool protected_machine,
                     Changed& changed) {
  changed = {};
  if (const int error = CheckArguments(wanted); error != 0) return error;
  const auto existing = slots_.find(wanted.slot);
  if (wanted.memory_size == 0) {
    if (existing == slots_.end() || protected_machine) return -EINVAL;
    removed_.push_back(std::move(existing->second));
    slots_.erase(existing);
    changed.storage = true;
    return 0;
  }
  if (existing != slots_.end()) {
    return Change(existing->second, wanted, protected_machine, changed);
  }
  if (Overlaps(wanted)) return -EEXIST;
  if (protected_machine) return -EINVAL;
  if (const int error = CheckMachine(wanted); error != 0) return error;
  if (const int error = Create(wanted); error != 0) return error;
  changed = {.storage = true, .ends_migration = !Logs(wanted)};
  return 0;
}

int MemorySlots::Change(Slot& slot, const abi::kvm_userspace_memory_region& wanted,
                        bool protected_machine, Changed& changed) {
  if (wanted.userspace_addr != slot.user.userspace_addr ||
      wanted.memory_size != slot.user.memory_size) {
    return -EINVAL;
  }
  const bool moves = wanted.guest_phys_addr != slot.user.guest_phys_addr;
  if (!moves && wanted.flags == slot.user.flags) return 0;
  if (moves && Overlaps(wanted)) return -EEXIST;
  if (protected_machine) return -EINVAL;
  if (moves) {
    if (const int error = CheckMachine(wanted); error != 0) return error;
  }
  slot.user = wanted;
  changed = {.storage = moves, .ends_migration = !Logs(wanted)};
  return 0;
}

int MemorySlots::Create(const abi::kvm_userspace_memory_region& wanted) {
  absl::StatusOr<HostRegion*> region =
      host_.UseRegion(reinterpret_cast<void*>(wanted.userspace_addr), wanted.memory_size);
  if (!region.ok()) {
    host_.log().Warning(absl::StrCat("memory slot ", wanted.slot, ": ", region.status().message()));
    return -EINVAL;
  }
  const std::size_t pages = wanted.memory_size / kPageSize;
  Slot slot{wanted, *region, std::make_shared<PageBytes>(pages),
            std::make_shared<PageBytes>(pages)};
  if (!slot.keys->ok() || !slot.code->ok()) {
    host_.ReleaseRegion(*region);
    return -ENOMEM;
  }
  if (!(*region)->concealable()) {
    host_.log().Warning(
        absl::StrCat("memory slot ", wanted.slot,
                     ": private memory, a protected guest's pages stay in the client's reach"));
  }
  slots_.emplace(wanted.slot, std::move(slot));
  return 0;
}

std::vector<GuestStorage::Slot> MemorySlots::Storage(PagePurger& purger) const {
  std::vector<GuestStorage::Slot> storage;
  for (const auto& [number, slot] : slots_) {
    const std::size_t first = slot.first_page();
    storage.push_back({slot.user.guest_phys_addr, slot.user.memory_size,
                       slot.region->bytes() + first * kPageSize, slot.keys->data(),
                       slot.region->states() + first, slot.code->data()});
    slot.region->Show({first, slot.user.memory_size / kPageSize, slot.user.guest_phys_addr, &purger,
                       slot.code->data()});
  }
  return storage;
}

void MemorySlots::Settle() {
  for (Slot& slot : removed_) {
    slot.region->Hide(slot.code->data());
    host_.ReleaseRegion(slot.region);
  }
  removed_.clear();
}

int MemorySlots::CheckDirtyLog(std::uint32_t number) const {
  if (number >= kMaxSlots) return -EINVAL;
  const auto slot = slots_.find(number);
  return slot == slots_.end() || !Logs(slot->second.user) ? -ENOENT : 0;
}

std::vector<std::uint8_t> MemorySlots::TakeDirtyLog(std::uint32_t number) {
  constexpr std::size_t kPagesPerWord = 64;
  const Slot& slot = slots_.at(number);
  const std::size_t pages = slot.user.memory_size / kPageSize;
  std::vector<std::uint8_t> bitmap((pages + kPagesPerWord - 1) / kPagesPerWord * 8);
  for (std::size_t page = 0; page < pages; ++page) {
    std::atomic<std::uint8_t>& key = slot.keys->data()[page];
    if ((key.load(std::memory_order_relaxed) & kLoggedStore) == 0) continue;
    key.fetch_and(static_cast<std::uint8_t>(~kLoggedStore), std::memory_order_relaxed);
    bitmap[page / 8] |= static_cast<std::uint8_t>(1 << page % 8);
  }
  return bitmap;
}

std::vector<MemorySlots::Range> MemorySlots::Ranges() const {
  std::vector<Range> ranges;
  for (const auto& [number, slot] : slots_) {
    ranges.push_back(
        {slot.user.guest_phys_addr, slot.user.memory_size, slot.region, slot.first_page()});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.absolute < b.absolute; });
  return ranges;
}

}  // namespace lethe::emulated
