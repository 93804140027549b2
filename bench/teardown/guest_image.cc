#include "bench/teardown/guest_image.h"

#include <cstddef>

namespace lethe::bench {

Bytes GuestKernel() {
  constexpr std::size_t kStart = 0x10000;
  Bytes image(kStart);
  const absl::Span<const std::uint8_t> code = BenchGuestCode();
  image.insert(image.end(), code.begin(), code.end());
  return image;
}

}  // namespace lethe::bench
