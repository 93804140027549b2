#ifndef LETHE_EMULATED_HOST_CPU_QUADWORD_H_
#define LETHE_EMULATED_HOST_CPU_QUADWORD_H_

#include <cstdint>

#include "emulated-host/cpu/guest_bytes.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace lethe::emulated {

// Two doublewords of guest storage, left one first, in host order.
struct Quadword {
  std::uint64_t left;
  std::uint64_t right;
};

// Both at once, as LOAD PAIR FROM QUADWORD wants them; `from` is on a quadword boundary and need
// not be writable.
inline Quadword ReadQuadword(const std::uint8_t* from) {
#if defined(__x86_64__)
  // Aligned vector loads are atomic on the processors that have AVX, as their makers promise.
  __m128i both;
  asm volatile("movdqa %1, %0" : "=x"(both) : "m"(*reinterpret_cast<const __m128i*>(from)));
  std::uint8_t bytes[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), both);
  return {LoadBigEndian<std::uint64_t>(bytes), LoadBigEndian<std::uint64_t>(bytes + 8)};
#elif defined(__s390x__)
  Uint128 both;
  asm volatile("lpq %0,%1" : "=d"(both) : "S"(*reinterpret_cast<const Uint128*>(from)));
  return {static_cast<std::uint64_t>(both >> 64), static_cast<std::uint64_t>(both)};
#else
#error "how does this host read sixteen bytes at once?"
#endif
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_QUADWORD_H_
