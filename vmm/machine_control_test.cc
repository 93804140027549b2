#include "vmm/machine_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status_matchers.h"
#include "vmm/boot_fixture.h"
#include "vmm/machine_request.h"
#include "vmm/test_machine.h"

namespace lethe::vmm {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

static_assert(MayFollow(RunState::kPrelaunch, RunState::kRunning));
static_assert(MayFollow(RunState::kRunning, RunState::kPaused));
static_assert(MayFollow(RunState::kPaused, RunState::kRunning));
static_assert(MayFollow(RunState::kPaused, RunState::kShutdown));
static_assert(!MayFollow(RunState::kPrelaunch, RunState::kPaused));
static_assert(!MayFollow(RunState::kRunning, RunState::kRunning));
static_assert(!MayFollow(RunState::kShutdown, RunState::kRunning));
static_assert(!MayFollow(RunState::kGuestPanicked, RunState::kShutdown));

// A machine with one CPU that stays in the guest for a moment, again and again, while this thread
// gives it orders.
class MachineControlTest : public ::testing::Test {
 protected:
  MachineControlTest() {
    test.config.boot.kernel = files.Write("kernel", BootFiles::LinuxImage());
    test.config.memory_size = 64 << 20;
    test.kernel.on_run = [this](unsigned, abi::kvm_run& run) {
      ++stays;
      return in_guest(run);
    };
    auto created = Machine::Create(test.config, {test.kernel, test.log, test});
    LETHE_CHECK(created.ok());
    machine = *std::move(created);
  }
  ~MachineControlTest() override {
    if (!runner.joinable()) return;
    machine->End(Cause::kSignal);
    runner.join();
  }

  // The guest as long as nothing else was asked for.
  static int Idle(abi::kvm_run& run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    run.psw_addr = 0x22222;
    return -EINTR;
  }

  void Start() {
    runner = std::thread([this] { outcome = machine->Run(); });
    while (stays == 0) std::this_thread::yield();
  }
  absl::StatusOr<Outcome> Finish() {
    runner.join();
    return outcome;
  }
  void WaitForStay() const {
    for (const int before = stays; stays == before;) std::this_thread::yield();
  }
  void WaitForEvent(const std::string& name) const {
    for (;;) {
      const std::vector<std::string> events = test.events();
      if (std::find(events.begin(), events.end(), name) != events.end()) return;
      std::this_thread::yield();
    }
  }
  // Looks at it for a while: a guest that runs shows it within that.
  bool StaysOutside() const {
    const int before = stays;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return stays == before;
  }

  BootFiles files;
  std::atomic<int> stays = 0;
  std::function<int(abi::kvm_run&)> in_guest = &Idle;  // changed while no CPU runs
  TestMachine test;
  std::unique_ptr<Machine> machine;
  absl::StatusOr<Outcome> outcome = absl::UnknownError("has not ended");
  std::thread runner;
};

TEST_F(MachineControlTest, IsPrelaunchBeforeItRunsAndOverAfterwards) {
  EXPECT_EQ(machine->run_state(), RunState::kPrelaunch);
  Start();
  EXPECT_EQ(machine->run_state(), RunState::kRunning);
  machine->End(Cause::kMonitorQuit);
  ASSERT_THAT(Finish(), IsOk());
  EXPECT_EQ(machine->run_state(), RunState::kShutdown);
  EXPECT_THAT(machine->Pause(), FailsWith(HasSubstr("has ended")));
  EXPECT_THAT(machine->Continue(), FailsWith(HasSubstr("has ended")));
  EXPECT_THAT(machine->Reset(Cause::kMonitorReset), FailsWith(HasSubstr("has ended")));
  machine->End(Cause::kMonitorQuit);
}

TEST_F(MachineControlTest, TakesTheCpusOutAndBackIn) {
  Start();
  ASSERT_THAT(machine->Pause(), IsOk());
  EXPECT_EQ(machine->run_state(), RunState::kPaused);
  EXPECT_TRUE(StaysOutside());
  ASSERT_THAT(machine->Continue(), IsOk());
  EXPECT_EQ(machine->run_state(), RunState::kRunning);
  WaitForStay();
  EXPECT_THAT(test.events(), ElementsAre("memory", "first-instruction", "pause", "resume"));
}

TEST_F(MachineControlTest, PausesAndContinuesOnce) {
  Start();
  for (int i = 0; i < 2; ++i) ASSERT_THAT(machine->Pause(), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(machine->Continue(), IsOk());
  WaitForStay();
  EXPECT_THAT(test.events(), ElementsAre("memory", "first-instruction", "pause", "resume"));
}

TEST_F(MachineControlTest, ObeysManyMastersAtOnce) {
  Start();
  std::vector<std::thread> masters;
  for (int i = 0; i < 4; ++i)
    masters.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        const absl::Status done = (round + i) % 2 == 0 ? machine->Pause() : machine->Continue();
        EXPECT_THAT(done, IsOk());
      }
    });
  for (std::thread& master : masters) master.join();
  ASSERT_THAT(machine->Continue(), IsOk());
  WaitForStay();
}

TEST_F(MachineControlTest, EndsWhilePausedWithoutRunningTheGuestAgain) {
  Start();
  ASSERT_THAT(machine->Pause(), IsOk());
  const int before = stays;
  machine->End(Cause::kMonitorQuit);
  const auto ended = Finish();
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->kind, Outcome::Kind::kEnded);
  EXPECT_EQ(stays, before);
}

TEST_F(MachineControlTest, IsLoadedAnewByAReset) {
  Start();
  std::atomic<std::uint64_t> first_address = 0;
  ASSERT_THAT(machine->Pause(), IsOk());
  in_guest = [&](abi::kvm_run& run) {
    if (first_address == 0) first_address = run.psw_addr;
    return Idle(run);
  };
  ASSERT_THAT(machine->Reset(Cause::kMonitorReset), IsOk());
  WaitForEvent("guest-restarted");
  EXPECT_EQ(machine->run_state(), RunState::kPaused);
  EXPECT_TRUE(StaysOutside());
  ASSERT_THAT(machine->Continue(), IsOk());
  while (first_address == 0) std::this_thread::yield();
  EXPECT_EQ(first_address, 0x10000u);
}

TEST_F(MachineControlTest, LetsWhatTheGuestWantsWaitWhilePaused) {
  // As soon as the CPU is told to leave, the guest powers off.
  in_guest = [](abi::kvm_run& run) {
    while (!std::atomic_ref(run.immediate_exit).load())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    PowerOffBy(run);
    return 0;
  };
  Start();
  ASSERT_THAT(machine->Pause(), IsOk());
  EXPECT_EQ(machine->run_state(), RunState::kPaused);
  EXPECT_TRUE(StaysOutside());
  EXPECT_THAT(test.events(), Not(Contains("power-off")));
  machine->Continue().IgnoreError();  // the guest may have ended before this returns
  const auto ended = Finish();
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->kind, Outcome::Kind::kPoweredOff);
}

TEST_F(MachineControlTest, AResetMakesVoidWhatThePausedGuestWanted) {
  in_guest = [](abi::kvm_run& run) {
    while (!std::atomic_ref(run.immediate_exit).load())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    PowerOffBy(run);
    return 0;
  };
  Start();
  ASSERT_THAT(machine->Pause(), IsOk());
  in_guest = &Idle;
  ASSERT_THAT(machine->Reset(Cause::kMonitorReset), IsOk());
  WaitForEvent("guest-restarted");
  ASSERT_THAT(machine->Continue(), IsOk());
  WaitForStay();
  EXPECT_EQ(machine->run_state(), RunState::kRunning);
}

TEST_F(MachineControlTest, DoesNotAskAGuestThatDoesNotListenToShutDown) {
  Start();
  EXPECT_THAT(machine->RequestPowerDown(), FailsWith(HasSubstr("does not listen")));
}

TEST(RequestQueueTest, GivesWaitersUpWhenItIsClosed) {
  RequestQueue queue;
  const auto before = std::make_shared<absl::Notification>();
  const auto after = std::make_shared<absl::Notification>();
  queue.Post(PauseMachine{before});
  queue.Close();
  queue.Post(ContinueMachine{after});
  EXPECT_TRUE(before->HasBeenNotified());
  EXPECT_TRUE(after->HasBeenNotified());
}

TEST(RequestQueueTest, GivesRequestsInTheirOrderWithAndWithoutTheGuests) {
  RequestQueue queue;
  queue.Post(PowerOff{});
  queue.Post(ResetMachine{Cause::kMonitorReset});
  queue.Post(EndMachine{Cause::kSignal});
  EXPECT_TRUE(std::holds_alternative<ResetMachine>(queue.Wait(/*but_guests=*/true)));
  EXPECT_TRUE(std::holds_alternative<PowerOff>(queue.Wait()));
  queue.Post(ReIpl{0});
  queue.DropGuestRequests();
  EXPECT_TRUE(std::holds_alternative<EndMachine>(queue.Wait()));
}

}  // namespace
}  // namespace lethe::vmm
