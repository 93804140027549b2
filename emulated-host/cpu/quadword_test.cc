#include "emulated-host/cpu/quadword.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lethe::emulated {
namespace {

Uint128 Both(std::uint64_t left, std::uint64_t right) {
  return SwapIfLittleEndian(Uint128{left} << 64 | right);
}

TEST(Quadword, LeftDoublewordComesFirst) {
  alignas(16) std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
  const Quadword both = ReadQuadword(bytes);
  EXPECT_EQ(both.left, 1u);
  EXPECT_EQ(both.right, 2u);
}

// The left doubleword comes back to what it was while the right one never does: only a reader that
// takes both at once never sees them apart.
TEST(Quadword, IsReadAtOnce) {
  alignas(16) Uint128 storage = Both(0, 0);
  std::atomic<bool> enough{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !enough; ++i) {
      CompareAndSwapAligned(&storage, Both(i & 1, i), Both((i + 1) & 1, i + 1));
    }
  });
  int torn = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Quadword both = ReadQuadword(reinterpret_cast<const std::uint8_t*>(&storage));
    torn += both.left != (both.right & 1);
  }
  enough = true;
  writer.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace lethe::emulated
