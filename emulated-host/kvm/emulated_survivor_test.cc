#include "emulated-host/kvm/emulated_survivor.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "base/system_call.h"
#include "base/thread_sanitizer.h"
#include "base/unique_fd.h"
#include "emulated-host/kvm/protecting_user.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

int Command(kvm::Survivor& survivor, std::uint32_t number, Result* codes = nullptr) {
  abi::kvm_pv_cmd command{};
  command.cmd = number;
  command.rc = kUntouched;
  command.rrc = kUntouched;
  const int error = survivor.Command(command);
  if (codes != nullptr) *codes = {error, command.rc, command.rrc};
  return error;
}
Result CommandWithCodes(kvm::Survivor& survivor, std::uint32_t number) {
  Result result{};
  Command(survivor, number, &result);
  return result;
}

std::size_t CountOwned(const HostRegion& region) {
  std::size_t owned = 0;
  for (std::size_t page = 0; page < region.pages(); ++page) {
    const PageState state(region.states()[page].load());
    owned += state.kind() != PageKind::kNonSecure || state.locked() || state.owner() != 0;
  }
  return owned;
}

// --- the commands, with all threads at rest ------------------------------------------------------

class SurvivorTest : public ::testing::TestWithParam<bool> {
 protected:
  SurvivorTest() : host_(Features()), cpu_(host_->AddCpu()) {
    survivor_ = host_->kernel().MakeSurvivor(host_->vm(), {});
    host_.Start(cpu_);
    EXPECT_EQ(host_->Run(cpu_), 0);
  }

  static UltravisorFeatures Features() {
    UltravisorFeatures features;
    features.destroy_fast = GetParam();
    return features;
  }
  std::uint64_t Calls(Uvc call) { return host_.ultravisor().counters().of(call); }
  HostRegion& region() { return *host_->kernel().memory().regions().front(); }

  ProtectingUser host_;
  Vcpu& cpu_;
  std::unique_ptr<kvm::Survivor> survivor_;
};
INSTANTIATE_TEST_SUITE_P(WithAndWithoutDestroyFast, SurvivorTest, ::testing::Bool());

TEST_P(SurvivorTest, DisableDestroysEverything) {
  const std::uint64_t pages = Calls(Uvc::kDestroyPage);
  EXPECT_GT(CountOwned(region()), 0u);
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(CountOwned(region()), 0u);
  EXPECT_EQ(Calls(Uvc::kDestroyCpu), 1u);
  EXPECT_EQ(Calls(Uvc::kDestroyConfiguration), 1u);
  EXPECT_GT(Calls(Uvc::kDestroyPage), pages);
  for (const std::uint32_t command : {abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PREPARE,
                                      abi::KVM_PV_ASYNC_CLEANUP_PERFORM, abi::KVM_PV_ENABLE}) {
    EXPECT_EQ(CommandWithCodes(*survivor_, command), Refused(-EINVAL));
  }
  EXPECT_EQ(CommandWithCodes(*survivor_, 99), Refused(-ENOTTY));
}

TEST_P(SurvivorTest, SetsAsideAndCleans) {
  const bool fast = GetParam();
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(-EINVAL));
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_ASYNC_CLEANUP_PREPARE),
            ProtectingUser::kSetAside);
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_DISABLE), Refused(-EINVAL));
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_ASYNC_CLEANUP_PERFORM),
            fast ? Refused(0) : ProtectingUser::kDone);
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(-EINVAL));
  EXPECT_EQ(Calls(Uvc::kDestroyConfigurationFast), fast ? 1u : 0u);
  EXPECT_EQ(Calls(Uvc::kDestroyConfiguration), fast ? 0u : 1u);
  EXPECT_EQ(CountOwned(region()), 0u);
}

TEST_P(SurvivorTest, AnOccupiedSlotIsFreedByDisable) {
  host_.Stop(cpu_);
  ASSERT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
  ASSERT_EQ(host_->Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET), 0);
  host_.Start(cpu_);
  EXPECT_EQ(Command(*survivor_, abi::KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
  EXPECT_EQ(CommandWithCodes(*survivor_, abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(Calls(Uvc::kDestroyConfiguration), GetParam() ? 1u : 2u);
  EXPECT_EQ(CountOwned(region()), 0u);
}

TEST_P(SurvivorTest, CloseDestroysWhatIsLeft) {
  survivor_->Close();
  EXPECT_EQ(CountOwned(region()), 0u);
  const std::uint64_t pages = Calls(Uvc::kDestroyPage);
  survivor_->Close();  // nothing is left: no walk
  EXPECT_EQ(Calls(Uvc::kDestroyPage), pages);
}

TEST_P(SurvivorTest, RefusalsAreReported) {
  UltravisorFeatures features = Features();
  features.cpus_stick = true;
  host_.ultravisor().set_features(features);
  EXPECT_EQ(Command(*survivor_, abi::KVM_PV_DISABLE), -EIO);
  EXPECT_GT(CountOwned(region()), 0u);
  host_.ultravisor().set_features(Features());
  host_.ultravisor().Inject({Uvc::kDestroyPage, UvcResult::Busy(), 3, 7, 0.5, 42, 50});
  host_.ultravisor().Inject({Uvc::kDestroyConfiguration, UvcResult::Partial(), 0, 1, 1.0, 1, 3});
  EXPECT_EQ(Command(*survivor_, abi::KVM_PV_DISABLE), 0);
  EXPECT_EQ(Calls(Uvc::kDestroyConfiguration), 4u);
  EXPECT_EQ(CountOwned(region()), 0u);
}

TEST_P(SurvivorTest, KeepsTheMachineAsACopyOfItsDescriptorDoes) {
  host_->CloseAll();
  EXPECT_EQ(host_->kernel().configurations(), 1);
  EXPECT_GT(CountOwned(region()), 0u);
  EXPECT_EQ(Calls(Uvc::kDestroyCpu), 0u);
  survivor_.reset();
  EXPECT_EQ(host_->kernel().configurations(), 0);
  EXPECT_EQ(Calls(Uvc::kDestroyCpu), 1u);
}

TEST(Survivor, IsOfUseOnlyWhereGuestsCanBeProtected) {
  KernelUser user;
  EXPECT_EQ(user.kernel().MakeSurvivor(user.vm(), {}), nullptr);
  EXPECT_EQ(user.kernel().MakeSurvivor(-1, {}), nullptr);
}

// --- a VMM killed at any moment ------------------------------------------------------------------

// What the helper tells the test, in memory that both have.
struct Report {
  std::atomic<pid_t> helper{0};
  std::atomic<bool> ready{false};
  std::atomic<bool> done{false};
  int results[3] = {};
  std::uint16_t rc = 0, rrc = 0;  // of the PREPARE
  struct Memory {
    std::size_t owned = 0;
    std::size_t locked = 0;
    std::size_t secrets = 0;
  };
  Memory found, after_commands, after_close;
};

constexpr int kNotCalled = 1;
constexpr std::uint32_t kPlans[][3] = {
    {abi::KVM_PV_DISABLE},
    {abi::KVM_PV_ASYNC_CLEANUP_PREPARE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, abi::KVM_PV_DISABLE},
    {abi::KVM_PV_ASYNC_CLEANUP_PERFORM, abi::KVM_PV_DISABLE},
    {},
};
constexpr std::uint32_t kNoCommand = abi::KVM_PV_ENABLE;  // the number 0

struct HelperArguments {
  Report* report;
  kvm::Survivor* survivor;
  const HostRegion* region;
  const std::uint32_t (*plan)[3];
  int vmm;  // pidfd
};

Report::Memory Look(const HostRegion& region) {
  Report::Memory memory;
  memory.owned = CountOwned(region);
  for (std::size_t page = 0; page < region.pages(); ++page) {
    memory.locked += PageState(region.states()[page].load()).locked();
  }
  for (std::size_t at = 0; at < region.size(); at += 8) {
    memory.secrets += LoadBigEndian<std::uint64_t>(region.bytes() + at) == kSecret;
  }
  return memory;
}

// The process that comes after: no C library, no memory of its own but its stack.
int HelperMain(void* argument) {
  const auto& arguments = *static_cast<HelperArguments*>(argument);
  Report& report = *arguments.report;
  pollfd polled{arguments.vmm, POLLIN, 0};
  SystemCall(SYS_ppoll, Argument(&polled), 1);
  SystemCall(SYS_close_range, 0, ~0U);
  report.found = Look(*arguments.region);
  for (int i = 0; i < 3; ++i) {
    report.results[i] = kNotCalled;
    if ((*arguments.plan)[i] == kNoCommand) continue;
    abi::kvm_pv_cmd command{};
    command.cmd = (*arguments.plan)[i];
    report.results[i] = arguments.survivor->Command(command);
    if (command.cmd == abi::KVM_PV_ASYNC_CLEANUP_PREPARE) {
      report.rc = command.rc;
      report.rrc = command.rrc;
    }
  }
  report.after_commands = Look(*arguments.region);
  arguments.survivor->Close();
  report.after_close = Look(*arguments.region);
  report.done = true;
  return 0;
}

// A VMM that never rests: reboots with and without set aside, in one thread; its CPU, its cleaner
// and somebody who looks at guest memory (pages are exported) in three others.
class RestlessVmm {
 public:
  RestlessVmm(Report& report, unsigned seed)
      : random_(seed),
        host_({.destroy_fast = seed % 2 == 0}, {}, SecretProgram()),
        cpu_(host_->AddCpu()) {
    if (seed % 3 == 0) host_.ultravisor().SetCost(Uvc::kDestroyPage, std::chrono::microseconds(2));
    survivor_ = host_->kernel().MakeSurvivor(host_->vm(), {{cpu_.run, 4096}});
    StartHelper(report, seed);
  }

  [[noreturn]] void Run(Report& report) {
    std::thread([this] { RunCpu(); }).detach();
    std::thread([this] { Clean(); }).detach();
    std::thread([this, seed = random_()] { TouchPages(seed); }).detach();
    report.ready = true;
    for (;;) Reboot();
  }

 private:
  void StartHelper(Report& report, unsigned seed) {
    constexpr std::size_t kStack = 64 << 10;
    void* const stack =
        mmap(nullptr, kStack + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LETHE_CHECK(stack != MAP_FAILED && mprotect(stack, 4096, PROT_NONE) == 0);
    helper_ = {&report, survivor_.get(), host_->kernel().memory().regions().front(),
               &kPlans[seed % std::size(kPlans)],
               static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))};
    LETHE_CHECK(helper_.vmm >= 0);
    report.helper =
        clone(&HelperMain, static_cast<char*>(stack) + kStack + 4096, CLONE_VM | SIGCHLD, &helper_);
    LETHE_CHECK(report.helper > 0);
  }

  void Reboot() {
    host_.Start(cpu_);
    running_ = true;
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 4000));
    running_ = false;
    cpu_.run->immediate_exit = 1;
    while (!idle_) host_->kernel().Kick(cpu_.fd, cpu_thread_);
    cpu_.run->immediate_exit = 0;
    host_.Stop(cpu_);
    if (random_() % 3 == 0 || !cleaned_) {
      host_.Command(abi::KVM_PV_DISABLE);
    } else {
      host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE);
      cleaned_ = false;
    }
    host_->Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET);
  }

  void RunCpu() {
    cpu_thread_ = pthread_self();
    for (;;) {
      idle_ = true;
      while (!running_) std::this_thread::yield();
      idle_ = false;
      while (running_) host_->Run(cpu_);
    }
  }

  void Clean() {
    for (;; std::this_thread::yield()) {
      if (cleaned_) continue;
      host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM);
      cleaned_ = true;
    }
  }

  [[noreturn]] void TouchPages(unsigned seed) {
    std::minstd_rand random(seed);
    volatile std::uint8_t* const bytes = host_->memory().bytes();
    for (;; std::this_thread::sleep_for(std::chrono::microseconds(50))) {
      (void)bytes[kDataBegin + random() % (kDataEnd - kDataBegin)];
    }
  }

  std::minstd_rand random_;
  ProtectingUser host_;
  Vcpu& cpu_;
  std::unique_ptr<kvm::Survivor> survivor_;
  HelperArguments helper_{};
  std::atomic<pthread_t> cpu_thread_{};
  std::atomic<bool> running_{false};
  std::atomic<bool> idle_{false};
  std::atomic<bool> cleaned_{true};
};

class KilledVmm : public ::testing::Test {
 protected:
  KilledVmm() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~KilledVmm() override { prctl(PR_SET_CHILD_SUBREAPER, 0); }

  // Waits for the end of a process; false: it was killed because it did not end in time.
  static bool Await(pid_t pid) {
    constexpr int kPatience = 60'000;
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    pollfd polled{process.get(), POLLIN, 0};
    const bool ended = process && poll(&polled, 1, kPatience) == 1;
    if (!ended) kill(pid, SIGKILL);
    waitpid(pid, nullptr, __WALL);
    return ended;
  }

  static void Try(Report& report, unsigned seed) {
    const pid_t vmm = fork();
    ASSERT_GE(vmm, 0);
    if (vmm == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      RestlessVmm(report, seed).Run(report);
    }
    while (!report.ready && waitpid(vmm, nullptr, WNOHANG) == 0) usleep(100);
    ASSERT_TRUE(report.ready);
    usleep(seed * 7919 % 40'000);
    kill(vmm, SIGKILL);
    waitpid(vmm, nullptr, 0);
    EXPECT_TRUE(Await(report.helper));
    ASSERT_TRUE(report.done);
    Check(report, kPlans[seed % std::size(kPlans)]);
  }

  static void Check(const Report& report, const std::uint32_t (&plan)[3]) {
    EXPECT_EQ(report.after_close.owned, 0u);
    EXPECT_EQ(report.after_close.secrets, 0u);
    bool set_aside = false;
    for (int i = 0; i < 3; ++i) {
      const int result = report.results[i];
      if (plan[i] == kNoCommand) continue;
      EXPECT_TRUE(result == 0 || result == -EINVAL) << result;
      if (result != 0) continue;
      if (plan[i] == abi::KVM_PV_ASYNC_CLEANUP_PREPARE) {
        set_aside = true;
        EXPECT_EQ(report.rc, 1);
        EXPECT_EQ(report.rrc, 42);
      } else {
        EXPECT_EQ(report.after_commands.owned, 0u);
      }
    }
    if (set_aside) {
      EXPECT_EQ(report.results[1], 0);
    }
  }
};

// LETHE_KILLS: how many.
TEST_F(KilledVmm, LeavesMemoryThatASurvivorCanClean) {
  if (ThreadSanitizerIsHere()) GTEST_SKIP() << "a process that shares memory is not a thread to it";
  const char* const wanted = std::getenv("LETHE_KILLS");
  const unsigned kills = wanted == nullptr ? 12 : static_cast<unsigned>(std::atoi(wanted));
  void* const shared =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Report::Memory found;  // in all
  for (unsigned seed = 1; seed <= kills && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    auto* const report = new (shared) Report;
    Try(*report, seed);
    found.owned += report->found.owned;
    found.locked += report->found.locked;
    found.secrets += report->found.secrets;
  }
  RecordProperty("pages_found_locked", static_cast<int>(found.locked));
  EXPECT_GT(found.owned, 0u);
  EXPECT_GT(found.secrets, 0u);
  munmap(shared, sizeof(Report));
}

}  // namespace
}  // namespace lethe::emulated
