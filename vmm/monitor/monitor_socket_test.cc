#include "vmm/monitor/monitor_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/status_matchers.h"
#include "vmm/monitor/monitor_client.h"
#include "vmm/monitor/socket_fixture.h"

namespace lethe::vmm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ParseMonitorAddressTest, TakesUnixPathsAsQemuDoes) {
  for (const char* address : {"unix:/run/a", "unix:/run/a,server=on,wait=off",
                              "unix:/run/a,wait=off,server=on", "unix:/run/a,server,nowait"}) {
    const auto path = ParseMonitorAddress(address);
    ASSERT_THAT(path, IsOk());
    EXPECT_EQ(*path, "/run/a");
  }
}

TEST(ParseMonitorAddressTest, SaysWhatItWouldTake) {
  for (const char* address : {"", "unix:", "/run/a", "tcp:localhost:1", "unix:/run/a,wait=on",
                              "unix:/run/a,", "unix:,server=on"})
    EXPECT_THAT(ParseMonitorAddress(address),
                FailsWith(AllOf(HasSubstr(address), HasSubstr("unix:PATH"))))
        << address;
}

TEST(ParseMonitorAddressTest, KnowsHowLongAPathMayBe) {
  EXPECT_THAT(ParseMonitorAddress("unix:" + std::string(107, 'a')), IsOk());
  EXPECT_THAT(ParseMonitorAddress("unix:" + std::string(108, 'a')),
              FailsWith(AllOf(HasSubstr("108"), HasSubstr("at most 107"))));
}

class MonitorSocketTest : public SocketTest {};

TEST_F(MonitorSocketTest, LetsOnlyItsUserIn) {
  const auto socket = MonitorSocket::Listen(path());
  ASSERT_THAT(socket, IsOk());
  struct stat status;
  ASSERT_EQ(::lstat(path().c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0077, 0u);
}

TEST_F(MonitorSocketTest, TakesItsPathWithIt) {
  { ASSERT_THAT(MonitorSocket::Listen(path()), IsOk()); }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(MonitorSocketTest, ReplacesWhatADeadProgramLeft) {
  LeaveStaleSocket();
  const auto socket = MonitorSocket::Listen(path());
  ASSERT_THAT(socket, IsOk());
  EXPECT_TRUE(MonitorClient(path()).connected());
}

TEST_F(MonitorSocketTest, RefusesAPathInUse) {
  const auto first = MonitorSocket::Listen(path());
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(MonitorSocket::Listen(path()),
              FailsWith(AllOf(HasSubstr(path()), HasSubstr("in use"))));
  EXPECT_TRUE(MonitorClient(path()).connected());
}

TEST_F(MonitorSocketTest, RefusesAFileThatIsNoSocketAndLeavesIt) {
  std::ofstream(path()) << "precious";
  EXPECT_THAT(MonitorSocket::Listen(path()), FailsWith(HasSubstr("is not a socket")));
  EXPECT_EQ(std::filesystem::file_size(path()), 8u);
}

TEST_F(MonitorSocketTest, LeavesAPathThatSomebodyElseHasTaken) {
  {
    const auto socket = MonitorSocket::Listen(path());
    ASSERT_THAT(socket, IsOk());
    std::filesystem::remove(path());
    std::ofstream(path()) << "another's";
  }
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(MonitorSocketTest, FailsWithThePathAndTheReason) {
  EXPECT_THAT(MonitorSocket::Listen(path() + "/no/such"), FailsWith(HasSubstr(path())));
}

}  // namespace
}  // namespace lethe::vmm
