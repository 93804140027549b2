#include "pv/ledger/admission.h"

#include <sys/resource.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/status_matchers.h"
#include "pv/ledger/ledger_fixture.h"

namespace lethe {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kPagesPerGiB = kGiB / kLedgerPageBytes;

AdmissionRequest Needing(std::uint64_t bytes, AdmissionMode mode) {
  AdmissionRequest request;
  request.mode = mode;
  request.need_bytes = bytes;
  request.patience = seconds(60);
  return request;
}

std::optional<AvailableMemory> Available(std::uint64_t bytes) {
  return AvailableMemory{bytes, "MemAvailable"};
}

TEST(AdmissionDecisionTest, IsATable) {
  using Verdict = AdmissionVerdict;
  struct Case {
    const char* what;
    std::optional<std::uint64_t> available_gib;
    std::uint64_t owed_gib;
    std::uint64_t promised_gib;
    int waited_seconds;
    Verdict off, start, wait, strict;  // of a guest that needs 8 GiB and is patient for 60 s
  };
  const Verdict admit = Verdict::kAdmit, shortly = Verdict::kAdmitShort, wait = Verdict::kWait,
                refuse = Verdict::kRefuse;
  const Case cases[] = {
      {"plenty", 20, 0, 0, 0, admit, admit, admit, admit},
      {"just enough", 8, 0, 0, 0, admit, admit, admit, admit},
      {"plenty, and more is coming", 20, 9, 0, 0, admit, admit, admit, admit},
      {"enough after waiting", 8, 1, 0, 70, admit, admit, admit, admit},
      {"nobody knows", std::nullopt, 5, 5, 0, admit, admit, admit, admit},
      {"short, nothing owed", 7, 0, 0, 0, admit, shortly, shortly, refuse},
      {"short, nothing owed any more", 7, 0, 0, 30, admit, shortly, shortly, refuse},
      {"short, owed", 2, 9, 0, 0, admit, wait, wait, wait},
      {"short, just enough owed", 2, 6, 0, 0, admit, wait, wait, wait},
      {"short, too little owed to wait for", 2, 5, 0, 0, admit, shortly, refuse, refuse},
      {"short, owed, just before the deadline", 2, 9, 0, 59, admit, wait, wait, wait},
      {"short, owed, at the deadline", 2, 9, 0, 60, admit, shortly, refuse, refuse},
      {"promised away, nothing owed", 10, 0, 3, 0, admit, shortly, shortly, refuse},
      {"promised away, owed", 10, 1, 3, 0, admit, wait, wait, wait},
      {"enough beside what is promised", 11, 1, 3, 0, admit, admit, admit, admit},
      {"more promised than there is", 10, 0, 99, 0, admit, shortly, shortly, refuse},
  };
  for (const Case& test : cases) {
    AdmissionView view;
    view.debt.pages = test.owed_gib * kPagesPerGiB;
    view.promised_pages = test.promised_gib * kPagesPerGiB;
    const auto available =
        test.available_gib ? Available(*test.available_gib * kGiB) : std::nullopt;
    const auto verdict = [&](AdmissionMode mode) {
      return DecideAdmission(Needing(8 * kGiB, mode), available, view,
                             seconds(test.waited_seconds));
    };
    EXPECT_EQ(verdict(AdmissionMode::kOff), test.off) << test.what;
    EXPECT_EQ(verdict(AdmissionMode::kStart), test.start) << test.what;
    EXPECT_EQ(verdict(AdmissionMode::kWait), test.wait) << test.what;
    EXPECT_EQ(verdict(AdmissionMode::kStrict), test.strict) << test.what;
  }
}

TEST(AdmissionModeTest, NamesGoBothWays) {
  for (const char* name : {"off", "start", "wait", "strict"})
    EXPECT_EQ(AdmissionModeName(*ParseAdmissionMode(name)), name);
  EXPECT_EQ(ParseAdmissionMode("maybe"), std::nullopt);
}

LedgerSnapshot Entry(const char* id, LedgerState state, std::uint64_t need_pages,
                     std::uint64_t touched_pages, std::optional<nanoseconds> since_admitted,
                     std::uint64_t created_ns = 1) {
  LedgerSnapshot entry;
  entry.id = id;
  entry.state = state;
  entry.need_pages = need_pages;
  entry.touched_pages = touched_pages;
  entry.since_admitted = since_admitted;
  entry.created_ns = created_ns;
  return entry;
}

TEST(AdmissionViewTest, WhatIsPromisedToWhom) {
  using State = LedgerState;
  struct Case {
    const char* what;
    LedgerSnapshot other;
    std::uint64_t promised;
  };
  const Case cases[] = {
      {"just admitted", Entry("o", State::kStarting, 100, 0, seconds(1)), 100},
      {"running, uses some", Entry("o", State::kRunning, 100, 60, seconds(9)), 40},
      {"running, uses more than it asked for", Entry("o", State::kRunning, 100, 160, seconds(9)),
       0},
      {"paused", Entry("o", State::kPaused, 100, 60, seconds(9)), 40},
      {"admitted long ago", Entry("o", State::kRunning, 100, 60, seconds(121)), 0},
      {"not asked yet", Entry("o", State::kStarting, 100, 0, std::nullopt), 0},
      {"waits, came before", Entry("o", State::kWaiting, 100, 0, std::nullopt, 4), 100},
      {"waits, came at the same time, has the lower id",
       Entry("o", State::kWaiting, 100, 0, std::nullopt, 5), 100},
      {"waits, came at the same time, has the higher id",
       Entry("z", State::kWaiting, 100, 0, std::nullopt, 5), 0},
      {"waits, came after", Entry("o", State::kWaiting, 100, 0, std::nullopt, 6), 0},
      {"dying", Entry("o", State::kDying, 100, 0, seconds(9)), 0},
      {"gone", Entry("o", State::kReleased, 100, 0, seconds(9)), 0},
      {"died", Entry("o", State::kDied, 100, 0, seconds(9)), 0},
  };
  const LedgerSnapshot self = Entry("self", State::kWaiting, 50, 0, std::nullopt, 5);
  for (const Case& test : cases)
    EXPECT_EQ(ViewFor({test.other, self}, "self", Available(kGiB)).promised_pages, test.promised)
        << test.what;
}

TEST(AdmissionViewTest, NobodyCanWaitForMoreThanThereWillEverBe) {
  const LedgerSnapshot greedy = Entry("o", LedgerState::kWaiting, 1000, 0, std::nullopt, 4);
  LedgerSnapshot dying = Entry("d", LedgerState::kDying, 0, 0, std::nullopt, 3);
  dying.owed_pages = 30;
  const LedgerSnapshot self = Entry("self", LedgerState::kWaiting, 50, 0, std::nullopt, 5);
  EXPECT_EQ(ViewFor({dying, greedy, self}, "self", Available(20 * kLedgerPageBytes)).promised_pages,
            50u);
}

// A host with a clock of its own: sleeping is what makes time pass.
class World {
 public:
  AdmissionWorld Get() {
    AdmissionWorld world;
    world.available = [this] { return Available(available); };
    world.now = [this] { return now; };
    world.sleep = [this](nanoseconds duration) {
      EXPECT_GT(duration, nanoseconds(0));
      EXPECT_LE(duration, milliseconds(500));
      now += duration;
      ++sleeps;
      if (on_sleep) on_sleep();
    };
    world.progress = [this](const AdmissionProgress& progress) { told.push_back(progress); };
    world.cancelled = [this] { return cancelled; };
    return world;
  }

  std::uint64_t available = 0;
  nanoseconds now{seconds(1000)};
  int sleeps = 0;
  std::function<void()> on_sleep;
  std::vector<AdmissionProgress> told;
  bool cancelled = false;
};

class AdmissionTest : public LedgerTest {
 protected:
  AdmissionTest() : entry_(*ledger_->AddEntry(GuestNamed("new"))) {}

  LedgerEntry Dying(std::uint64_t gib, std::uint64_t pages_per_second) {
    LedgerEntry entry = *ledger_->AddEntry(GuestNamed("old"));
    EnterDying(entry.record(), gib * kPagesPerGiB, LedgerStrategy::kBulk, LedgerNow());
    EnterReturned(entry.record(), 0, pages_per_second);
    return entry;
  }
  absl::StatusOr<AdmissionOutcome> Admit(std::uint64_t bytes, AdmissionMode mode) {
    return Admission(ledger_.get(), world_.Get()).Admit(Needing(bytes, mode), entry_);
  }
  std::uint64_t Counted(AdmissionCounter counter) { return ledger_->totals()->of(counter).load(); }
  LedgerState State() { return entry_.record().state.load(); }

  World world_;
  LedgerEntry entry_;
};

TEST_F(AdmissionTest, EnoughMemoryIsNoReasonToWait) {
  world_.available = 8 * kGiB;
  const auto outcome = Admit(8 * kGiB, AdmissionMode::kWait);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->waited, nanoseconds(0));
  EXPECT_EQ(outcome->warning, "");
  EXPECT_EQ(world_.sleeps, 0);
  EXPECT_EQ(State(), LedgerState::kStarting);
  EXPECT_EQ(entry_.record().need_pages.load(), 8 * kPagesPerGiB);
  EXPECT_EQ(Counted(AdmissionCounter::kAtOnce), 1u);
}

TEST_F(AdmissionTest, WaitsForWhatIsOwedAndIsLetInOnTheStepThatIsEnough) {
  const std::uint64_t rate = kPagesPerGiB / 4;
  LedgerEntry dying = Dying(4, rate);
  world_.available = 6 * kGiB;
  std::uint64_t returned = 0;
  world_.on_sleep = [&] {
    EXPECT_EQ(State(), LedgerState::kWaiting);
    returned = static_cast<std::uint64_t>(
        std::chrono::duration<double>(world_.now - seconds(1000)).count() *
        static_cast<double>(rate));
    EnterReturned(dying.record(), returned, rate);
    world_.available = 6 * kGiB + returned * kLedgerPageBytes;
  };
  const auto outcome = Admit(8 * kGiB, AdmissionMode::kWait);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->warning, "");
  EXPECT_EQ(State(), LedgerState::kStarting);
  EXPECT_GE(world_.available, 8 * kGiB);
  EXPECT_LT(world_.available, 8 * kGiB + kGiB / 10);  // not later than the step after
  EXPECT_GE(outcome->waited, seconds(8));
  EXPECT_LT(outcome->waited, seconds(9));
  EXPECT_EQ(Counted(AdmissionCounter::kAfterWaiting), 1u);
  EXPECT_EQ(ledger_->totals()->admission_wait_ns.load(),
            static_cast<std::uint64_t>(outcome->waited.count()));

  ASSERT_FALSE(world_.told.empty());
  EXPECT_EQ(world_.told.front().short_bytes, 2 * kGiB);
  EXPECT_EQ(world_.told.front().debt.pages, 4 * kPagesPerGiB);
  EXPECT_EQ(world_.told.front().ready_in, seconds(8));
  EXPECT_LT(world_.told.back().short_bytes, kGiB / 10);
  EXPECT_EQ(world_.told.back().short_at_first_bytes, 2 * kGiB);
}

TEST_F(AdmissionTest, PastTheDeadlineTheModeDecidesAndTheNumbersAreTold) {
  const LedgerEntry dying = Dying(4, 0);
  world_.available = 6 * kGiB;
  const auto refused = Admit(8 * kGiB, AdmissionMode::kWait);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(refused,
              FailsWith(AllOf(HasSubstr("needs 8.00 GiB"), HasSubstr("6.00 GiB are available"),
                              HasSubstr("4.00 GiB are still owed by 1"), HasSubstr("waited 60"))));
  EXPECT_LT(world_.sleeps, 1000);
  EXPECT_EQ(Counted(AdmissionCounter::kRefused), 1u);
  EXPECT_EQ(entry_.record().need_pages.load(), 0u);

  const auto started = Admit(8 * kGiB, AdmissionMode::kStart);
  ASSERT_THAT(started, IsOk());
  EXPECT_THAT(started->warning, HasSubstr("needs 8.00 GiB"));
  EXPECT_EQ(Counted(AdmissionCounter::kShort), 1u);
}

TEST_F(AdmissionTest, ShortWithNothingOwedIsTheOperatorsChoice) {
  world_.available = 6 * kGiB;
  const auto started = Admit(8 * kGiB, AdmissionMode::kWait);
  ASSERT_THAT(started, IsOk());
  EXPECT_THAT(started->warning, HasSubstr("no stopped guest owes any"));
  EXPECT_THAT(Admit(8 * kGiB, AdmissionMode::kStrict), FailsWith(HasSubstr("MemAvailable")));
  EXPECT_EQ(world_.sleeps, 0);
}

TEST_F(AdmissionTest, WhatHasJustComeBackMayTakeOneMoreLookToBeCounted) {
  LedgerEntry dying = Dying(4, kPagesPerGiB);
  world_.available = 6 * kGiB;
  world_.on_sleep = [&] {
    EnterReleased(dying.record(), LedgerNow());
    if (world_.sleeps == 2) world_.available = 10 * kGiB;
  };
  const auto outcome = Admit(8 * kGiB, AdmissionMode::kStrict);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(world_.sleeps, 2);
}

TEST_F(AdmissionTest, ADebtorThatDiesEndsTheWait) {
  auto dying = std::make_unique<LedgerEntry>(Dying(4, kPagesPerGiB));
  world_.available = 6 * kGiB;
  world_.on_sleep = [&] { dying.reset(); };
  EXPECT_THAT(Admit(8 * kGiB, AdmissionMode::kWait)->warning, HasSubstr("6.00 GiB"));
  EXPECT_EQ(world_.sleeps, 2);
}

TEST_F(AdmissionTest, NobodyWaitsForLessThanIsMissing) {
  const LedgerEntry dying = Dying(1, 1);
  world_.available = 6 * kGiB;
  for (const AdmissionMode mode : {AdmissionMode::kWait, AdmissionMode::kStrict})
    EXPECT_THAT(Admit(8 * kGiB, mode), FailsWith(AllOf(HasSubstr("needs 8.00 GiB"),
                                                       HasSubstr("1.00 GiB are still owed"))));
  EXPECT_THAT(Admit(8 * kGiB, AdmissionMode::kStart)->warning, HasSubstr("needs 8.00 GiB"));
  EXPECT_EQ(world_.sleeps, 0);
}

TEST_F(AdmissionTest, AnEstimateBeyondAllTimeIsNoOverflow) {
  const LedgerEntry dying = Dying(std::uint64_t{1} << 33, 1);
  world_.on_sleep = [&] { world_.cancelled = true; };
  EXPECT_TRUE(absl::IsCancelled(Admit(std::uint64_t{1} << 62, AdmissionMode::kWait).status()));
  ASSERT_FALSE(world_.told.empty());
  EXPECT_GT(world_.told.front().ready_in, std::chrono::hours(24 * 365 * 100));
}

TEST_F(AdmissionTest, ALedgerThatCannotBeReadIsAWarningAndOffDoesNotReadIt) {
  const auto warning = [&](AdmissionMode mode, std::uint64_t bytes) {
    const auto outcome = Admit(bytes, mode);
    return outcome.ok() ? outcome->warning : std::string(outcome.status().message());
  };
  world_.available = 6 * kGiB;
  ASSERT_THAT(ledger_->Read(), IsOk());
  ASSERT_EQ(warning(AdmissionMode::kStrict, kGiB), "");
  Child child([&] {
    const rlimit none = {0, 0};  // descriptors
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0 || ledger_->Read().ok()) return 77;
    if (!warning(AdmissionMode::kOff, 8 * kGiB).empty()) return 1;
    const std::string unread = "what other guests owe is not known";
    if (warning(AdmissionMode::kStrict, kGiB).find(unread) != 0) return 2;
    for (const AdmissionMode mode : {AdmissionMode::kStart, AdmissionMode::kWait}) {
      const std::string told = warning(mode, 8 * kGiB);
      if (told.find("short for the guest") == told.npos || told.find(unread) == told.npos) return 3;
    }
    return warning(AdmissionMode::kStrict, 8 * kGiB).find(unread) != std::string::npos ? 0 : 4;
  });
  EXPECT_EQ(child.Join(), 0);
}

TEST_F(AdmissionTest, CanBeCalledOff) {
  const LedgerEntry dying = Dying(9, 0);
  world_.on_sleep = [&] { world_.cancelled = world_.sleeps == 3; };
  EXPECT_TRUE(absl::IsCancelled(Admit(8 * kGiB, AdmissionMode::kWait).status()));
  EXPECT_EQ(world_.sleeps, 3);
}

TEST_F(AdmissionTest, WithoutALedgerOnlyWhatIsAvailableCounts) {
  LedgerEntry entry = *LedgerEntry::Unlisted(GuestNamed("new"));
  world_.available = 6 * kGiB;
  Admission admission(nullptr, world_.Get());
  EXPECT_EQ(admission.Admit(Needing(6 * kGiB, AdmissionMode::kStrict), entry)->warning, "");
  EXPECT_THAT(admission.Admit(Needing(7 * kGiB, AdmissionMode::kWait), entry)->warning,
              HasSubstr("7.00 GiB"));
  EXPECT_FALSE(admission.Admit(Needing(7 * kGiB, AdmissionMode::kStrict), entry).ok());
}

TEST_F(AdmissionTest, TheSameBytesAreNotPromisedTwice) {
  world_.available = 10 * kGiB;
  LedgerEntry second = *ledger_->AddEntry(GuestNamed("second"));
  const auto admit_second = [&](std::uint64_t bytes) {
    return Admission(ledger_.get(), world_.Get())
        .Admit(Needing(bytes, AdmissionMode::kStrict), second);
  };
  ASSERT_THAT(Admit(8 * kGiB, AdmissionMode::kStrict), IsOk());
  EXPECT_THAT(admit_second(8 * kGiB), FailsWith(HasSubstr("8.00 GiB promised to other guests")));
  EXPECT_THAT(admit_second(2 * kGiB), IsOk());

  // Touched memory is not available any more, and not promised any more.
  entry_.record().touched_pages.store(8 * kPagesPerGiB);
  world_.available = 2 * kGiB;
  EXPECT_THAT(admit_second(2 * kGiB), IsOk());
}

TEST_F(AdmissionTest, WhoCameFirstIsServedFirst) {
  LedgerEntry dying = Dying(9, 0);
  LedgerEntry second = *ledger_->AddEntry(GuestNamed("second"));
  world_.available = 2 * kGiB;
  // While the first waits for 8 GiB, the second cannot have the 1 GiB that would delay it ...
  world_.on_sleep = [&] {
    World other;
    other.available = world_.available;
    other.on_sleep = [&] { other.cancelled = true; };
    if (world_.sleeps == 1) {
      EXPECT_TRUE(absl::IsCancelled(Admission(ledger_.get(), other.Get())
                                        .Admit(Needing(kGiB, AdmissionMode::kWait), second)
                                        .status()));
    }
    world_.available = 8 * kGiB;
  };
  // ... and that the second waits does not keep the first from starting.
  EXPECT_EQ(Admit(8 * kGiB, AdmissionMode::kWait)->warning, "");
  EXPECT_EQ(world_.sleeps, 1);
}

// Four processes' worth of guests ask for the memory of one that dies, at the same time. Each
// touches its memory as soon as it is let in; there must never be less than nothing left.
TEST_F(LedgerTest, ManyWaitersNeverGetMoreThanThereIs) {
  constexpr std::uint64_t kNeed = 3000, kTotal = 4 * kNeed;  // pages
  std::mutex mutex;
  std::uint64_t free_pages = 100;
  LedgerEntry dying = *ledger_->AddEntry(GuestNamed("old"));
  EnterDying(dying.record(), kTotal + 1, LedgerStrategy::kBulk, LedgerNow());  // never quite done

  AdmissionWorld world;
  world.now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  world.available = [&] {
    const std::lock_guard lock(mutex);
    return Available(free_pages * kLedgerPageBytes);
  };
  world.sleep = [&](nanoseconds) {
    std::this_thread::yield();
    const std::lock_guard lock(mutex);
    const std::uint64_t returned = dying.record().returned_pages.load();
    const std::uint64_t step = std::min<std::uint64_t>(256, kTotal - returned);
    free_pages += step;
    EnterReturned(dying.record(), returned + step, 0);
  };
  std::vector<std::thread> guests;
  std::vector<LedgerEntry> entries;
  for (const char* name : {"a", "b", "c", "d"})
    entries.push_back(*ledger_->AddEntry(GuestNamed(name)));
  for (LedgerEntry& entry : entries) {
    guests.emplace_back([&] {
      const auto ledger = *Ledger::Open(path());
      AdmissionRequest request = Needing(kNeed * kLedgerPageBytes, AdmissionMode::kStrict);
      request.patience = std::chrono::hours(1);
      const auto outcome = Admission(ledger.get(), world).Admit(request, entry);
      ASSERT_THAT(outcome, IsOk());
      const std::lock_guard lock(mutex);
      ASSERT_GE(free_pages, kNeed);
      free_pages -= kNeed;
      entry.record().touched_pages.store(kNeed);
    });
  }
  for (std::thread& guest : guests) guest.join();
  EXPECT_EQ(free_pages, dying.record().returned_pages.load() + 100 - kTotal);
}

}  // namespace
}  // namespace lethe
