#include "pv/reaper/system_call_filter.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/system_call.h"
#include "gtest/gtest.h"

namespace lethe {
namespace {

constexpr std::uint32_t kRequest = 0xc020aec5;

// The wait status of a process that does `what` under a filter that knows three calls; it exits
// with what that returns.
int StatusOf(const std::function<long()>& what) {
  const std::vector<sock_filter> filter =
      MakeSystemCallFilter({SYS_exit_group, SYS_getppid, SYS_close}, kRequest);
  const pid_t child = fork();
  if (child == 0) {
    const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                                const_cast<sock_filter*>(filter.data())};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(99);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) _exit(99);
    SystemCall(SYS_exit_group, what() & 0xff);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

class SystemCallFilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (WEXITSTATUS(StatusOf([] { return 0; })) == 99) GTEST_SKIP() << "no seccomp here";
  }
};

void ExpectKilled(int status) {
  EXPECT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST_F(SystemCallFilterTest, AllowsWhatIsInTheTable) {
  EXPECT_EQ(StatusOf([] { return SystemCall(SYS_getppid) > 0 ? 7 : 8; }), 7 << 8);
}

TEST_F(SystemCallFilterTest, KillsAtAnythingElse) {
  ExpectKilled(StatusOf([] { return SystemCall(SYS_getpid); }));
  ExpectKilled(StatusOf([] { return SystemCall(SYS_openat, -100, Argument("/"), 0); }));
  ExpectKilled(StatusOf([] { return SystemCall(100'000); }));
}

TEST_F(SystemCallFilterTest, AllowsOneIoctlRequest) {
  const auto bad_descriptor = [](std::uint32_t request) {
    return [request] { return -SystemCall(SYS_ioctl, -1, static_cast<long>(request), 0); };
  };
  EXPECT_EQ(StatusOf(bad_descriptor(kRequest)), EBADF << 8);
  ExpectKilled(StatusOf(bad_descriptor(kRequest + 1)));
  ExpectKilled(StatusOf(bad_descriptor(FIONREAD)));
}

#if defined(__x86_64__)
TEST_F(SystemCallFilterTest, KillsAtTheOtherNumberingOfTheArchitecture) {
  constexpr long kX32 = 0x40000000;
  ExpectKilled(StatusOf([] { return SystemCall(kX32 + SYS_getppid); }));
}
#endif

}  // namespace
}  // namespace lethe
