#ifndef LETHE_VMM_IPL_PARAMETERS_H_
#define LETHE_VMM_IPL_PARAMETERS_H_

#include <mutex>
#include <optional>

#include "base/file.h"

namespace lethe::vmm {

// The two IPL parameter blocks that a guest sets and reads back with DIAGNOSE 308: where to boot
// from (subcodes 5, 6) and what makes it a protected guest (8, 9). Kept as the guest gave them.
// Safe for concurrent use.
class IplParameters {
 public:
  enum class Slot { kBoot, kProtected };

  void Set(Slot slot, Bytes block) {
    std::lock_guard lock(mutex_);
    Get(slot) = std::move(block);
  }
  std::optional<Bytes> Find(Slot slot) const {
    std::lock_guard lock(mutex_);
    return slot == Slot::kBoot ? boot_ : protected_;
  }
  void Drop(Slot slot) {
    std::lock_guard lock(mutex_);
    Get(slot).reset();
  }

 private:
  std::optional<Bytes>& Get(Slot slot) { return slot == Slot::kBoot ? boot_ : protected_; }

  mutable std::mutex mutex_;
  std::optional<Bytes> boot_;
  std::optional<Bytes> protected_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_IPL_PARAMETERS_H_
