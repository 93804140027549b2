#ifndef LETHE_EMULATED_HOST_CPU_GENERAL_SPANS_H_
#define LETHE_EMULATED_HOST_CPU_GENERAL_SPANS_H_

// Walking storage operands page by page, and the byte-wise definitions of the manual at host speed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

// An interruptible or CPU-determined instruction does about this many bytes at a time.
inline constexpr std::size_t kUnitOfOperation = 4096;

inline LogicalAddress Advance(Cpu& cpu, LogicalAddress at, std::uint64_t distance) {
  return {.address = cpu.WrapAddress(at.address + distance), .base = at.base};
}

// The common part of a source and a target, both within one page; not empty.
struct SpanPair {
  absl::Span<std::uint8_t> to;
  absl::Span<const std::uint8_t> from;
};

inline SpanPair CommonSpans(Cpu& cpu, LogicalAddress to, LogicalAddress from, std::size_t length) {
  absl::Span<const std::uint8_t> source = cpu.FetchSpan(from, length);
  const absl::Span<std::uint8_t> target = cpu.StoreSpan(to, source.size());
  source = source.first(target.size());
  return {target, source};
}

struct FetchPair {
  absl::Span<const std::uint8_t> first;
  absl::Span<const std::uint8_t> second;
};

inline FetchPair CommonFetchSpans(Cpu& cpu, LogicalAddress first, LogicalAddress second,
                                  std::size_t length) {
  absl::Span<const std::uint8_t> a = cpu.FetchSpan(first, length);
  const absl::Span<const std::uint8_t> b = cpu.FetchSpan(second, a.size());
  a = a.first(b.size());
  return {a, b};
}

// Copies as if byte by byte from left to right, so that an overlap with a target behind the source
// propagates bytes (the classic way to fill storage).
inline void CopyForward(absl::Span<std::uint8_t> to, absl::Span<const std::uint8_t> from) {
  const std::size_t length = to.size();
  const std::uintptr_t distance =
      reinterpret_cast<std::uintptr_t>(to.data()) - reinterpret_cast<std::uintptr_t>(from.data());
  if (distance - 1 >= length - 1) {  // the same place, or no byte is read after it was written
    std::memmove(to.data(), from.data(), length);
  } else if (distance == 1) {
    std::memset(to.data(), from[0], length);
  } else {
    for (std::size_t i = 0; i < length; ++i) to[i] = from[i];
  }
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GENERAL_SPANS_H_
