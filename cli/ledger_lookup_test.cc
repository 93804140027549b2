#include "cli/ledger_lookup.h"

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

LedgerSnapshot Guest(const std::string& name, std::uint32_t pid, std::uint8_t uuid) {
  LedgerSnapshot entry;
  entry.id = absl::StrCat("guest-", pid);
  entry.name = name;
  entry.pid = pid;
  entry.uuid.fill(uuid);
  return entry;
}

TEST(LedgerLookupTest, FindsByNamePidAndUuid) {
  const std::vector<LedgerSnapshot> entries = {Guest("web", 10, 0xaa), Guest("db", 11, 0xbb),
                                               Guest("web", 12, 0xcc), Guest("11", 13, 0xdd)};
  const auto pid_of = [&](const std::string& guest) { return FindGuest(entries, guest)->pid; };
  EXPECT_EQ(pid_of("db"), 11u);
  EXPECT_EQ(pid_of("web"), 12u);  // the one made last
  EXPECT_EQ(pid_of("10"), 10u);
  EXPECT_EQ(pid_of("11"), 13u);  // a name goes before a process id
  EXPECT_EQ(pid_of("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"), 10u);
  EXPECT_EQ(pid_of("BBBB"), 11u);
  EXPECT_EQ(pid_of("cccccccc-c"), 12u);
}

TEST(LedgerLookupTest, WhoIsNotKnownIsToldWhoIs) {
  const std::vector<LedgerSnapshot> entries = {Guest("web", 10, 0xaa), Guest("db", 11, 0xbb)};
  for (const char* guest : {"mail", "", "w", "aaa", "1", "aaaab"})
    EXPECT_THAT(FindGuest(entries, guest),
                FailsWith(AllOf(HasSubstr(absl::StrCat("'", guest, "'")),
                                HasSubstr("web (pid 10), db (pid 11)"))));
  EXPECT_THAT(FindGuest({}, "mail"), FailsWith(HasSubstr("known: none")));
}

TEST(LedgerLookupTest, LongListsAreCutOff) {
  std::vector<LedgerSnapshot> entries;
  for (std::uint32_t i = 0; i < 15; ++i) entries.push_back(Guest(absl::StrCat("g", i), i, 0));
  EXPECT_THAT(FindGuest(entries, "mail"), FailsWith(HasSubstr("g9 (pid 9) and 5 more")));
}

}  // namespace
}  // namespace lethe
