#include "pv/pressure_watcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = PressureTrigger::Kind;
using std::chrono::seconds;

constexpr PressureLevel kNone = PressureLevel::kNone;
constexpr PressureLevel kSome = PressureLevel::kSome;
constexpr PressureLevel kHigh = PressureLevel::kHigh;

TEST(PressureGauge, ALevelLastsForAWhileAfterItsLastSignal) {
  const PressureGauge::Time start{};
  PressureGauge gauge(seconds(6));
  EXPECT_EQ(gauge.Level(start), kNone);
  EXPECT_EQ(gauge.NextChange(start), std::nullopt);

  gauge.Signal(kSome, start);
  EXPECT_EQ(gauge.Level(start), kSome);
  EXPECT_EQ(gauge.NextChange(start), start + seconds(6));
  gauge.Signal(kSome, start + seconds(2));
  EXPECT_EQ(gauge.Level(start + seconds(7)), kSome);
  EXPECT_EQ(gauge.Level(start + seconds(8)), kNone);

  gauge.Signal(kHigh, start + seconds(10));
  gauge.Signal(kSome, start + seconds(12));
  gauge.Signal(kNone, start + seconds(13));
  EXPECT_EQ(gauge.Level(start + seconds(15)), kHigh);
  EXPECT_EQ(gauge.NextChange(start + seconds(15)), start + seconds(16));
  EXPECT_EQ(gauge.Level(start + seconds(16)), kSome);
  EXPECT_EQ(gauge.NextChange(start + seconds(16)), start + seconds(18));
  EXPECT_EQ(gauge.Level(start + seconds(18)), kNone);
}

// Levels as they are published.
class Levels {
 public:
  void Add(PressureLevel level) {
    std::lock_guard lock(mutex_);
    levels_.push_back(level);
    changed_.notify_all();
  }
  std::vector<PressureLevel> Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return levels_.size() >= count; });
    return levels_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PressureLevel> levels_;
};

class PressureWatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<PressureWatcher> Start(PressureTriggers triggers, std::chrono::nanoseconds hold) {
    absl::StatusOr<std::unique_ptr<PressureWatcher>> watcher = PressureWatcher::Start(
        std::move(triggers),
        {.hold = hold, .on_change = [this](PressureLevel level) { levels_.Add(level); }}, log_);
    EXPECT_THAT(watcher, IsOk());
    return *std::move(watcher);
  }

  // A trigger of the eventfd kind, and a descriptor to fire it with.
  static UniqueFd AddEventFd(PressureTriggers& triggers, PressureLevel level) {
    UniqueFd fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    triggers.triggers.push_back({Kind::kEventFd, UniqueFd(dup(fd.get())), level, "eventfd"});
    return fd;
  }
  static void Fire(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    ASSERT_EQ(write(fd.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }

  Levels levels_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  const Log log_ = Log::To([this](LogLevel, absl::string_view line) {
    std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
  });
};

TEST_F(PressureWatcherTest, PublishesLevels) {
  PressureTriggers triggers;
  const UniqueFd some = AddEventFd(triggers, kSome);
  const UniqueFd high = AddEventFd(triggers, kHigh);
  auto watcher = Start(std::move(triggers), std::chrono::hours(1));
  Fire(some);
  EXPECT_THAT(levels_.Await(1), ElementsAre(kSome));
  Fire(high);
  EXPECT_THAT(levels_.Await(2), ElementsAre(kSome, kHigh));
  Fire(some);  // does not lower it
  watcher.reset();
  EXPECT_THAT(levels_.Await(2), ElementsAre(kSome, kHigh));
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(PressureWatcherTest, LevelsEnd) {
  PressureTriggers triggers;
  const UniqueFd some = AddEventFd(triggers, kSome);
  const auto watcher = Start(std::move(triggers), std::chrono::milliseconds(1));
  Fire(some);
  EXPECT_THAT(levels_.Await(2), ElementsAre(kSome, kNone));
  Fire(some);
  EXPECT_THAT(levels_.Await(4), ElementsAre(kSome, kNone, kSome, kNone));
}

TEST_F(PressureWatcherTest, AStallIsUrgentData) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd sender(ends[1]);
  PressureTriggers triggers;
  triggers.triggers.push_back({Kind::kStall, UniqueFd(ends[0]), kHigh, "stall"});
  if (send(sender.get(), "!", 1, MSG_OOB) != 1) GTEST_SKIP() << "no urgent data between sockets";
  const auto watcher = Start(std::move(triggers), std::chrono::hours(1));
  EXPECT_THAT(levels_.Await(1), ElementsAre(kHigh));
}

TEST_F(PressureWatcherTest, LetsGoOfATriggerThatIsDead) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);  // the other end reports POLLERR from now on
  PressureTriggers triggers;
  triggers.triggers.push_back({Kind::kStall, UniqueFd(ends[1]), kHigh, "/gone"});
  const UniqueFd some = AddEventFd(triggers, kSome);
  auto watcher = Start(std::move(triggers), std::chrono::hours(1));
  Fire(some);
  EXPECT_THAT(levels_.Await(1), ElementsAre(kSome));
  watcher.reset();
  EXPECT_THAT(lines_, ElementsAre("/gone tells of memory pressure no longer"));
}

// As a trigger of a group that was removed is: POLLERR and POLLPRI at once, for ever.
TEST_F(PressureWatcherTest, LetsGoOfATriggerThatIsDeadAndReady) {
  int reset[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, reset), 0);
  UniqueFd trigger(reset[0]);
  {
    const UniqueFd other(reset[1]);
    // Unread data at the other end makes its closing a reset.
    ASSERT_EQ(write(trigger.get(), "x", 1), 1);
    if (send(other.get(), "!", 1, MSG_OOB) != 1) GTEST_SKIP() << "no urgent data between sockets";
  }
  pollfd polled = {trigger.get(), POLLPRI, 0};
  ASSERT_EQ(poll(&polled, 1, 0), 1);
  if (polled.revents != (POLLPRI | POLLERR | POLLHUP) && polled.revents != (POLLPRI | POLLERR))
    GTEST_SKIP() << "no descriptor that is both dead and ready: " << polled.revents;
  PressureTriggers triggers;
  triggers.triggers.push_back({Kind::kStall, std::move(trigger), kHigh, "/removed"});
  const UniqueFd some = AddEventFd(triggers, kSome);
  auto watcher = Start(std::move(triggers), std::chrono::hours(1));
  Fire(some);
  EXPECT_THAT(levels_.Await(1), ElementsAre(kSome));
  watcher.reset();
  EXPECT_THAT(lines_, ElementsAre("/removed tells of memory pressure no longer"));
}

TEST_F(PressureWatcherTest, WhatIsMissingIsToldInOneLine) {
  PressureTriggers triggers;
  triggers.missing = {"/a: no", "/b: no"};
  const auto watcher = Start(std::move(triggers), seconds(1));
  EXPECT_THAT(lines_, ElementsAre("memory pressure is not watched: /a: no, /b: no"));
  PressureTriggers part;
  part.missing = {"/a: no"};
  const UniqueFd some = AddEventFd(part, kSome);
  const auto other = Start(std::move(part), seconds(1));
  EXPECT_THAT(lines_.back(), HasSubstr("in part: /a: no"));
}

TEST_F(PressureWatcherTest, EndsWhileThereIsPressure) {
  PressureTriggers triggers;
  const UniqueFd some = AddEventFd(triggers, kSome);
  Fire(some);
  auto watcher = Start(std::move(triggers), std::chrono::hours(1));
  levels_.Await(1);
}

TEST_F(PressureWatcherTest, WatchesThisMachine) {
  const auto watcher = Start(OpenPressureTriggers(), seconds(6));
}

}  // namespace
}  // namespace lethe
