#ifndef LETHE_VMM_BOOT_FILE_H_
#define LETHE_VMM_BOOT_FILE_H_

#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

// A file that a guest boots from. Every error is one line that names the file.
class BootFile {
 public:
  // Errors: no such file, no permission, not a regular file, empty.
  static absl::StatusOr<BootFile> Open(const std::string& path);

  std::uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

  // The value at `offset`; OutOfRange when the file ends before.
  template <typename T>
  absl::StatusOr<T> Read(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    absl::Status status =
        ReadBytes(offset, absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&value), sizeof(value)));
    if (!status.ok()) return status;
    return value;
  }

  // Loads a part of the file, or all of it, into guest memory.
  absl::Status Load(std::uint64_t offset, std::uint64_t length, GuestMemory& memory,
                    GuestAddress to) const;
  absl::Status LoadAll(GuestMemory& memory, GuestAddress to) const {
    return Load(0, size_, memory, to);
  }

  // An error about this file.
  absl::Status Error(absl::string_view what) const;

 private:
  BootFile(std::string path, UniqueFd file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}
  absl::Status ReadBytes(std::uint64_t offset, absl::Span<std::uint8_t> to) const;

  std::string path_;
  UniqueFd file_;
  std::uint64_t size_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_BOOT_FILE_H_
