#include "pv/ledger/ledger.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "pv/ledger/ledger_fixture.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMinute = 60ull * 1000000000;

class EntryFileTest : public LedgerTest {
 protected:
  // The bytes of a well-formed entry that nobody owns.
  std::string Bytes(LedgerState state, std::uint64_t since_ns) {
    LedgerEntry entry = *LedgerEntry::Unlisted(GuestNamed("stray"));
    EnterState(entry.record(), state, since_ns);
    return std::string(reinterpret_cast<const char*>(&entry.record()), sizeof(LedgerRecord));
  }
  void Put(const std::string& name, const std::string& bytes) {
    std::ofstream(path() + "/" + name, std::ios::binary) << bytes;
  }
  void Overwrite(const std::string& name, const std::string& bytes) {
    std::fstream(path() + "/" + name, std::ios::binary | std::ios::in | std::ios::out) << bytes;
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(path() + "/" + name); }
};

TEST_F(LedgerTest, AnEntryIsSeenByOthersAsItsOwnerWritesIt) {
  LedgerEntry entry = *ledger_->AddEntry(GuestNamed("alpha", std::uint64_t{1} << 30));
  const auto other = *Ledger::OpenForReading(path());
  auto seen = *other->Read();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].name, "alpha");
  EXPECT_EQ(seen[0].uuid[0], 0xab);
  EXPECT_EQ(seen[0].pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(seen[0].memory_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(seen[0].state, LedgerState::kStarting);
  EXPECT_EQ(seen[0].owner_uid, ::geteuid());
  EXPECT_EQ(seen[0].id, entry.id());

  EnterDying(entry.record(), 1000, LedgerStrategy::kBulk, LedgerNow());
  EnterReturned(entry.record(), 400, 100);
  seen = *other->Read();
  EXPECT_EQ(seen[0].state, LedgerState::kDying);
  EXPECT_EQ(seen[0].strategy, LedgerStrategy::kBulk);
  EXPECT_EQ(seen[0].owed_pages, 600u);
  EXPECT_EQ(seen[0].ready_in, std::chrono::seconds(6));
}

TEST_F(LedgerTest, AnEntryGivenUpInOrderStaysAsATombstone) {
  { LedgerEntry entry = *ledger_->AddEntry(GuestNamed("alpha")); }
  for (int look = 0; look < 2; ++look) {
    const auto seen = Entries();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].state, LedgerState::kReleased);
    EXPECT_EQ(seen[0].owed_pages, 0u);
  }
  EXPECT_EQ(ledger_->totals()->owners_died.load(), 0u);
}

TEST_F(LedgerTest, EntriesAreListedOldestFirst) {
  std::vector<LedgerEntry> entries;
  for (const char* name : {"c", "a", "b"}) entries.push_back(*ledger_->AddEntry(GuestNamed(name)));
  const auto seen = Entries();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].name + seen[1].name + seen[2].name, "cab");
}

TEST_F(LedgerTest, AnOwnerThatWasKilledIsFoundOutAndCountedOnce) {
  Signpost ready;
  Child owner([&] {
    LedgerEntry entry = *(*Ledger::Open(path()))->AddEntry(GuestNamed("victim"));
    EnterDying(entry.record(), 5000, LedgerStrategy::kBulk, LedgerNow());
    ready.Set();
    ::pause();
    return 0;
  });
  ready.Await();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].state, LedgerState::kDying);
  EXPECT_EQ(Entries()[0].owed_pages, 5000u);
  owner.Kill();
  for (int look = 0; look < 3; ++look) {
    ASSERT_EQ(Entries().size(), 1u);
    EXPECT_EQ(Entries()[0].state, LedgerState::kDied);
    EXPECT_EQ(Entries()[0].owed_pages, 0u);
  }
  EXPECT_EQ(ledger_->totals()->owners_died.load(), 1u);
}

TEST_F(LedgerTest, AGuestThatWasToBeFreedByTheEndOfItsLastProcessIsReleasedByIt) {
  for (const auto& [state, strategy, last] :
       {std::tuple(LedgerState::kDying, LedgerStrategy::kExit, LedgerState::kReleased),
        std::tuple(LedgerState::kRunning, LedgerStrategy::kExit, LedgerState::kDied),
        std::tuple(LedgerState::kDying, LedgerStrategy::kTrickle, LedgerState::kDied)}) {
    ledger_ = *Ledger::Open(
        absl::StrCat(path(), "-", static_cast<int>(state), "-", static_cast<int>(strategy)));
    Signpost ready;
    Child owner([&, state = state, strategy = strategy] {
      LedgerEntry entry = *ledger_->AddEntry(GuestNamed("frugal"));
      if (state == LedgerState::kDying)
        EnterDying(entry.record(), 5000, strategy, LedgerNow());
      else
        entry.record().strategy.store(strategy);
      ready.Set();
      ::pause();
      return 0;
    });
    ready.Await();
    ASSERT_EQ(Entries().size(), 1u);
    EXPECT_TRUE(Entries()[0].alive());
    owner.Kill();
    for (int look = 0; look < 3; ++look) {
      ASSERT_EQ(Entries().size(), 1u);
      EXPECT_EQ(Entries()[0].state, last);
      EXPECT_EQ(Entries()[0].owed_pages, 0u);
    }
    EXPECT_EQ(ledger_->totals()->owners_died.load(), last == LedgerState::kDied ? 1u : 0u);
  }
}

TEST_F(LedgerTest, AnEntryHandedOverLivesAsLongAsWhoeverHasItsDescriptor) {
  Signpost ready, killed;
  Signpost* const until = &killed;
  Child vmm([&] {
    LedgerEntry entry = *(*Ledger::Open(path()))->AddEntry(GuestNamed("heir"));
    if (::fork() == 0) {  // stands for the reaper, which has the mapping and the descriptor too
      until->Await();
      EnterDying(entry.record(), 10, LedgerStrategy::kBulk, LedgerNow());
      EnterReleased(entry.record(), LedgerNow());
      ::_exit(0);
    }
    ready.Set();
    ::pause();
    return 0;
  });
  ready.Await();
  vmm.Kill();
  EXPECT_EQ(Entries()[0].state, LedgerState::kStarting);  // still owned
  killed.Set();
  while (Entries()[0].state != LedgerState::kReleased) ::usleep(1000);
  EXPECT_EQ(ledger_->totals()->owners_died.load(), 0u);
}

TEST_F(LedgerTest, WhoMayOnlyReadAnEntryCannotMakeItLookOwned) {
  Signpost ready;
  Child owner([&] {
    LedgerEntry entry = *(*Ledger::Open(path()))->AddEntry(GuestNamed("victim"));
    ready.Set();
    ::pause();
    return 0;
  });
  ready.Await();
  const UniqueFd file(::open((path() + "/" + Entries()[0].id).c_str(), O_RDONLY | O_CLOEXEC));
  owner.Kill();
  ASSERT_EQ(::flock(file.get(), LOCK_EX | LOCK_NB), 0);
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  ASSERT_EQ(::fcntl(file.get(), F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(Entries()[0].state, LedgerState::kDied);
}

TEST_F(LedgerTest, OnlyGuestNamesAreTaken) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("../x"),
                                  std::string("\x1b[2J"), std::string(64, 'x')}) {
    EXPECT_THAT(ledger_->AddEntry(GuestNamed(name)), FailsWith(HasSubstr("1 to 63 letters")));
    EXPECT_THAT(LedgerEntry::Unlisted(GuestNamed(name)), FailsWith(HasSubstr("1 to 63 letters")));
  }
  EXPECT_THAT(ledger_->AddEntry(GuestNamed(std::string(63, 'x'))), IsOk());
}

TEST_F(LedgerTest, AnUnlistedEntryTakesWhatItsOwnerWrites) {
  LedgerEntry entry = *LedgerEntry::Unlisted(GuestNamed("nobody"));
  EnterDying(entry.record(), 7, LedgerStrategy::kSync, 1);
  EXPECT_EQ(entry.record().owed_pages.load(), 7u);
  EXPECT_EQ(entry.fd(), -1);
  EXPECT_TRUE(Entries().empty());
}

TEST_F(EntryFileTest, FilesThatAreNotWellFormedAreIgnoredMentionedAndLeftAlone) {
  const std::string good = Bytes(LedgerState::kReleased, LedgerNow());
  std::string other_version = good, foreign = good, nameless = good, stateless = good;
  other_version[8] ^= 0x55;
  foreign[0] ^= 1;
  std::memset(&nameless[offsetof(LedgerRecord, name)], 'x', LedgerRecord::kNameBytes);
  std::memset(&stateless[offsetof(LedgerRecord, state)], 0x11, 4);
  Put("guest-empty", "");
  Put("guest-short", good.substr(0, good.size() - 1));
  Put("guest-long", good + "x");
  Put("guest-version", other_version);
  Put("guest-foreign", foreign);
  Put("guest-nameless", nameless);
  Put("guest-stateless", stateless);
  std::filesystem::create_directory(path() + "/guest-directory");
  ASSERT_EQ(::mkfifo((path() + "/guest-fifo").c_str(), 0600), 0);
  Put("good", good);
  ASSERT_EQ(::symlink((path() + "/good").c_str(), (path() + "/guest-link").c_str()), 0);
  Put("README", "not ours");

  std::vector<std::string> ignored;
  EXPECT_TRUE(ledger_->Read(&ignored)->empty());
  EXPECT_EQ(ignored.size(), 10u) << ::testing::PrintToString(ignored);
  for (const char* name : {"empty", "short", "long", "version", "foreign", "nameless", "stateless",
                           "directory", "fifo", "link"}) {
    EXPECT_THAT(ignored, ::testing::Contains(HasSubstr(absl::StrCat("/guest-", name, ": "))));
    EXPECT_TRUE(
        std::filesystem::exists(std::filesystem::symlink_status(path() + "/guest-" + name)));
  }
  Put("guest-good", good);
  EXPECT_EQ(ledger_->Read()->size(), 1u);
}

TEST_F(EntryFileTest, NoContentOfAFileDoesHarm) {
  Put("guest-fuzz", "");
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = Bytes(LedgerState::kDying, LedgerNow());
    for (int change = 0; change < 4; ++change)
      bytes[24 + random() % (bytes.size() - 24)] = static_cast<char>(random());
    Overwrite("guest-fuzz", bytes);
    const auto entries = Entries();
    ASSERT_LE(entries.size(), 1u);
    for (const LedgerSnapshot& entry : entries) {
      ASSERT_TRUE(entry.released());  // nobody owns it, whatever it says
      ASSERT_EQ(entry.owed_pages, 0u);
    }
    DebtOf(entries);
  }
}

TEST_F(EntryFileTest, TombstonesGoWhenTheirTimeIsUpAndNothingElseDoes) {
  const std::uint64_t now = LedgerNow();
  Put("guest-old", Bytes(LedgerState::kReleased, now - 11 * kMinute));
  Put("guest-old-died", Bytes(LedgerState::kDied, now - 11 * kMinute));
  Put("guest-young", Bytes(LedgerState::kReleased, now - 9 * kMinute));
  Put("guest-future", Bytes(LedgerState::kReleased, now + 99 * kMinute));
  EXPECT_EQ(Entries().size(), 2u);
  EXPECT_FALSE(Exists("guest-old"));
  EXPECT_FALSE(Exists("guest-old-died"));
  EXPECT_TRUE(Exists("guest-young"));
  EXPECT_TRUE(Exists("guest-future"));
}

TEST_F(EntryFileTest, HalfMadeEntriesOfKilledProcessesAreRemovedLater) {
  Put("new-1-fresh", "");
  Put("new-1-stale", "");
  const timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (path() + "/new-1-stale").c_str(), old, 0), 0);
  EXPECT_TRUE(Entries().empty());
  EXPECT_TRUE(Exists("new-1-fresh"));
  EXPECT_FALSE(Exists("new-1-stale"));
}

TEST_F(EntryFileTest, FilesOfOtherUsersAreNotBelieved) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  Put("guest-stranger", Bytes(LedgerState::kReleased, LedgerNow()));
  ASSERT_EQ(::chown((path() + "/guest-stranger").c_str(), 4711, 4711), 0);
  std::vector<std::string> ignored;
  EXPECT_TRUE(ledger_->Read(&ignored)->empty());
  EXPECT_THAT(ignored, ::testing::ElementsAre(HasSubstr("belongs to user 4711")));
}

TEST_F(EntryFileTest, AnotherUserReadsButSweepsNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(temporary_.path().c_str(), 0755), 0);
  Put("guest-dead", Bytes(LedgerState::kRunning, 1));
  Put("guest-old", Bytes(LedgerState::kReleased, 1));
  LedgerEntry entry = *ledger_->AddEntry(GuestNamed("alive"));
  Child other([&] {
    if (::setresgid(4711, 4711, 4711) != 0 || ::setresuid(4711, 4711, 4711) != 0) return 1;
    const auto ledger = Ledger::OpenForReading(path());
    if (!ledger.ok()) return 2;
    const auto entries = (*ledger)->Read();
    if (!entries.ok() || entries->size() != 2) return 3;
    if ((*entries)[1].state != LedgerState::kStarting) return 4;
    if ((*entries)[0].state != LedgerState::kDied) return 5;
    return (*ledger)->AddEntry(GuestNamed("mine")).ok() ? 6 : 0;
  });
  EXPECT_EQ(other.Join(), 0);
  EXPECT_TRUE(Exists("guest-old"));
}

TEST_F(LedgerTest, AFullFileSystemIsAnErrorWhenTheEntryIsMadeAndNeverLater) {
  Child user([&] {
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    // Room for the totals and one entry.
    if (::mount("none", path().c_str(), "tmpfs", 0, "size=8k,mode=755") != 0) return 77;
    const auto ledger = *Ledger::Open(path());
    LedgerTotals totals{};
    if (!ledger->ReadTotals(totals).ok()) return 1;
    LedgerEntry entry = *ledger->AddEntry(GuestNamed("first"));
    const auto second = ledger->AddEntry(GuestNamed("second"));
    if (!absl::IsResourceExhausted(second.status())) return 2;
    if (second.status().message().find("no room") == absl::string_view::npos) return 3;
    EnterDying(entry.record(), 1, LedgerStrategy::kBulk, LedgerNow());
    if (ledger->Read()->size() != 1) return 4;
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(path())) ++files;
    return files == 2 ? 0 : 5;
  });
  const int status = user.Join();
  if (status == 77) GTEST_SKIP() << "cannot mount a small file system here";
  EXPECT_EQ(status, 0);
}

TEST_F(LedgerTest, TotalsAreSharedByAllAndSurvive) {
  const auto other = *Ledger::Open(path());
  ledger_->totals()->of(FallbackCounter::kPressure).fetch_add(2);
  other->totals()->of(FallbackCounter::kPressure).fetch_add(3);
  ledger_ = *Ledger::Open(path());
  LedgerTotals totals{};
  ASSERT_THAT(ledger_->ReadTotals(totals), IsOk());
  EXPECT_EQ(totals.of(FallbackCounter::kPressure).load(), 5u);
}

TEST_F(LedgerTest, TotalsThatAreNotOursAreReplaced) {
  for (const std::string& content :
       {std::string(), std::string("garbage"), std::string(sizeof(LedgerTotals), 'x'),
        std::string(3 * sizeof(LedgerTotals), '\0')}) {
    std::ofstream(path() + "/totals", std::ios::binary) << content;
    LedgerTotals totals{};
    EXPECT_FALSE(ledger_->ReadTotals(totals).ok());
    (*Ledger::OpenForReading(path()))->totals()->guests_started.fetch_add(1);
    EXPECT_FALSE(ledger_->ReadTotals(totals).ok());
    (*Ledger::Open(path()))->totals()->guests_started.fetch_add(2);
    EXPECT_THAT(ledger_->ReadTotals(totals), IsOk());
    EXPECT_EQ(totals.guests_started.load(), 2u);
  }
}

TEST_F(LedgerTest, OneDecidesOnAdmissionsAtATime) {
  const auto other = *Ledger::Open(path());
  auto turn = ledger_->TryLockAdmission();
  ASSERT_THAT(turn, IsOk());
  EXPECT_TRUE(absl::IsUnavailable(other->TryLockAdmission().status()));
  turn->reset();
  EXPECT_THAT(other->TryLockAdmission(), IsOk());
}

TEST(LedgerOpenTest, ALedgerThatIsNotThereIsEmptyForReaders) {
  TemporaryDirectory temporary;
  const std::string path = temporary.path() + "/none";
  const auto ledger = Ledger::OpenForReading(path);
  ASSERT_THAT(ledger, IsOk());
  EXPECT_TRUE((*ledger)->Read()->empty());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_THAT((*ledger)->AddEntry(GuestNamed("x")), FailsWith(HasSubstr("does not exist")));
  (*ledger)->totals()->guests_started.fetch_add(1);  // in vain, but harmless
  LedgerTotals totals{};
  EXPECT_TRUE(absl::IsNotFound((*ledger)->ReadTotals(totals)));
}

// Every process makes entries, sweeps, and leaves some entries without a word, all at once.
TEST_F(LedgerTest, EightProcessesDoNotGetInEachOthersWay) {
  constexpr int kProcesses = 8, kRounds = 60;
  std::vector<std::unique_ptr<Child>> children;
  for (int number = 0; number < kProcesses; ++number) {
    children.push_back(std::make_unique<Child>([&, number] {
      const auto ledger = *Ledger::Open(path());
      for (int round = 0; round < kRounds; ++round) {
        auto entry = ledger->AddEntry(GuestNamed(absl::StrCat("g", number, ".", round)));
        if (!entry.ok()) return 1;
        EnterDying(entry->record(), 100, LedgerStrategy::kBulk, LedgerNow());
        const auto entries = ledger->Read();
        if (!entries.ok()) return 2;
        bool found = false;
        for (const LedgerSnapshot& seen : *entries)
          found |= seen.id == entry->id() && seen.state == LedgerState::kDying;
        if (!found) return 3;
        ledger->totals()->of(AdmissionCounter::kAtOnce).fetch_add(1);
        // Every third one is abandoned: descriptor and mapping go, "dying" stays.
        if (round % 3 == 0) {
          ::munmap(&entry->record(), sizeof(LedgerRecord));
          ::close(entry->fd());
          entry->HandOver();
        }
      }
      return 0;
    }));
  }
  for (const auto& child : children) EXPECT_EQ(child->Join(), 0);
  std::vector<std::string> ignored;
  const auto entries = *ledger_->Read(&ignored);
  EXPECT_TRUE(ignored.empty()) << ::testing::PrintToString(ignored);
  EXPECT_EQ(entries.size(), static_cast<std::size_t>(kProcesses * kRounds));
  std::uint64_t died = 0;
  for (const LedgerSnapshot& entry : entries) {
    EXPECT_TRUE(entry.released());
    died += entry.state == LedgerState::kDied ? 1 : 0;
  }
  EXPECT_EQ(died, static_cast<std::uint64_t>(kProcesses * kRounds / 3));
  EXPECT_EQ(ledger_->totals()->owners_died.load(), died);
  EXPECT_EQ(ledger_->totals()->guests_started.load(), kProcesses * kRounds);
  EXPECT_EQ(ledger_->totals()->of(AdmissionCounter::kAtOnce).load(), kProcesses * kRounds);
}

TEST_F(LedgerTest, ManyOpenAtOnceAndShareOneFileOfTotals) {
  std::filesystem::remove(path() + "/totals");
  Signpost go;
  constexpr int kProcesses = 8;
  std::vector<std::unique_ptr<Child>> children;
  for (int number = 0; number < kProcesses; ++number) {
    children.push_back(std::make_unique<Child>([&] {
      go.Await();
      const auto ledger = Ledger::Open(path());
      if (!ledger.ok()) return 1;
      (*ledger)->totals()->guests_started.fetch_add(1);
      return 0;
    }));
  }
  for (int number = 0; number < kProcesses; ++number) go.Set();
  for (const auto& child : children) EXPECT_EQ(child->Join(), 0);
  LedgerTotals totals{};
  ASSERT_THAT(ledger_->ReadTotals(totals), IsOk());
  EXPECT_EQ(totals.guests_started.load(), static_cast<std::uint64_t>(kProcesses));
}

}  // namespace
}  // namespace lethe
