#include "pv/reaper/reaper.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "accel/kvm-s390/abi.h"
#include "base/status_matchers.h"
#include "base/system_call.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lethe {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kPage = kLedgerPageBytes;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kClose = ~0U;  // in the record, beside the commands

// What the processes of a test share.
struct Board {
  struct Call {
    std::uint32_t command;
    std::uint64_t present;  // pages of the guest when it was made
  };

  std::atomic<int> reaper_pid;
  std::atomic<int> vmm_pid;
  std::atomic<int> needed_fd;  // by the survivor
  std::atomic<bool> vmm_ready;
  std::atomic<bool> vmm_may_end;
  std::atomic<bool> hold;  // the first call of the survivor waits while this is set
  std::atomic<std::uint32_t> calls;
  Call call[16];
  int results[16];  // by command
  std::uint64_t touched;
  char note[256];  // of the VMM, when something went wrong
  LedgerRecord record;
  LedgerTotals totals;
  std::uint8_t residency[65536];
};

template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Keeps a record of what is asked of it. Runs in the helper, so by its rules.
class RecordingSurvivor final : public kvm::Survivor {
 public:
  RecordingSurvivor(Board& board, std::uint8_t* memory, std::uint64_t size)
      : board_(board), memory_(memory), size_(size) {}

  Needs needs() const override {
    return {{board_.needed_fd.load()}, {SYS_getppid, SYS_clock_nanosleep}};
  }

  int Command(abi::kvm_pv_cmd& command) override {
    SystemCall(SYS_getppid);  // kills the helper unless the filter knows it
    Note(command.cmd);
    return board_.results[command.cmd];
  }
  void Close() override { Note(kClose); }

 private:
  void Note(std::uint32_t what) {
    const std::uint32_t n = board_.calls.load();
    board_.call[n] = {what, Present()};
    board_.calls.store(n + 1);
    const timespec moment = {0, 1'000'000};
    while (board_.hold.load()) SystemCall(SYS_clock_nanosleep, 0, 0, Argument(&moment));
  }

  std::uint64_t Present() {
    std::uint64_t present = 0;
    const std::uint64_t step = sizeof board_.residency * kPage;
    for (std::uint64_t at = 0; at < size_; at += step) {
      const std::uint64_t length = std::min(step, size_ - at);
      SystemCall(SYS_mincore, Argument(memory_ + at), static_cast<long>(length),
                 Argument(board_.residency));
      for (std::uint64_t page = 0; page < length / kPage; ++page)
        present += board_.residency[page] & 1;
    }
    return present;
  }

  Board& board_;
  std::uint8_t* const memory_;
  const std::uint64_t size_;
};

// How the VMM of a test is made and ends.
struct Vmm {
  enum class End { kExit, kKill };

  std::uint64_t size = 96 * kMiB;
  bool memory_file = false;
  End end = End::kExit;
  bool survivor = true;
  ShutdownStrategy strategy = ShutdownStrategy::kBulk;
  std::function<void(ReaperOptions&)> adjust = [](ReaperOptions&) {};
  std::function<void(Reaper&)> before_end = [](Reaper&) {};
};

// Every third page of the guest is touched; of the pages above 2 GiB every 64th.
std::uint64_t Touch(std::uint8_t* memory, std::uint64_t size) {
  std::uint64_t touched = 0;
  for (std::uint64_t at = 0; at < size; at += 3 * kPage, ++touched)
    *static_cast<volatile std::uint8_t*>(memory + at) = 1;
  return touched;
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string StatusLine(int pid, const std::string& key) {
  for (absl::string_view line : absl::StrSplit(Read(absl::StrCat("/proc/", pid, "/status")), '\n'))
    if (absl::ConsumePrefix(&line, absl::StrCat(key, ":\t"))) return std::string(line);
  return "no such line";
}

class ReaperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const int adopts = prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!CloneWorks()) GTEST_SKIP() << "no clone(2) with CLONE_VM here (user-mode emulation)";
    ASSERT_EQ(adopts, 0);
    void* shared =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    board_ = new (shared) Board{};
    board_->needed_fd = -1;
    board_->record.state = LedgerState::kRunning;
  }

  void TearDown() override {
    if (board_ == nullptr) return;
    for (const int pid : {board_->vmm_pid.load(), board_->reaper_pid.load()})
      if (pid > 0) kill(pid, SIGKILL);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
    munmap(board_, sizeof(Board));
  }

  static bool CloneWorks() {
    const pid_t child = fork();
    if (child == 0) {
      ReaperOptions options;
      options.name = "probe";
      const auto reaper = Reaper::Start(std::move(options));
      _exit(!reaper.ok() && reaper.status().message().find("CLONE_VM") != std::string::npos);
    }
    int status = 0;
    waitpid(child, &status, 0);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
    return status == 0;
  }

  // Forks the VMM and waits until its reaper is ready.
  void Start(const Vmm& vmm) {
    const pid_t child = fork();
    if (child == 0) RunVmm(vmm);
    board_->vmm_pid = child;
    ASSERT_TRUE(Eventually([&] { return board_->vmm_ready.load() || Ended(board_->vmm_pid); }));
    ASSERT_STREQ(board_->note, "");
    ASSERT_GT(board_->reaper_pid, 0);
  }

  // Lets the VMM end, and returns its wait status.
  int EndVmm() {
    board_->vmm_may_end = true;
    int status = -1;
    EXPECT_EQ(waitpid(board_->vmm_pid, &status, 0), board_->vmm_pid);
    board_->vmm_pid = 0;
    return status;
  }

  int AwaitReaper() {
    int status = -1;
    EXPECT_EQ(waitpid(board_->reaper_pid, &status, 0), board_->reaper_pid);
    board_->reaper_pid = 0;
    return status;
  }

  void Run(const Vmm& vmm) {
    Start(vmm);
    if (HasFatalFailure()) return;
    EndVmm();
    EXPECT_EQ(AwaitReaper(), 0);
  }

  bool AwaitCall() {
    return Eventually([&] { return board_->calls > 0; });
  }

  static bool Ended(pid_t pid) {
    siginfo_t info = {};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
  }

  std::vector<std::uint32_t> Calls() const {
    std::vector<std::uint32_t> calls;
    for (std::uint32_t i = 0; i < board_->calls; ++i) calls.push_back(board_->call[i].command);
    return calls;
  }

  [[noreturn]] void Give(absl::string_view note) {
    note.copy(board_->note, sizeof board_->note - 1);
    _exit(1);
  }

  [[noreturn]] void RunVmm(const Vmm& vmm) {
    int memory_file = -1;
    if (vmm.memory_file) {
      memory_file = memfd_create("guest", MFD_CLOEXEC);
      if (ftruncate(memory_file, static_cast<off_t>(vmm.size)) != 0) Give("ftruncate");
    }
    const int flags = vmm.memory_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void* mapped =
        mmap(nullptr, vmm.size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, memory_file, 0);
    if (mapped == MAP_FAILED) Give("mmap");
    auto* memory = static_cast<std::uint8_t*>(mapped);
    board_->touched = Touch(memory, vmm.size);

    ReaperOptions options;
    options.name = "moon";
    if (vmm.survivor)
      options.survivor = std::make_unique<RecordingSurvivor>(*board_, memory, vmm.size);
    options.memory = absl::MakeSpan(memory, vmm.size);
    options.memory_fd = memory_file;
    options.strategy = vmm.strategy;
    options.chunk_size = 16 * kMiB;
    options.record = &board_->record;
    options.totals = &board_->totals;
    vmm.adjust(options);
    absl::StatusOr<std::unique_ptr<Reaper>> reaper = Reaper::Start(std::move(options));
    if (!reaper.ok()) Give(reaper.status().ToString());
    board_->reaper_pid = (*reaper)->pid();
    if (!(*reaper)->alive()) Give("not alive");
    vmm.before_end(**reaper);
    board_->vmm_ready = true;
    while (!board_->vmm_may_end) usleep(1000);
    if (vmm.end == Vmm::End::kKill) kill(getpid(), SIGKILL);
    _exit(0);
  }

  std::uint64_t Teardowns(TeardownCounter counter) { return board_->totals.of(counter).count; }

  void ExpectReleased() {
    EXPECT_EQ(board_->record.state, LedgerState::kReleased);
    EXPECT_EQ(board_->record.owed_pages, board_->touched);
    EXPECT_EQ(board_->record.returned_pages, board_->touched);
  }
  void ExpectNotReleased() {
    EXPECT_EQ(board_->record.state, LedgerState::kDying);
    EXPECT_EQ(board_->record.owed_pages, board_->touched);
    EXPECT_EQ(board_->record.returned_pages, 0u);
  }

  Board* board_ = nullptr;
};

// --- Release, by kind of memory and of end

class ReleaseTest : public ReaperTest,
                    public ::testing::WithParamInterface<std::tuple<bool, Vmm::End>> {};

TEST_P(ReleaseTest, BulkCleansThenReleasesEverything) {
  Vmm vmm;
  std::tie(vmm.memory_file, vmm.end) = GetParam();
  board_->hold = true;
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  const int status = EndVmm();
  EXPECT_EQ(WIFSIGNALED(status), vmm.end == Vmm::End::kKill);
  ASSERT_TRUE(AwaitCall());
  EXPECT_FALSE(Ended(board_->reaper_pid)) << "the VMM is to be gone long before its reaper";
  EXPECT_EQ(board_->record.state, LedgerState::kDying);
  EXPECT_EQ(board_->record.strategy, LedgerStrategy::kBulk);
  EXPECT_EQ(board_->record.owed_pages, board_->touched);
  EXPECT_EQ(board_->record.returned_pages, 0u);
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);

  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  for (std::uint32_t i = 0; i < board_->calls; ++i)
    EXPECT_EQ(board_->call[i].present, board_->touched) << "released before call " << i;
  ExpectReleased();
  EXPECT_GT(board_->record.pages_per_second, 0u);
  EXPECT_EQ(Teardowns(TeardownCounter::kCrash), 1u) << "the VMM has not entered dying";
  EXPECT_EQ(board_->totals.of(TeardownCounter::kCrash).pages, board_->touched);
}

INSTANTIATE_TEST_SUITE_P(Memory, ReleaseTest,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Vmm::End::kExit, Vmm::End::kKill)));

TEST_F(ReaperTest, MemoryFileIsEmptyAfterwardsForAllWhoHaveIt) {
  const int file = memfd_create("guest", MFD_CLOEXEC);
  Vmm vmm;
  vmm.adjust = [&](ReaperOptions& options) {
    ASSERT_EQ(ftruncate(file, static_cast<off_t>(vmm.size)), 0);
    void* mapped = mmap(options.memory.data(), vmm.size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, file, 0);
    ASSERT_EQ(mapped, options.memory.data());
    board_->touched = Touch(options.memory.data(), vmm.size);
    options.memory_fd = file;
  };
  Run(vmm);
  struct stat status;
  ASSERT_EQ(fstat(file, &status), 0);
  EXPECT_EQ(status.st_blocks, 0);
  EXPECT_EQ(status.st_size, static_cast<off_t>(vmm.size));
  close(file);
  ExpectReleased();
}

// --- What the commands answer

TEST_F(ReaperTest, NotProtectedAndNothingSetAsideIsNoObstacle) {
  board_->results[abi::KVM_PV_DISABLE] = -EINVAL;
  board_->results[abi::KVM_PV_ASYNC_CLEANUP_PERFORM] = -EINVAL;
  Run({});
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  ExpectReleased();
}

TEST_F(ReaperTest, FailedDisableReleasesNothing) {
  board_->results[abi::KVM_PV_DISABLE] = -EIO;
  Run({});
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_DISABLE, kClose));
  ExpectNotReleased();
  EXPECT_EQ(board_->totals.of(FallbackCounter::kOther), 1u);
}

TEST_F(ReaperTest, FailedPerformReleasesNothing) {
  board_->results[abi::KVM_PV_DISABLE] = -EINVAL;
  board_->results[abi::KVM_PV_ASYNC_CLEANUP_PERFORM] = -EIO;
  Run({});
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  ExpectNotReleased();
}

TEST_F(ReaperTest, ExitTouchesNothing) {
  Vmm vmm;
  vmm.strategy = ShutdownStrategy::kExit;
  Run(vmm);
  EXPECT_THAT(Calls(), IsEmpty());
  ExpectNotReleased();
  EXPECT_EQ(board_->record.strategy, LedgerStrategy::kExit);
}

TEST_F(ReaperTest, VmmThatDiesBeforeItHasCleanedInTheForegroundIsHelped) {
  board_->hold = true;
  Vmm vmm;
  vmm.strategy = ShutdownStrategy::kSync;
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  EndVmm();
  ASSERT_TRUE(AwaitCall());
  EXPECT_EQ(sched_getscheduler(board_->reaper_pid), SCHED_OTHER);
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  ExpectReleased();
}

TEST_F(ReaperTest, WithoutVmNothingIsSecureAndEverythingIsReleased) {
  for (const ShutdownStrategy strategy :
       {ShutdownStrategy::kBulk, ShutdownStrategy::kTrickle, ShutdownStrategy::kSync}) {
    board_->~Board();
    new (board_) Board{};
    board_->record.state = LedgerState::kRunning;
    Vmm vmm;
    vmm.survivor = false;
    vmm.strategy = strategy;
    Run(vmm);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(board_->record.strategy, LedgerStrategyOf(strategy));
    ExpectReleased();
  }
}

TEST_F(ReaperTest, WithoutVmExitTouchesNothing) {
  Vmm vmm;
  vmm.survivor = false;
  vmm.strategy = ShutdownStrategy::kExit;
  Run(vmm);
  ExpectNotReleased();
}

TEST_F(ReaperTest, LastStrategyBeforeTheEndCounts) {
  Vmm vmm;
  vmm.before_end = [this](Reaper& reaper) {
    reaper.SetStrategy(ShutdownStrategy::kTrickle);
    reaper.SetStrategy(ShutdownStrategy::kExit);
    EnterDying(board_->record, 0, LedgerStrategy::kNone, 1234);  // what an orderly VMM does
  };
  Run(vmm);
  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(Teardowns(TeardownCounter::kShutdownExit), 1u);
  EXPECT_EQ(Teardowns(TeardownCounter::kCrash), 0u);
  EXPECT_EQ(board_->record.stopped_ns, 1234u) << "that was for the VMM to say";
}

// --- Trickle

TEST_F(ReaperTest, TrickleReleasesTheLowerPartWhilePerformRuns) {
  constexpr std::uint64_t kLowerPages = (std::uint64_t{2} << 30) / kPage;
  Vmm vmm;
  vmm.size = std::uint64_t{2112} * kMiB;  // of which a third is touched
  vmm.strategy = ShutdownStrategy::kTrickle;
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  EndVmm();
  EXPECT_EQ(AwaitReaper(), 0);
  ASSERT_THAT(Calls(), ElementsAre(abi::KVM_PV_ASYNC_CLEANUP_PREPARE,
                                   abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  EXPECT_EQ(board_->call[0].present, board_->touched);
  // Nothing above 2 GiB goes before PERFORM has gone some way, and this one returns at once.
  EXPECT_GE(board_->call[2].present, board_->touched - (kLowerPages + 2) / 3);
  ExpectReleased();
}

TEST_F(ReaperTest, TrickleWithNothingToLearnFromWaitsForPerform) {
  Vmm vmm;  // fewer pages than an estimate needs; all of them below 2 GiB
  vmm.strategy = ShutdownStrategy::kTrickle;
  Run(vmm);
  ASSERT_THAT(Calls(), ElementsAre(abi::KVM_PV_ASYNC_CLEANUP_PREPARE,
                                   abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  ExpectReleased();
}

TEST_F(ReaperTest, TrickleBecomesBulkWhenPrepareFails) {
  board_->results[abi::KVM_PV_ASYNC_CLEANUP_PREPARE] = -EINVAL;
  Vmm vmm;
  vmm.strategy = ShutdownStrategy::kTrickle;
  Run(vmm);
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_ASYNC_CLEANUP_PREPARE, abi::KVM_PV_DISABLE,
                                   abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  for (std::uint32_t i = 0; i < board_->calls; ++i)
    EXPECT_EQ(board_->call[i].present, board_->touched);
  ExpectReleased();
  EXPECT_EQ(board_->totals.of(FallbackCounter::kPrepareFailed), 1u);
}

TEST_F(ReaperTest, FailedPerformOfTrickleKeepsWhatPrepareDidNotClean) {
  board_->results[abi::KVM_PV_ASYNC_CLEANUP_PERFORM] = -EIO;
  Vmm vmm;
  vmm.strategy = ShutdownStrategy::kTrickle;
  vmm.size = std::uint64_t{2112} * kMiB;
  Run(vmm);
  EXPECT_THAT(Calls(), ElementsAre(abi::KVM_PV_ASYNC_CLEANUP_PREPARE,
                                   abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
  EXPECT_EQ(board_->record.state, LedgerState::kDying);
  EXPECT_GT(board_->record.returned_pages, 0u);
  EXPECT_LT(board_->record.returned_pages, board_->touched);
  EXPECT_EQ(board_->totals.of(FallbackCounter::kPerformFailed), 1u);
}

// --- What the process is

// All descriptors of a process: number and target.
std::map<int, std::string> Descriptors(int pid) {
  std::map<int, std::string> found;
  const std::string directory = absl::StrCat("/proc/", pid, "/fd");
  DIR* entries = opendir(directory.c_str());
  while (const dirent* entry = entries != nullptr ? readdir(entries) : nullptr) {
    if (entry->d_name[0] == '.') continue;
    char target[256] = {};
    const std::string path = absl::StrCat(directory, "/", entry->d_name);
    if (readlink(path.c_str(), target, sizeof target - 1) > 0)
      found[std::atoi(entry->d_name)] = target;
  }
  if (entries != nullptr) closedir(entries);
  return found;
}

TEST_F(ReaperTest, IsConfinedBeforeStartReturns) {
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  const int pid = board_->reaper_pid;
  DIR* tasks = opendir(absl::StrCat("/proc/", pid, "/task").c_str());
  std::set<std::string> names;
  while (const dirent* entry = tasks != nullptr ? readdir(tasks) : nullptr) {
    const int task = std::atoi(entry->d_name);
    if (task == 0) continue;
    names.insert(StatusLine(task, "Name"));
    EXPECT_EQ(StatusLine(task, "Seccomp"), "2");
    EXPECT_EQ(StatusLine(task, "NoNewPrivs"), "1");
    EXPECT_EQ(StatusLine(task, "CapEff"), "0000000000000000");
    EXPECT_EQ(StatusLine(task, "CapPrm"), "0000000000000000");
    // All but SIGKILL and SIGSTOP.
    EXPECT_EQ(StatusLine(task, "SigBlk"), "fffffffffffbfeff");
  }
  closedir(tasks);
  EXPECT_THAT(names, ElementsAre("lethe-cleaner", "lethe-reaper"));
  EXPECT_EQ(getsid(pid), pid);
  EXPECT_EQ(getpgid(pid), pid);
  EndVmm();
  EXPECT_EQ(AwaitReaper(), 0);
}

TEST_F(ReaperTest, HasOnlyTheDescriptorsItNeeds) {
  int extra[2];
  ASSERT_EQ(pipe(extra), 0);
  const int needed = memfd_create("needed", MFD_CLOEXEC);
  board_->needed_fd = needed;
  Vmm vmm;
  vmm.memory_file = true;
  vmm.adjust = [&](ReaperOptions& options) { options.descriptors = {extra[1]}; };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  std::map<std::string, int> kinds;
  const std::map<int, std::string> found = Descriptors(board_->reaper_pid);
  for (const auto& [fd, target] : found)
    ++kinds[std::string(absl::StripSuffix(target, " (deleted)"))];
  // pidfds were shown as anonymous inodes before Linux 6.9.
  int pidfds = 0, pipes = 0;
  for (const auto& [kind, count] : kinds) {
    if (kind.find("pidfd") != std::string::npos) pidfds += count;
    if (kind.find("pipe:") != std::string::npos) pipes += count;
  }
  EXPECT_EQ(pidfds, 1);
  EXPECT_EQ(pipes, 1) << "the one asked for; its status pipe is done with";
  EXPECT_EQ(kinds["anon_inode:[eventfd]"], 3);
  EXPECT_EQ(kinds["/memfd:guest"], 1);
  EXPECT_EQ(kinds[absl::StrCat("/proc/", board_->reaper_pid.load(), "/oom_score_adj")], 1);
  EXPECT_EQ(kinds["/memfd:needed"], 1);
  EXPECT_EQ(found.size(), 8u);
  close(extra[1]);
  close(needed);
  EndVmm();
  EXPECT_EQ(AwaitReaper(), 0);
  char byte;
  EXPECT_EQ(read(extra[0], &byte, 1), 0) << "end of file once the reaper is gone";
  close(extra[0]);
}

TEST_F(ReaperTest, SaysWhatItIsOnceTheVmmIsGone) {
  std::string arguments;
  Vmm vmm;
  // This process's own argument area, as the kernel knows it.
  std::vector<std::string> fields =
      absl::StrSplit(Read("/proc/self/stat"), ' ');  // gtest's name has no blank
  ASSERT_GT(fields.size(), 49u);
  const auto start = std::strtoull(fields[47].c_str(), nullptr, 10);
  const auto end = std::strtoull(fields[48].c_str(), nullptr, 10);
  ASSERT_GT(end, start);
  vmm.adjust = [=](ReaperOptions& options) {
    options.arguments = absl::MakeSpan(reinterpret_cast<char*>(start), end - start);
  };
  board_->hold = true;
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  const std::string before = Read(absl::StrCat("/proc/", board_->reaper_pid.load(), "/cmdline"));
  EXPECT_EQ(before, Read("/proc/self/cmdline"));
  EndVmm();
  ASSERT_TRUE(AwaitCall());
  const std::string after = Read(absl::StrCat("/proc/", board_->reaper_pid.load(), "/cmdline"));
  EXPECT_EQ(after.substr(0, std::strlen(after.c_str())),
            std::string("lethe: reaper of moon").substr(0, end - start - 1));
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
}

TEST_F(ReaperTest, BecomesTheFirstVictimAndIdleOnlyAfterTheVmm) {
  board_->hold = true;
  Start({});
  ASSERT_FALSE(HasFatalFailure());
  const std::string path = absl::StrCat("/proc/", board_->reaper_pid.load(), "/oom_score_adj");
  EXPECT_EQ(Read(path), Read("/proc/self/oom_score_adj"));
  EXPECT_EQ(sched_getscheduler(board_->reaper_pid), SCHED_OTHER);
  EndVmm();
  ASSERT_TRUE(AwaitCall());
  EXPECT_EQ(Read(path), "1000\n");
  EXPECT_EQ(sched_getscheduler(board_->reaper_pid), SCHED_IDLE);
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
}

TEST_F(ReaperTest, KeepsItsPriorityIfToldSo) {
  board_->hold = true;
  Vmm vmm;
  vmm.adjust = [](ReaperOptions& options) { options.priority = ReaperPriority::kNormal; };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  EndVmm();
  ASSERT_TRUE(AwaitCall());
  EXPECT_EQ(sched_getscheduler(board_->reaper_pid), SCHED_OTHER);
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
}

TEST_F(ReaperTest, PressureRaisesThePriorityWhereThatIsPermitted) {
  // Out-of-band data makes a socket ready as a trigger does.
  int trigger[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, trigger), 0);
  board_->hold = true;
  std::atomic<bool> permitted = false;
  Vmm vmm;
  vmm.adjust = [&](ReaperOptions& options) { options.pressure_triggers = {trigger[0]}; };
  vmm.before_end = [this](Reaper& reaper) {
    board_->note[255] = reaper.warnings().empty() ? 1 : 2;
  };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  permitted = board_->note[255] == 1;
  EndVmm();
  ASSERT_TRUE(AwaitCall());
  EXPECT_EQ(sched_getscheduler(board_->reaper_pid), SCHED_IDLE);
  if (send(trigger[1], "!", 1, MSG_OOB) != 1) GTEST_SKIP() << "no out-of-band data here";
  if (permitted) {
    EXPECT_TRUE(Eventually([&] { return sched_getscheduler(board_->reaper_pid) == SCHED_OTHER; }));
  }
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
  ExpectReleased();
  close(trigger[0]);
  close(trigger[1]);
}

TEST_F(ReaperTest, DeadPressureTriggerDoesNotDisturb) {
  int trigger[2];
  ASSERT_EQ(pipe(trigger), 0);
  close(trigger[0]);  // the other end reports POLLERR from now on
  Vmm vmm;
  vmm.adjust = [&](ReaperOptions& options) { options.pressure_triggers = {trigger[1]}; };
  Run(vmm);
  ExpectReleased();
  close(trigger[1]);
}

// --- Survival

TEST_F(ReaperTest, OutlivesSignalsToItselfAndToTheGroupOfTheVmm) {
  board_->hold = true;
  Vmm vmm;
  vmm.adjust = [](ReaperOptions&) { setpgid(0, 0); };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGSEGV, SIGPIPE})
    EXPECT_EQ(kill(board_->reaper_pid, signal), 0);
  EXPECT_EQ(kill(-board_->vmm_pid, SIGTERM), 0);
  const int status = EndVmm();
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(AwaitCall());
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) EXPECT_EQ(kill(board_->reaper_pid, signal), 0);
  board_->hold = false;
  EXPECT_EQ(AwaitReaper(), 0);
  ExpectReleased();
}

TEST_F(ReaperTest, FurtherThreadsOfTheVmmAreNoObstacle) {
  Vmm vmm;
  vmm.end = Vmm::End::kKill;
  vmm.before_end = [](Reaper&) {
    for (int i = 0; i < 4; ++i)
      std::thread([] {
        while (true) std::vector<char>(1000).clear();
      }).detach();
  };
  Run(vmm);
  ExpectReleased();
}

TEST_F(ReaperTest, DismissedHelperEndsAndTouchesNothing) {
  Vmm vmm;
  vmm.before_end = [this](Reaper& reaper) {
    reaper.Dismiss();
    if (reaper.alive()) Give("still alive");
    if (kill(board_->reaper_pid, 0) == 0 || errno != ESRCH) Give("still there");
    reaper.Dismiss();  // twice is no harm
    if (reaper.pid() != board_->reaper_pid) Give("another id");
  };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  board_->reaper_pid = 0;
  EXPECT_EQ(EndVmm(), 0);
  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(board_->record.state, LedgerState::kRunning);
  EXPECT_EQ(waitpid(-1, nullptr, __WALL), -1) << "nobody is left";
}

// As a monitor asks while the guest ends.
TEST_F(ReaperTest, OtherThreadsMayAskWhileTheHelperIsDismissed) {
  Vmm vmm;
  vmm.before_end = [this](Reaper& reaper) {
    const pid_t pid = reaper.pid();
    std::atomic<bool> asked = false;
    std::atomic<bool> same = true;
    std::thread asker([&] {
      while (reaper.alive()) {
        same = same && reaper.pid() == pid;
        asked = true;
      }
      same = same && reaper.pid() == pid;
    });
    while (!asked) usleep(100);
    reaper.Dismiss();
    asker.join();
    if (!same) Give("the id has changed");
  };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  board_->reaper_pid = 0;
  EXPECT_EQ(EndVmm(), 0);
}

TEST_F(ReaperTest, WithoutAPressureTriggerThatIsSaid) {
  Vmm vmm;
  vmm.before_end = [this](Reaper& reaper) {
    if (std::none_of(reaper.warnings().begin(), reaper.warnings().end(), [](const auto& line) {
          return line.find("the reaper does not notice memory pressure") == 0;
        }))
      Give("no warning");
  };
  Run(vmm);
}

TEST_F(ReaperTest, DeathOfTheHelperIsNoticed) {
  Vmm vmm;
  vmm.before_end = [this](Reaper& reaper) {
    if (!reaper.alive()) Give("dead too early");
    kill(reaper.pid(), SIGKILL);
    if (!Eventually([&] { return !reaper.alive(); })) Give("alive after SIGKILL");
  };
  Start(vmm);
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_EQ(EndVmm(), 0);
  EXPECT_EQ(WTERMSIG(AwaitReaper()), SIGKILL);
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ReaperTest, CgroupThatCannotBeHadIsAWarning) {
  Vmm vmm;
  vmm.adjust = [](ReaperOptions& options) { options.cgroup = "/nonexistent"; };
  vmm.before_end = [this](Reaper& reaper) {
    if (std::none_of(reaper.warnings().begin(), reaper.warnings().end(), [](const auto& line) {
          return line.find("/nonexistent/cgroup.procs") != std::string::npos;
        }))
      Give("no warning");
  };
  Run(vmm);
  ExpectReleased();
}

TEST_F(ReaperTest, OptionsThatMakeNoSenseAreRefused) {
  std::uint8_t byte = 0;
  {
    ReaperOptions options;
    options.memory = absl::MakeSpan(&byte, 1);
    EXPECT_EQ(Reaper::Start(std::move(options)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  {
    ReaperOptions options;
    options.chunk_size = 5;
    EXPECT_EQ(Reaper::Start(std::move(options)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  {
    ReaperOptions options;
    options.descriptors.resize(kMaxKeptDescriptors);
    for (int i = 0; i < static_cast<int>(kMaxKeptDescriptors); ++i)
      options.descriptors[i] = 1000 + i;
    EXPECT_EQ(Reaper::Start(std::move(options)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

// The VMM is killed at any moment from before the start of its reaper on; whatever happens, nobody
// is left, and if the reaper was ready the memory was cleaned and released.
TEST_F(ReaperTest, VmmKilledAtRandomMomentsLeavesNothing) {
  int ready = 0;
  for (int round = 0; round < 50; ++round) {
    board_->~Board();
    new (board_) Board{};
    board_->needed_fd = -1;
    Vmm vmm;
    vmm.size = 8 * kMiB;
    vmm.memory_file = round % 2 == 0;
    const pid_t child = fork();
    if (child == 0) RunVmm(vmm);
    usleep(static_cast<useconds_t>(std::rand() % 6000));
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
    if (board_->reaper_pid == 0) continue;
    ++ready;
    board_->reaper_pid = 0;
    EXPECT_THAT(Calls(),
                ElementsAre(abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, kClose));
    ExpectReleased();
  }
  RecordProperty("ready", ready);
}

}  // namespace
}  // namespace lethe
