#include "pv/reaper/raw_task.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "base/system_call.h"
#include "gtest/gtest.h"

namespace lethe {
namespace {

struct Found {
  const void* argument;
  const void* stack;
  long process;
};
struct Shared {
  Found found;
  int done;
};

// Runs with the thread pointer of the test, so nothing may be instrumented.
__attribute__((no_sanitize("address", "thread", "undefined"))) void Look(void* argument) {
  auto* shared = static_cast<Shared*>(argument);
  char local;
  shared->found.argument = argument;
  shared->found.stack = &local;
  shared->found.process = SystemCall(SYS_getpid);
  __atomic_store_n(&shared->done, 1, __ATOMIC_RELEASE);
  SystemCall(SYS_exit, 0);
  __builtin_trap();
}

TEST(RawTaskTest, RunsTheEntryOnItsStackWithItsArgument) {
  constexpr std::size_t kStack = 64 << 10;
  void* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* top = static_cast<char*>(memory) + kStack;
  static Shared shared;  // and the stack: the task's, whose end nobody awaits
  constexpr unsigned long kThread =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  const long id = CloneTask(kThread, top, Look, &shared, nullptr);
  ASSERT_GT(id, 0);
  while (__atomic_load_n(&shared.done, __ATOMIC_ACQUIRE) == 0) sched_yield();
  EXPECT_NE(id, getpid());
  EXPECT_EQ(shared.found.argument, &shared);
  EXPECT_EQ(shared.found.process, getpid());
  EXPECT_GT(shared.found.stack, static_cast<const void*>(memory));
  EXPECT_LT(shared.found.stack, static_cast<const void*>(top));
}

TEST(RawTaskTest, ReturnsTheNegatedErrno) {
  alignas(16) static char stack[1024];
  // The kernel insists on CLONE_SIGHAND with CLONE_THREAD.
  EXPECT_EQ(CloneTask(CLONE_THREAD, stack + sizeof stack, Look, nullptr, nullptr), -EINVAL);
}

}  // namespace
}  // namespace lethe
