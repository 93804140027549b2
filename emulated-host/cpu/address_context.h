#ifndef LETHE_EMULATED_HOST_CPU_ADDRESS_CONTEXT_H_
#define LETHE_EMULATED_HOST_CPU_ADDRESS_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

// One entry of the software translation buffer. A fast access is one compare: the address without
// its offset in the page, but with the bits that a misaligned address has on, equals `tag`.
struct TlbEntry {
  // Flags in a tag make every fast compare fail (operands are at most 16 bytes).
  static constexpr std::uint64_t kEmpty = 0x800;
  static constexpr std::uint64_t kWatched = 0x400;  // valid, but each store must be looked at

  std::uint64_t tag = kEmpty;
  std::uintptr_t addend = 0;  // host address - guest logical address
};

// The translation buffer for one way to read addresses: one address space (or real addresses) with
// one access key. Holds for one CPU; what all contexts of a CPU share (prefix, configuration,
// control register 0) is not part of it, the CPU clears them all when that changes.
class AddressContext {
 public:
  static constexpr std::size_t kEntries = 1024;
  // Not an ASCE: real addresses, without translation.
  static constexpr std::uint64_t kReal = ~std::uint64_t{0};

  static std::size_t Index(std::uint64_t address) { return address / kPageSize % kEntries; }

  void Clear() {
    read.fill({});
    write.fill({});
  }

  std::uint64_t asce = kReal;
  std::uint8_t key = 0;  // access key, 0-15
  std::uint32_t id = 0;  // unique among all contexts a CPU ever had
  std::uint64_t last_use = 0;
  std::array<TlbEntry, kEntries> read;
  std::array<TlbEntry, kEntries> write;
  std::array<std::uint64_t, kEntries> absolute{};  // of the page in `write`
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_ADDRESS_CONTEXT_H_
