#include "base/file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "lethe-file-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { ASSERT_EQ(std::system(("rm -r " + directory_).c_str()), 0); }
  std::string directory_;
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  const std::string path = directory_ + "/file";
  ASSERT_THAT(WriteFile(path, {1, 2, 3}), IsOk());
  auto content = ReadFile(path, 10);
  ASSERT_THAT(content, IsOk());
  EXPECT_EQ(*content, (Bytes{1, 2, 3}));
}

TEST_F(FileTest, NamesTheFileThatIsMissing) {
  EXPECT_THAT(ReadFile(directory_ + "/none", 10), FailsWith(HasSubstr("/none")));
}

TEST_F(FileTest, RefusesADirectory) {
  EXPECT_THAT(ReadFile(directory_, 10), FailsWith(HasSubstr("not a regular file")));
}

TEST_F(FileTest, RefusesMoreThanTheLimit) {
  const std::string path = directory_ + "/file";
  ASSERT_THAT(WriteFile(path, {1, 2, 3}), IsOk());
  EXPECT_THAT(ReadFile(path, 2), FailsWith(AllOf(HasSubstr("3 bytes"), HasSubstr("at most 2"))));
}

}  // namespace
}  // namespace lethe
