#ifndef LETHE_EMULATED_HOST_KVM_MEMORY_SLOTS_H_
#define LETHE_EMULATED_HOST_KVM_MEMORY_SLOTS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/host.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

// Bytes that belong to the pages of a slot, zero until touched, and costing memory only then.
class PageBytes {
 public:
  explicit PageBytes(std::size_t pages);
  ~PageBytes();
  PageBytes(PageBytes&& other) noexcept;
  PageBytes& operator=(PageBytes&&) = delete;

  bool ok() const { return data_ != nullptr; }
  std::atomic<std::uint8_t>* data() const { return data_; }

 private:
  std::size_t size_;
  std::atomic<std::uint8_t>* data_;
};

// The memory slots of one virtual machine (KVM_SET_USER_MEMORY_REGION). Guarded by the machine's
// lock; the storage that CPUs look at is replaced by the caller while no CPU executes.
class MemorySlots {
 public:
  static constexpr std::uint32_t kMaxSlots = 32767;

  MemorySlots(Host& host, std::uint64_t highest_address)
      : host_(host), highest_address_(highest_address) {}
  ~MemorySlots();
  MemorySlots(const MemorySlots&) = delete;

  struct Changed {
    bool storage = false;  // the guest's storage is now another one
    bool ends_migration = false;
  };
  // Checks in the order of the kernel and applies the change to the table, or a negated errno
  // value. When the storage has changed, the caller passes Storage() to the CPUs, and only
  // afterwards calls Settle().
  int Set(const abi::kvm_userspace_memory_region& wanted, bool protected_machine, Changed& changed);
  // `purger` may be asked about the pages from now on.
  std::vector<GuestStorage::Slot> Storage(PagePurger& purger) const;
  // Lets go of what the last change took away.
  void Settle();

  bool empty() const { return slots_.empty(); }
  // The pages of the slot that were stored into; they no longer count as such. -ENOENT: no such
  // slot, or it does not log. No CPU executes.
  int CheckDirtyLog(std::uint32_t slot) const;
  std::vector<std::uint8_t> TakeDirtyLog(std::uint32_t slot);

  struct Range {
    std::uint64_t absolute = 0;
    std::uint64_t size = 0;
    HostRegion* region = nullptr;
    std::size_t first_page = 0;  // of the region
  };
  // In the order of guest addresses.
  std::vector<Range> Ranges() const;

 private:
  struct Slot {
    abi::kvm_userspace_memory_region user{};
    HostRegion* region = nullptr;
    std::shared_ptr<PageBytes> keys;
    std::shared_ptr<PageBytes> code;

    std::size_t first_page() const {
      return (user.userspace_addr - reinterpret_cast<std::uintptr_t>(region->client())) / kPageSize;
    }
  };

  int CheckArguments(const abi::kvm_userspace_memory_region& wanted) const;
  int CheckMachine(const abi::kvm_userspace_memory_region& wanted) const;
  bool Overlaps(const abi::kvm_userspace_memory_region& wanted) const;
  int Create(const abi::kvm_userspace_memory_region& wanted);
  int Change(Slot& slot, const abi::kvm_userspace_memory_region& wanted, bool protected_machine,
             Changed& changed);

  Host& host_;
  const std::uint64_t highest_address_;
  std::map<std::uint32_t, Slot> slots_;
  std::vector<Slot> removed_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_MEMORY_SLOTS_H_
