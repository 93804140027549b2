#include "pv/ipl_parameter_block.h"

#include <gtest/gtest.h>

#include "base/big_endian.h"
#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kStorage = std::uint64_t{64} << 20;

IplParameters GoodParameters() {
  return {.header_address = 0x9000,
          .header_size = 640,
          .components = {{0x100, 0x10000, 0x2000}, {0x200, 0x20000, 0x1000}}};
}

// As the guest's page holds it.
Bytes Page(Bytes block) {
  block.resize(4096, 0xaa);
  return block;
}

Bytes OrdinaryBlock(std::uint8_t type, std::uint32_t length) {
  Bytes block(4096);
  StoreBigEndian<std::uint32_t>(&block[0], length);
  block[12] = type;
  return block;
}

TEST(IplParameterBlocks, HasNothingInTheBeginning) {
  IplParameterBlocks blocks(kStorage);
  EXPECT_EQ(blocks.ordinary(), nullptr);
  EXPECT_EQ(blocks.protected_block(), nullptr);
  EXPECT_EQ(blocks.protected_parameters(), nullptr);
}

TEST(IplParameterBlocks, KeepsTheTwoKindsApart) {
  IplParameterBlocks blocks(kStorage);
  ASSERT_EQ(blocks.SetProtected(Page(MakeIplBlock(GoodParameters()))), IplCode::kGood);
  EXPECT_EQ(blocks.ordinary(), nullptr);
  ASSERT_EQ(blocks.SetOrdinary(OrdinaryBlock(2, 200)), IplCode::kGood);
  ASSERT_NE(blocks.ordinary(), nullptr);
  EXPECT_EQ(blocks.ordinary()->size(), 200u);
  ASSERT_NE(blocks.protected_parameters(), nullptr);
  EXPECT_EQ(*blocks.protected_parameters(), GoodParameters());
}

TEST(IplParameterBlocks, GivesBackTheBlockWithoutWhatLiesBehindIt) {
  IplParameterBlocks blocks(kStorage);
  const Bytes block = MakeIplBlock(GoodParameters());
  ASSERT_EQ(blocks.SetProtected(Page(block)), IplCode::kGood);
  EXPECT_EQ(*blocks.protected_block(), block);
}

TEST(IplParameterBlocks, ARefusedBlockLeavesTheOneBefore) {
  IplParameterBlocks blocks(kStorage);
  ASSERT_EQ(blocks.SetProtected(Page(MakeIplBlock(GoodParameters()))), IplCode::kGood);
  IplParameters bad = GoodParameters();
  bad.components[1].tweak_prefix = bad.components[0].tweak_prefix;
  EXPECT_EQ(blocks.SetProtected(Page(MakeIplBlock(bad))), IplCode::kInvalidBlock);
  EXPECT_THAT(blocks.refusal(), HasSubstr("tweak prefix"));
  EXPECT_EQ(*blocks.protected_parameters(), GoodParameters());
}

TEST(IplParameterBlocks, HeaderAndComponentsLieInStorage) {
  IplParameterBlocks blocks(kStorage);
  IplParameters parameters = GoodParameters();
  parameters.components[1].address = kStorage - 0x1000;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kGood);
  parameters.components[1].address = kStorage;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kInvalidBlock);
  parameters = GoodParameters();
  parameters.header_address = kStorage - 639;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kInvalidBlock);
  parameters.header_address = ~std::uint64_t{0} - 100;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kInvalidBlock);
}

TEST(IplParameterBlocks, RefusesAHeaderOfNothingOrTooMuch) {
  IplParameterBlocks blocks(kStorage);
  IplParameters parameters = GoodParameters();
  parameters.header_size = 0;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kInvalidBlock);
  parameters.header_size = 8193;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kInvalidBlock);
  parameters.header_size = 8192;
  EXPECT_EQ(blocks.SetProtected(MakeIplBlock(parameters)), IplCode::kGood);
}

TEST(IplParameterBlocks, OrdinaryBlocksAreOfTwoTypesAndLongEnough) {
  IplParameterBlocks blocks(kStorage);
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(0, 384)), IplCode::kGood);
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(0, 383)), IplCode::kInvalidBlock);
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(2, 199)), IplCode::kInvalidBlock);
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(5, 384)), IplCode::kInvalidBlock);
  EXPECT_THAT(blocks.refusal(), HasSubstr("type 5"));
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(2, 4097)), IplCode::kInvalidBlock);
  EXPECT_EQ(blocks.SetOrdinary(OrdinaryBlock(2, 0xffffffff)), IplCode::kInvalidBlock);
  EXPECT_EQ(blocks.SetOrdinary(Bytes(12)), IplCode::kInvalidBlock);
  EXPECT_EQ(blocks.ordinary()->size(), 384u);
}

// Whatever single byte is wrong, nothing that points outside of storage is accepted.
TEST(IplParameterBlocks, NoSingleWrongByteLeadsOutOfStorage) {
  const Bytes good = MakeIplBlock(GoodParameters());
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      Bytes block = good;
      block[i] = static_cast<std::uint8_t>(value);
      IplParameterBlocks blocks(kStorage);
      if (blocks.SetProtected(block) != IplCode::kGood) continue;
      const IplParameters& parameters = *blocks.protected_parameters();
      EXPECT_THAT(CheckInside(parameters, kStorage), IsOk()) << i << " " << value;
      ASSERT_FALSE(parameters.components.empty());
      for (const ImageComponent& component : parameters.components) {
        EXPECT_NE(component.size, 0u);
        EXPECT_EQ((component.size | component.address) % 4096, 0u);
      }
    }
  }
}

}  // namespace
}  // namespace lethe
