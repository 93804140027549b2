#ifndef LETHE_EMULATED_HOST_CPU_GUEST_BYTES_H_
#define LETHE_EMULATED_HOST_CPU_GUEST_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/big_endian.h"

namespace lethe::emulated {

__extension__ typedef unsigned __int128 Uint128;
__extension__ typedef __int128 Int128;

// Guest storage is shared by guest CPUs, so it is read and written with host atomics (relaxed: the
// host orders loads and stores at least as strongly as the architecture asks for, except for
// serialization, which instructions do with a fence). `T`: an unsigned integer; 16 bytes are two
// accesses of 8.

// `from` is on a boundary of sizeof(T).
template <typename T>
T ReadAligned(const std::uint8_t* from) {
  if constexpr (sizeof(T) == 16) {
    const Uint128 high = ReadAligned<std::uint64_t>(from);
    return high << 64 | ReadAligned<std::uint64_t>(from + 8);
  } else {
    return SwapIfLittleEndian(__atomic_load_n(reinterpret_cast<const T*>(from), __ATOMIC_RELAXED));
  }
}

template <typename T>
void WriteAligned(std::uint8_t* to, T value) {
  if constexpr (sizeof(T) == 16) {
    WriteAligned<std::uint64_t>(to, static_cast<std::uint64_t>(value >> 64));
    WriteAligned<std::uint64_t>(to + 8, static_cast<std::uint64_t>(value));
  } else {
    __atomic_store_n(reinterpret_cast<T*>(to), SwapIfLittleEndian(value), __ATOMIC_RELAXED);
  }
}

// Stores `desired` if `expected` stands at `at`, which is on a boundary of sizeof(T); returns what
// stood there. Values in the guest's byte order. Serializes.
template <typename T>
T CompareAndSwapAligned(T* at, T expected, T desired) {
  // The one form that g++ makes CDSG of is not the one that it makes CMPXCHG16B of; the others are
  // library calls.
  if constexpr (sizeof(T) == 16 && std::endian::native == std::endian::big) {
    __atomic_compare_exchange_n(static_cast<T*>(__builtin_assume_aligned(at, sizeof(T))), &expected,
                                desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
  } else {
    return __sync_val_compare_and_swap(at, expected, desired);
  }
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GUEST_BYTES_H_
