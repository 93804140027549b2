#include "base/big_endian.h"

#include <gtest/gtest.h>

namespace lethe {
namespace {

TEST(BigEndianTest, StoresTheMostSignificantByteFirst) {
  Be32 field = 0x01020304;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&field);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[3], 4);
  EXPECT_EQ(field.value(), 0x01020304u);
}

TEST(BigEndianTest, SwapsQuadwords) {
  unsigned char bytes[16];
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<unsigned char>(i);
  __extension__ using Quadword = unsigned __int128;
  const auto value = LoadBigEndian<Quadword>(bytes);
  EXPECT_EQ(static_cast<std::uint64_t>(value >> 64), 0x0001020304050607u);
  EXPECT_EQ(static_cast<std::uint64_t>(value), 0x08090a0b0c0d0e0fu);
}

}  // namespace
}  // namespace lethe
