#include "pv/ledger/shared_mapping.h"

#include <sys/mman.h>

#include <cerrno>

#include "absl/status/status.h"

namespace lethe {
namespace {

absl::StatusOr<void*> Map(int fd, std::size_t bytes, int flags) {
  void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
  if (address == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map memory");
  return address;
}

}  // namespace

absl::StatusOr<SharedMapping> SharedMapping::OfFile(int fd, std::size_t bytes) {
  absl::StatusOr<void*> address = Map(fd, bytes, 0);
  if (!address.ok()) return address.status();
  return SharedMapping(*address, bytes);
}

absl::StatusOr<SharedMapping> SharedMapping::OfZeros(std::size_t bytes) {
  absl::StatusOr<void*> address = Map(-1, bytes, MAP_ANONYMOUS);
  if (!address.ok()) return address.status();
  return SharedMapping(*address, bytes);
}

SharedMapping::~SharedMapping() {
  if (address_ != nullptr) ::munmap(address_, bytes_);
}

}  // namespace lethe
