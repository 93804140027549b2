#include "emulated-host/kvm/address_space_mark.h"

#include <sys/mman.h>

#include <new>

#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

AddressSpaceMark::AddressSpaceMark() {
  void* page = mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  madvise(page, kPageSize, MADV_WIPEONFORK);
  mark_ = new (page) std::atomic<bool>(true);
}

AddressSpaceMark::~AddressSpaceMark() {
  if (mark_ != nullptr) munmap(mark_, kPageSize);
}

bool AddressSpaceMark::IsHere() const { return mark_ == nullptr || *mark_; }

}  // namespace lethe::emulated
