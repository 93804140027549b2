#ifndef LETHE_PV_LEDGER_SHARED_MAPPING_H_
#define LETHE_PV_LEDGER_SHARED_MAPPING_H_

#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"

namespace lethe {

// Owns one shared, writable mapping: of the beginning of a file, or of anonymous memory.
class SharedMapping {
 public:
  static absl::StatusOr<SharedMapping> OfFile(int fd, std::size_t bytes);
  static absl::StatusOr<SharedMapping> OfZeros(std::size_t bytes);

  SharedMapping() = default;
  SharedMapping(SharedMapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), bytes_(other.bytes_) {}
  SharedMapping& operator=(SharedMapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedMapping();

  void* address() const { return address_; }
  // Leaves the mapping in place for the rest of the process.
  void release() { address_ = nullptr; }

 private:
  SharedMapping(void* address, std::size_t bytes) : address_(address), bytes_(bytes) {}

  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_SHARED_MAPPING_H_
