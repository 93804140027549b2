#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace lethe::emulated {
namespace {

constexpr int kSkipped = 77;  // Meson's exit status; GoogleTest would count the tests as passed

// The emulated kernel reads its user's memory with process_vm_readv. User-mode emulators of other
// machines do not offer it, so there none of these tests can run.
class HostRequirement : public ::testing::Environment {
 public:
  void SetUp() override {
    char from = 1;
    char to = 0;
    const iovec local{&to, 1};
    const iovec remote{&from, 1};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1) {
      std::puts("skipped: this host offers no process_vm_readv");
      std::exit(kSkipped);
    }
  }
};

[[maybe_unused]] const ::testing::Environment* const registered =
    ::testing::AddGlobalTestEnvironment(new HostRequirement);

}  // namespace
}  // namespace lethe::emulated
