#include "tests/fault/footprint.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "base/unique_fd.h"

namespace lethe::fault {
namespace {

TEST(Footprint, NothingIsLeftOfNothing) {
  const Footprint before = Footprint::Take();
  EXPECT_EQ(Footprint::LeftSince(before), "");
}

TEST(Footprint, SeesADescriptor) {
  const Footprint before = Footprint::Take();
  const UniqueFd fd(eventfd(0, 0));
  EXPECT_EQ(Footprint::LeftSince(before), "1 descriptors; ");
}

TEST(Footprint, SeesASharedMapping) {
  const Footprint before = Footprint::Take();
  void* const memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(Footprint::LeftSince(before), "1 mappings; ");
  munmap(memory, 4096);
  EXPECT_EQ(Footprint::LeftSince(before), "");
}

TEST(Footprint, SeesAThreadThatRunsAndNotOneThatHasEnded) {
  std::thread([] {}).join();  // a sanitizer starts one of its own with the first
  const Footprint before = Footprint::Take();
  std::atomic<bool> stop = false;
  std::thread thread([&stop] { stop.wait(false); });
  EXPECT_EQ(Footprint::LeftSince(before), "1 threads; ");
  stop = true;
  stop.notify_all();
  thread.join();
  EXPECT_EQ(Footprint::LeftSince(before), "");
}

}  // namespace
}  // namespace lethe::fault
