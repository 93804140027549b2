#include "vmm/console.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/status_matchers.h"

namespace lethe::vmm {
namespace {

using ::testing::HasSubstr;

TEST(EscapeKeyTest, PassesOrdinaryBytes) {
  EscapeKey escape;
  const auto result = escape.Filter("ls -l\r\x03");
  EXPECT_EQ(result.bytes, "ls -l\r\x03");
  EXPECT_FALSE(result.end);
}

TEST(EscapeKeyTest, EndsOnEscapeAndX) {
  EscapeKey escape;
  const auto result = escape.Filter("ab\x01xcd");
  EXPECT_EQ(result.bytes, "ab");
  EXPECT_TRUE(result.end);
}

TEST(EscapeKeyTest, RemembersTheEscapeBetweenReads) {
  EscapeKey escape;
  EXPECT_EQ(escape.Filter("a\x01").bytes, "a");
  EXPECT_TRUE(escape.Filter("x").end);
}

TEST(EscapeKeyTest, SendsOneEscapeForTwoAndDropsUnknownSequences) {
  EscapeKey escape;
  EXPECT_EQ(escape.Filter("\x01\x01").bytes, "\x01");
  const auto result = escape.Filter("\x01qx");
  EXPECT_EQ(result.bytes, "x");
  EXPECT_FALSE(result.end);
}

TEST(ConsoleTest, WritesToAFile) {
  const std::string path = ::testing::TempDir() + "/lethe-console-test";
  {
    auto console = Console::Open({ConsoleConfig::Kind::kFile, path});
    ASSERT_THAT(console, IsOk());
    ASSERT_THAT((*console)->Start({}), IsOk());
    (*console)->Write("hello\n");
  }
  auto content = ReadFile(path, 100);
  ASSERT_THAT(content, IsOk());
  EXPECT_EQ(std::string(content->begin(), content->end()), "hello\n");
  remove(path.c_str());
}

TEST(ConsoleTest, NamesTheFileThatCannotBeOpened) {
  EXPECT_THAT(Console::Open({ConsoleConfig::Kind::kFile, "/nowhere/at/all"}),
              FailsWith(HasSubstr("/nowhere/at/all")));
}

}  // namespace
}  // namespace lethe::vmm
