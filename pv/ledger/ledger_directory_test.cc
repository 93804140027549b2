#include "pv/ledger/ledger_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "pv/ledger/ledger_fixture.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

class LedgerDirectoryTest : public ::testing::Test {
 protected:
  std::string path() const { return temporary_.path() + "/ledger"; }

  TemporaryDirectory temporary_;
};

TEST_F(LedgerDirectoryTest, IsMadeOnceAndOpenedAgain) {
  EXPECT_FALSE(OpenLedgerDirectory(path(), /*make=*/false)->fd);
  EXPECT_TRUE(OpenLedgerDirectory(path(), /*make=*/true)->fd);
  EXPECT_TRUE(OpenLedgerDirectory(path(), /*make=*/true)->fd);
  EXPECT_TRUE(OpenLedgerDirectory(path(), /*make=*/false)->fd);
  EXPECT_EQ(OpenLedgerDirectory(path(), /*make=*/false)->owner, ::geteuid());
  struct stat information;
  ASSERT_EQ(::stat(path().c_str(), &information), 0);
  EXPECT_EQ(information.st_mode & 022, 0u);
}

TEST_F(LedgerDirectoryTest, NoSymbolicLinkIsFollowed) {
  ASSERT_EQ(::mkdir((temporary_.path() + "/real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", path().c_str()), 0);
  for (const bool make : {false, true})
    EXPECT_THAT(OpenLedgerDirectory(path(), make), FailsWith(HasSubstr("cannot open the ledger")));
}

TEST_F(LedgerDirectoryTest, WhatOthersCanWriteToIsRefused) {
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  for (const mode_t mode : {0770u, 0707u, 01777u}) {
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    EXPECT_THAT(OpenLedgerDirectory(path(), true), FailsWith(HasSubstr("chmod go-w")));
  }
  ASSERT_EQ(::chmod(path().c_str(), 0755), 0);
  EXPECT_THAT(OpenLedgerDirectory(path(), true), IsOk());
}

TEST_F(LedgerDirectoryTest, WhatBelongsToSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give directories away";
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  ASSERT_EQ(::chown(path().c_str(), 4711, 4711), 0);
  EXPECT_THAT(OpenLedgerDirectory(path(), true), FailsWith(HasSubstr("belongs to user 4711")));
}

TEST_F(LedgerDirectoryTest, ErrorsNameThePath) {
  EXPECT_THAT(OpenLedgerDirectory(temporary_.path() + "/no/such", true),
              FailsWith(HasSubstr("/no/such")));
  std::ofstream(path()) << "a file";
  EXPECT_THAT(OpenLedgerDirectory(path(), true), FailsWith(HasSubstr(path())));
}

// In processes of their own, which may change what is the whole process's.
TEST_F(LedgerDirectoryTest, TheDefaultDependsOnTheUser) {
  struct Case {
    uid_t user;
    const char* runtime;
    const char* temporary;
    std::string expected;
  };
  const Case cases[] = {
      {0, "/run/user/0", "/var/tmp", "/run/lethe"},
      {4711, "/run/user/4711", "/var/tmp", "/run/user/4711/lethe"},
      {4711, "relative", "/var/tmp", "/var/tmp/lethe-4711"},
      {4711, nullptr, "/var/tmp", "/var/tmp/lethe-4711"},
      {4711, "", nullptr, "/tmp/lethe-4711"},
  };
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  for (const Case& test : cases) {
    Child child([&test] {
      ::unsetenv("XDG_RUNTIME_DIR");
      ::unsetenv("TMPDIR");
      if (test.runtime != nullptr) ::setenv("XDG_RUNTIME_DIR", test.runtime, 1);
      if (test.temporary != nullptr) ::setenv("TMPDIR", test.temporary, 1);
      if (::setresuid(test.user, test.user, test.user) != 0) return 2;
      return DefaultLedgerDirectory() == test.expected ? 0 : 1;
    });
    EXPECT_EQ(child.Join(), 0) << test.expected;
  }
}

}  // namespace
}  // namespace lethe
