#ifndef LETHE_BASE_BIG_ENDIAN_H_
#define LETHE_BASE_BIG_ENDIAN_H_

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace lethe {

// Converts between host order and big-endian order (the conversion is its own inverse).
template <typename T>
constexpr T SwapIfLittleEndian(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else if constexpr (sizeof(T) == 8) {
    return __builtin_bswap64(value);
  } else {
    static_assert(sizeof(T) == 16);
    return (static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value))) << 64) |
           __builtin_bswap64(static_cast<std::uint64_t>(value >> 64));
  }
}

template <typename T>
T LoadBigEndian(const void* source) {
  T value;
  std::memcpy(&value, source, sizeof(value));
  return SwapIfLittleEndian(value);
}

template <typename T>
void StoreBigEndian(void* target, T value) {
  value = SwapIfLittleEndian(value);
  std::memcpy(target, &value, sizeof(value));
}

// A field of a structure that the architecture or a file format defines. Held as bytes, so it has
// alignment 1 and structures made of it have no padding.
template <typename T>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  BigEndian(T value) { StoreBigEndian(bytes_.data(), value); }  // NOLINT: reads as the integer
  BigEndian& operator=(T value) {
    StoreBigEndian(bytes_.data(), value);
    return *this;
  }
  operator T() const { return LoadBigEndian<T>(bytes_.data()); }  // NOLINT: reads as the integer
  T value() const { return *this; }

 private:
  std::array<std::uint8_t, sizeof(T)> bytes_{};
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;
static_assert(sizeof(Be64) == 8 && alignof(Be64) == 1);

}  // namespace lethe

#endif  // LETHE_BASE_BIG_ENDIAN_H_
