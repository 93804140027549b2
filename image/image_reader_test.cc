#include "image/image_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"
#include "image/golden_images.h"
#include "image/header.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(ImageReader, FindsThePartsOfImagesOfTheRealTool) {
  for (const char* name : {"g216-plain.pv", "g235-plain.pv", "g235-noenc.pv"}) {
    SCOPED_TRACE(name);
    const absl::StatusOr<ProtectedImage> image = ReadImage(ReadGolden(name));
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(image->ipl_address, 0x12000);
    EXPECT_EQ(image->parameters.header_address, 0x13000);
    EXPECT_EQ(image->parameters.header_size, 640);
    ASSERT_EQ(image->parameters.components.size(), 4);
    EXPECT_EQ(image->parameters.components[0].address, 0x14000);
  }
}

TEST(ImageReader, CountsOnlyThePartsThereAre) {
  const absl::StatusOr<ProtectedImage> image = ReadImage(ReadGolden("g235-kernelonly.pv"));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->parameters.components.size(), 2);
}

TEST(ImageReader, SaysThatAFileIsNoImage) {
  EXPECT_THAT(ReadImage({}), FailsWith(HasSubstr("not a protected image")));
  const Bytes kernel = ReadGolden("in/kernel.bin");
  EXPECT_FALSE(LooksProtected(kernel));
  EXPECT_EQ(ReadImage(kernel).status().code(), absl::StatusCode::kNotFound);
}

TEST(ImageReader, SurvivesEveryTruncation) {
  const Bytes file = ReadGolden("g235-kernelonly.pv");
  ASSERT_THAT(ReadImage(file), IsOk());
  for (std::size_t size = 0; size < file.size(); size += 509) {
    EXPECT_FALSE(ReadImage(absl::MakeSpan(file).first(size)).ok()) << size;
  }
}

TEST(ImageReader, NamesAnImpossibleHeaderSize) {
  Bytes file = ReadGolden("g235-plain.pv");
  StoreBigEndian<std::uint32_t>(file.data() + 0x13000 + offsetof(SecureHeader, size), 0xffffffff);
  EXPECT_THAT(ReadImage(file), FailsWith(HasSubstr("impossible size")));
}

}  // namespace
}  // namespace lethe
