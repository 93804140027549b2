#include "vmm/monitor/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace lethe::vmm {
namespace {

using ::testing::HasSubstr;

TEST(ReferenceTest, SaysAllOfACommand) {
  static constexpr absl::string_view kChoices[] = {"a", "b"};
  static constexpr ArgumentRow kRows[] = {
      {"first", ArgumentType::kString, false, "one", kChoices},
      {"second", ArgumentType::kInteger, true, "two"},
  };
  const MonitorCommand commands[] = {
      {"do-it", kRows, "x", {RunState::kRunning, RunState::kPaused}, "Does it.", nullptr},
      {"ask", {}, "", RunStateSet::All(), "Asks.", nullptr},
  };
  EXPECT_THAT(CommandReference(commands),
              HasSubstr("| `do-it` | Does it. | `first` (a or b): one; `second` (integer, "
                        "optional): two | x | running, paused |\n"
                        "| `ask` | Asks. |  |  | always |\n"));
}

// Should it fail: the table that belongs into the page is in the message.
TEST(ReferenceTest, IsWhatTheControlSocketsPageSays) {
  std::ifstream page(LETHE_CONTROL_SOCKET_PAGE);
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::string reference = CommandReference(MonitorCommands());
  EXPECT_TRUE(text.find(reference) != std::string::npos) << LETHE_CONTROL_SOCKET_PAGE << " lacks:\n"
                                                         << reference;
}

}  // namespace
}  // namespace lethe::vmm
