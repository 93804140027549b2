#include "vmm/vcpu_thread.h"

#include <gtest/gtest.h>

#include <atomic>

#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"
#include "vmm/cpu_set.h"

namespace lethe::vmm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Two CPUs on a KVM whose KVM_RUN waits for a kick.
class VcpuThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    system.emplace(*kvm::System::Open(kernel));
    vm.emplace(*system->CreateVm());
    for (unsigned address : {0u, 1u})
      cpus.Add(
          *vm->CreateVcpu(address),
          [this](VcpuThread&, const kvm::VcpuExit&) -> absl::StatusOr<Next> {
            ++exits;
            if (on_exit) on_exit();
            return next;
          },
          [this](VcpuThread&, absl::Status) { ++failures; });
    first = cpus.Find(0);
    second = cpus.Find(1);
  }
  void TearDown() override {
    AllOut out(cpus);
    cpus.End();
  }

  // Used until TearDown(), as all that CPUs call.
  std::atomic<int> entered = 0;
  std::atomic<bool> stuck = false;
  kvm::FakeKernel kernel;
  std::optional<kvm::System> system;
  std::optional<kvm::Vm> vm;
  std::atomic<int> exits = 0;
  std::atomic<int> failures = 0;
  std::atomic<Next> next = Next::kContinue;
  std::function<void()> on_exit;  // set before the start
  CpuSet cpus;
  VcpuThread* first = nullptr;
  VcpuThread* second = nullptr;
};

TEST_F(VcpuThreadTest, CountsOperatingCpus) {
  EXPECT_EQ(cpus.operating(), 0);
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  EXPECT_EQ(cpus.operating(), 1);
  ASSERT_THAT(first->SetActivity(Activity::kDisabledWait), IsOk());
  EXPECT_EQ(cpus.operating(), 0);
  ASSERT_THAT(first->SetActivity(Activity::kStopped), IsOk());
  EXPECT_EQ(cpus.operating(), 0);
}

TEST_F(VcpuThreadTest, TakesOrdersInTheGuestStoppedAndHeld) {
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  std::thread::id where;
  first->Execute([&] { where = std::this_thread::get_id(); });
  EXPECT_NE(where, std::this_thread::get_id());
  int orders = 0;
  second->Execute([&] { ++orders; });
  AllOut out(cpus);
  first->Execute([&] { ++orders; });
  EXPECT_EQ(orders, 2);
}

TEST_F(VcpuThreadTest, LetsCpusExecuteOnEachOther) {
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  ASSERT_THAT(second->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  bool done = false;
  first->Execute([&] { second->Execute([&] { done = true; }); });
  EXPECT_TRUE(done);
  first->Execute([&] { first->Execute([&] { done = false; }); });
  EXPECT_FALSE(done);
}

TEST_F(VcpuThreadTest, StaysOutWhileHeldAndComesBack) {
  kernel.on_run = [this](unsigned, abi::kvm_run& run) {
    ++entered;
    run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
    return 0;
  };
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  while (entered == 0) std::this_thread::yield();
  int held;
  {
    AllOut out(cpus);
    held = entered;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(entered, held);
  }
  while (entered == held) std::this_thread::yield();
}

TEST_F(VcpuThreadTest, ParksUntilLetGo) {
  kernel.on_run = [this](unsigned, abi::kvm_run& run) {
    ++entered;
    run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
    return 0;
  };
  next = Next::kPark;
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  first->WaitOutside();
  while (entered == 0) std::this_thread::yield();
  first->WaitOutside();
  EXPECT_EQ(entered, 1);
  first->Unpark();
  while (entered < 2) std::this_thread::yield();
}

TEST_F(VcpuThreadTest, ReportsFailureAndParks) {
  kernel.on_run = [&](unsigned, abi::kvm_run&) { return -EFAULT; };
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  while (failures == 0) std::this_thread::yield();
  first->WaitOutside();
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(exits, 0);
}

TEST_F(VcpuThreadTest, ABoundedBarrierIsAsGoodAsAnother) {
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  while (first->whereabouts().place != Whereabouts::Place::kGuest) std::this_thread::yield();
  const AllOut out(cpus, std::chrono::hours(1));
  EXPECT_THAT(out.status(), IsOk());
  EXPECT_EQ(first->whereabouts().place, Whereabouts::Place::kOutside);
}

TEST_F(VcpuThreadTest, ABoundedBarrierSaysWhoIsStuckInTheGuest) {
  stuck = true;
  kernel.on_run = [&](unsigned, abi::kvm_run&) {
    while (stuck) std::this_thread::yield();  // no kick helps
    return -EINTR;
  };
  ASSERT_THAT(second->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  while (second->whereabouts().place != Whereabouts::Place::kGuest) std::this_thread::yield();
  {
    const AllOut out(cpus, std::chrono::milliseconds(1));
    EXPECT_EQ(out.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(out.status(), FailsWith(AllOf(HasSubstr("CPU 1 has been in the guest (KVM_RUN)"),
                                              Not(HasSubstr("CPU 0")))));
  }
  stuck = false;
  EXPECT_THAT(AllOut(cpus, std::chrono::hours(1)).status(), IsOk());
}

TEST_F(VcpuThreadTest, ABoundedBarrierSaysWhoIsStuckInAnExitHandler) {
  kernel.on_run = [&](unsigned, abi::kvm_run& run) {
    run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
    return 0;
  };
  stuck = true;
  on_exit = [&] {
    while (stuck) std::this_thread::yield();
  };
  ASSERT_THAT(first->SetActivity(Activity::kOperating), IsOk());
  cpus.Start();
  while (first->whereabouts().place != Whereabouts::Place::kExitHandler) std::this_thread::yield();
  EXPECT_THAT(AllOut(cpus, std::chrono::milliseconds(1)).status(),
              FailsWith(HasSubstr("CPU 0 has been in the handler of an exit for")));
  stuck = false;
  EXPECT_THAT(AllOut(cpus, std::chrono::hours(1)).status(), IsOk());
}

}  // namespace
}  // namespace lethe::vmm
