#include "accel/kvm-s390/linux_kernel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "base/status_matchers.h"

namespace lethe::kvm {
namespace {

TEST(LinuxKernel, GivesErrorsAsNegatedErrno) {
  absl::StatusOr<std::unique_ptr<LinuxKernel>> kernel = LinuxKernel::Create();
  ASSERT_THAT(kernel, IsOk());
  EXPECT_EQ((*kernel)->Open("/nonexistent/kvm", O_RDWR), -ENOENT);
  EXPECT_EQ((*kernel)->Ioctl(-1, FIOCLEX, 0), -EBADF);
  EXPECT_EQ((*kernel)->Map(-1, 4096), -EBADF);
  EXPECT_EQ((*kernel)->Close(-1), -EBADF);
}

TEST(LinuxKernel, DescriptorsAreNotInherited) {
  absl::StatusOr<std::unique_ptr<LinuxKernel>> kernel = LinuxKernel::Create();
  ASSERT_THAT(kernel, IsOk());
  const int fd = (*kernel)->Open("/dev/null", O_RDWR);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ((*kernel)->Close(fd), 0);
}

TEST(LinuxKernel, KickInterruptsASystemCall) {
  absl::StatusOr<std::unique_ptr<LinuxKernel>> kernel = LinuxKernel::Create();
  ASSERT_THAT(kernel, IsOk());
  std::atomic<bool> done = false;
  std::atomic<int> result = 0;
  std::thread waiter([&] {
    result = (*kernel)->Poll(nullptr, 0, -1);  // as KVM_RUN: for ever
    done = true;
  });
  while (!done) {
    EXPECT_EQ((*kernel)->Kick(-1, waiter.native_handle()), 0);
    std::this_thread::yield();
  }
  waiter.join();
  EXPECT_EQ(result, -EINTR);
}

TEST(LinuxKernel, PutsTheDispositionOfTheSignalBack) {
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGUSR2, nullptr, &before), 0);
  {
    absl::StatusOr<std::unique_ptr<LinuxKernel>> kernel = LinuxKernel::Create(SIGUSR2);
    ASSERT_THAT(kernel, IsOk());
    struct sigaction during;
    ASSERT_EQ(sigaction(SIGUSR2, nullptr, &during), 0);
    EXPECT_NE(during.sa_handler, before.sa_handler);
    EXPECT_EQ(during.sa_flags & SA_RESTART, 0);
  }
  struct sigaction after;
  ASSERT_EQ(sigaction(SIGUSR2, nullptr, &after), 0);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

}  // namespace
}  // namespace lethe::kvm
