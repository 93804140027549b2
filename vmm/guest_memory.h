#ifndef LETHE_VMM_GUEST_MEMORY_H_
#define LETHE_VMM_GUEST_MEMORY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace lethe::vmm {

// A guest absolute address: what memory slots are indexed by.
class GuestAddress {
 public:
  constexpr GuestAddress() = default;
  constexpr explicit GuestAddress(std::uint64_t value) : value_(value) {}
  constexpr std::uint64_t value() const { return value_; }
  // The address `offset` bytes on; wraps like the machine's address arithmetic.
  constexpr GuestAddress Plus(std::uint64_t offset) const { return GuestAddress(value_ + offset); }
  friend constexpr auto operator<=>(GuestAddress, GuestAddress) = default;

 private:
  std::uint64_t value_ = 0;
};

inline constexpr std::uint64_t kMemoryIncrement = 1 << 20;  // slots are made of segments of 1 MiB

enum class MemoryBacking {
  kPrivate,  // anonymous memory of this process
  kShared,   // a memory file descriptor that other processes can map
};

// The guest's memory from absolute 0 on, in this process. Fresh memory is not touched: pages exist
// once somebody writes them. Guest and VMM run concurrently, so callers copy a value out once,
// check the copy and use the copy; pointers into the memory are not handed out.
class GuestMemory {
 public:
  // `size` is a nonzero multiple of 1 MiB.
  static absl::StatusOr<GuestMemory> Create(std::uint64_t size, MemoryBacking backing);

  GuestMemory(GuestMemory&& other) noexcept;
  GuestMemory& operator=(GuestMemory&&) = delete;
  ~GuestMemory();

  std::uint64_t size() const { return size_; }
  bool Contains(GuestAddress address, std::uint64_t length) const {
    return length <= size_ && address.value() <= size_ - length;
  }

  // Copies; false when the range is not within the memory (then nothing is copied).
  [[nodiscard]] bool CopyOut(GuestAddress from, absl::Span<std::uint8_t> to) const;
  [[nodiscard]] bool CopyIn(GuestAddress to, absl::Span<const std::uint8_t> from);

  template <typename T>
  std::optional<T> Read(GuestAddress address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!CopyOut(address, absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&value), sizeof(value))))
      return std::nullopt;
    return value;
  }
  template <typename T>
  [[nodiscard]] bool Write(GuestAddress address, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return CopyIn(address,
                  absl::MakeSpan(reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)));
  }

  // Reads `length` bytes at `offset` of a file straight into the memory. Errors: the range does not
  // lie within the memory, the file ends early, or cannot be read.
  absl::Status LoadFromFile(const UniqueFd& file, std::uint64_t offset, std::uint64_t length,
                            GuestAddress to);

  // How much of it exists on the host, in bytes. Private memory: at most as much as the process
  // has in use, which is all that can be told quickly. No value: it cannot be told.
  std::optional<std::uint64_t> touched() const;
  // For who gives the memory back after this process has ended: all of it, and the memory file
  // behind it from offset 0 on (-1: private memory).
  absl::Span<std::uint8_t> bytes() { return absl::MakeSpan(base_, size_); }
  int file() const { return file_ ? file_.get() : -1; }

  // Host virtual address of guest absolute 0, aligned to 1 MiB: for the KVM memory slot only.
  std::uint64_t slot_address() const { return reinterpret_cast<std::uint64_t>(base_); }

 private:
  GuestMemory(std::uint8_t* reservation, std::size_t reserved, std::uint8_t* base,
              std::uint64_t size, UniqueFd file);

  std::uint8_t* reservation_;  // what is unmapped; base_ lies in it
  std::size_t reserved_;
  std::uint8_t* base_;
  std::uint64_t size_;
  UniqueFd file_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_GUEST_MEMORY_H_
