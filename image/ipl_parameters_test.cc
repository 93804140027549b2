#include "image/ipl_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"
#include "image/header.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

IplParameters Good() {
  return {0x14000, 640, {{40, 0x15000, 0x3000}, {50, 0x18000, 0x1000}, {70, 0x19000, 0x1000}}};
}

absl::Status Parse(const Bytes& block) { return ParseIplParameters(block).status(); }

Bytes With(std::size_t offset, std::uint32_t value) {
  Bytes block = MakeIplBlock(Good());
  StoreBigEndian(block.data() + offset, value);
  return block;
}

Bytes With(const ImageComponent& second) {
  IplParameters parameters = Good();
  parameters.components[1] = second;
  return MakeIplBlock(parameters);
}

TEST(IplParameters, ReadsWhatItWrites) {
  const absl::StatusOr<IplParameters> parsed = ParseIplParameters(MakeIplBlock(Good()));
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(*parsed, Good());
}

TEST(IplParameters, RefusesEveryTruncation) {
  const Bytes block = MakeIplBlock(Good());
  for (std::size_t size = 0; size < block.size(); ++size) {
    EXPECT_FALSE(Parse(Bytes(block.begin(), block.begin() + size)).ok()) << size;
  }
}

TEST(IplParameters, SaysWhichCheckFailed) {
  EXPECT_THAT(Parse(With(0x0c, 0)), FailsWith(HasSubstr("type 0")));
  EXPECT_THAT(Parse(With(0x00, 4097)), FailsWith(HasSubstr("exceeds a page")));
  EXPECT_THAT(Parse(With(0x74, 0)), FailsWith(HasSubstr("no components")));
  EXPECT_THAT(Parse(With(0x74, 4)), FailsWith(HasSubstr("do not fit")));
  EXPECT_THAT(Parse(With(0x74, 0xffffffff)), FailsWith(HasSubstr("do not fit")));
  EXPECT_THAT(Parse(With(0x84, 8193)), FailsWith(HasSubstr("header size")));
}

TEST(IplParameters, ChecksComponents) {
  EXPECT_THAT(Parse(With({50, 0x18001, 0x1000})), FailsWith(HasSubstr("not made of pages")));
  EXPECT_THAT(Parse(With({50, 0x18000, 0x1008})), FailsWith(HasSubstr("not made of pages")));
  EXPECT_THAT(Parse(With({50, 0x18000, 0})), FailsWith(HasSubstr("empty")));
  EXPECT_THAT(Parse(With({50, ~0xfffull, 0x2000})), FailsWith(HasSubstr("wraps")));
  EXPECT_THAT(Parse(With({40, 0x18000, 0x1000})), FailsWith(HasSubstr("does not grow")));
}

TEST(IplParameters, ChecksThatAllIsInside) {
  EXPECT_THAT(CheckInside(Good(), 0x1a000), IsOk());
  EXPECT_THAT(CheckInside(Good(), 0x19fff), FailsWith(HasSubstr("component at 0x19000")));
  EXPECT_THAT(CheckInside(Good(), 0x14000), FailsWith(HasSubstr("header at 0x14000")));
}

}  // namespace
}  // namespace lethe
