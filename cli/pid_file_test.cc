#include "cli/pid_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(PidFile, NamesThisProcessWhileItLives) {
  const std::string path = absl::StrCat(::testing::TempDir(), "pid-", ::getpid());
  {
    const auto file = PidFile::Write(path);
    ASSERT_TRUE(file.ok()) << file.status();
    pid_t pid = 0;
    std::ifstream(path) >> pid;
    EXPECT_EQ(pid, ::getpid());
    EXPECT_THAT(PidFile::Write(path), FailsWith(HasSubstr("belongs to a process that runs")));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(PidFile, SaysWhichFileCannotBeWritten) {
  EXPECT_THAT(PidFile::Write("/nowhere/pid"), FailsWith(HasSubstr("'/nowhere/pid'")));
}

}  // namespace
}  // namespace lethe
