#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "accel/kvm-s390/abi.h"
#include "base/check.h"
#include "base/status_matchers.h"
#include "tests/fault/child_processes.h"
#include "tests/fault/life.h"
#include "tests/fault/matrix.h"

// Every call that a guest's life makes of the kernel fails in every way the kernel has, on a whole
// machine with a real guest in it. Each life is in a process of its own, so that nothing it does
// (crash, hang, leak) touches another.
//
// LETHE_FAULT_CASES: how many of the cases are run, "all" for all; LETHE_FAULT_SEED chooses them;
// LETHE_FAULT_ONLY: only cases with this text in their name.
namespace lethe::fault {
namespace {

constexpr std::size_t kCases = 800;
constexpr std::uint32_t kSeed = 1;
constexpr unsigned kParallel = 2;
constexpr std::chrono::seconds kPatience(60);  // a life takes milliseconds

constexpr auto kLazy = DestroyMode::kLazy;
constexpr auto kSync = DestroyMode::kSync;
constexpr LifeKind kKinds[] = {
    {"ordinary", false, kLazy, kSync},
    {"protected, lazy", true, kLazy, kSync},
    {"protected, sync", true, kSync, kSync},
    {"ordinary, reaper", false, kLazy, kLazy, true},
    {"protected, reaper", true, kLazy, kLazy, true},
    {"protected, reaper in need", true, kLazy, kLazy, true, PressureLevel::kHigh},
};

std::size_t CasesWanted() {
  const char* const text = std::getenv("LETHE_FAULT_CASES");
  if (text == nullptr) return kCases;
  std::uint64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? number : std::size_t{1} << 32;
}

std::uint32_t Seed() {
  const char* const text = std::getenv("LETHE_FAULT_SEED");
  std::uint32_t number = kSeed;
  if (text != nullptr && !absl::SimpleAtoi(text, &number)) ADD_FAILURE() << "LETHE_FAULT_SEED";
  return number;
}

// Shared with the processes of the lives.
class RemainsOfMany {
 public:
  explicit RemainsOfMany(std::size_t count) : count_(count) {
    void* const memory = mmap(nullptr, count * sizeof(Remains), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LETHE_CHECK(memory != MAP_FAILED);
    remains_ = static_cast<Remains*>(memory);
    std::uninitialized_value_construct_n(remains_, count);
    for (std::size_t i = 0; i < count; ++i) remains_[i].record.state = LedgerState::kRunning;
  }
  ~RemainsOfMany() { munmap(remains_, count_ * sizeof(Remains)); }
  RemainsOfMany(const RemainsOfMany&) = delete;
  RemainsOfMany& operator=(const RemainsOfMany&) = delete;

  Remains& operator[](std::size_t i) { return remains_[i]; }

 private:
  const std::size_t count_;
  Remains* remains_ = nullptr;
};

class FaultMatrix : public ::testing::Test {
 protected:
  FaultMatrix() {
    std::string pattern = ::testing::TempDir() + "/lethe-fault-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    absl::StatusOr<GuestFiles> files = GuestFiles::Make(directory_, key_);
    EXPECT_THAT(files, IsOk());
    if (files.ok()) files_ = *std::move(files);
  }
  ~FaultMatrix() override { std::filesystem::remove_all(directory_); }

  // The calls of a life without faults.
  LifeRecord Record(const LifeKind& kind) {
    LifeRecord record;
    RemainsOfMany remains(1);
    RunInChildren(
        1, 1, kPatience,
        [&](std::size_t) {
          LifeRecord called;
          LifeResult result = Live(kind, files_, key_, {}, remains[0], &called);
          if (result.ending == Ending::kGoesOn) result.text = called.Serialize();
          return result.Serialize();
        },
        [&](std::size_t, const TaskEnd& end) {
          const LifeResult result = LifeResult::Parse(end.text);
          EXPECT_EQ(end.kind, TaskEnd::Kind::kReturned) << kind.name << ": " << end.text;
          EXPECT_EQ(result.ending, Ending::kGoesOn) << kind.name << ": " << result.text;
          EXPECT_EQ(result.left_to_reaper, kind.reaper) << kind.name;
          record = LifeRecord::Parse(result.text);
        });
    AddCallsOfSurvivor(remains[0].journal, record.calls);
    return record;
  }

  static void AddCallsOfSurvivor(const kvm::SurvivorJournal& journal,
                                 std::vector<kvm::KernelCall>& calls) {
    for (std::uint32_t i = 0; i < journal.count; ++i)
      calls.push_back(
          {.kind = kvm::KernelCall::Kind::kSurvivorCommand, .subject = journal.entries[i].command});
  }

  std::vector<FaultCase> Generate() {
    std::vector<FaultCase> cases;
    std::vector<std::string> unknown;
    for (const LifeKind& kind : kKinds) {
      const LifeRecord record = Record(kind);
      std::vector<FaultCase> some = CasesOf(kind, record, unknown);
      std::printf("%s: %zu calls, %zu faults\n", kind.name, record.calls.size(), some.size());
      std::move(some.begin(), some.end(), std::back_inserter(cases));
    }
    EXPECT_THAT(unknown, ::testing::IsEmpty()) << "no failures are known of these calls";
    return cases;
  }

  void Run(const std::vector<FaultCase>& cases) {
    RemainsOfMany remains(cases.size());
    RunInChildren(
        cases.size(), kParallel, kPatience,
        [&](std::size_t i) {
          return Live(*cases[i].kind, files_, key_, cases[i].trouble, remains[i], nullptr)
              .Serialize();
        },
        [&](std::size_t i, const TaskEnd& end) { Check(cases[i], end, remains[i]); });
  }

  void Check(const FaultCase& one, const TaskEnd& end, const Remains& remains) {
    if (end.kind != TaskEnd::Kind::kReturned) {
      const char* const what = end.kind == TaskEnd::Kind::kHung   ? "hangs"
                               : end.kind == TaskEnd::Kind::kDied ? "crashes: "
                                                                  : "leaves a process behind: ";
      ADD_FAILURE() << one.Name() << "\n  " << what << end.text;
      return;
    }
    LifeResult result = LifeResult::Parse(end.text);
    result.struck += remains.journal.struck;
    if (result.left_to_reaper) CheckRemains(one, remains);
    if (result.struck == 0 && result.ending == Ending::kGoesOn && one.may_miss()) {
      ++missed_;
      return;
    }
    ++endings_[result.ending];
    const bool right =
        std::find(one.endings.begin(), one.endings.end(), result.ending) != one.endings.end();
    if (!right)
      ADD_FAILURE() << one.Name() << "\n  " << EndingName(result.ending) << ": " << result.text;
    if (result.ending == Ending::kError && !one.IsClear(result.text))
      ADD_FAILURE() << one.Name() << "\n  is not told: " << result.text;
    if (result.ending == Ending::kAnswered && !one.IsAnswer(result.text))
      ADD_FAILURE() << one.Name() << "\n  is not answered: " << result.text;
    if (result.struck == 0) ADD_FAILURE() << one.Name() << "\n  the call was not made";
  }

  // After the reaper: either it has given back what it has cleaned, or it has left all to the
  // kernel.
  void CheckRemains(const FaultCase& one, const Remains& remains) {
    const kvm::SurvivorJournal& journal = remains.journal;
    const bool released = remains.record.state == LedgerState::kReleased;
    ++(released ? released_ : left_to_kernel_);
    bool failed = false;
    for (std::uint32_t i = 0; i < journal.count; ++i) {
      const auto& [command, result] = journal.entries[i];
      // PREPARE that fails leads to DISABLE; EINVAL of the others: there is nothing to clean.
      failed |= command != abi::KVM_PV_ASYNC_CLEANUP_PREPARE && result != 0 && result != -EINVAL;
    }
    // Without a survivor, or with a guest that could not be destroyed, the kernel does all.
    const auto& fault = one.trouble.fault;
    const bool has_survivor = !fault || fault->call->kind != kvm::KernelCall::Kind::kMakeSurvivor;
    const bool works = has_survivor && remains.record.strategy != LedgerStrategy::kExit;
    EXPECT_EQ(journal.closed, works) << one.Name();
    EXPECT_EQ(released, works && !failed) << one.Name() << "\n  after the VMM's end";
    if (released) {
      EXPECT_EQ(remains.record.returned_pages, remains.record.owed_pages) << one.Name();
    }
  }

  const HostKey key_ = HostKey::Generate();
  std::string directory_;
  GuestFiles files_;
  std::map<Ending, unsigned> endings_;
  unsigned missed_ = 0;
  unsigned released_ = 0;
  unsigned left_to_kernel_ = 0;
};

TEST_F(FaultMatrix, EveryFaultHasOneOfThreeEndings) {
  std::vector<FaultCase> all = Generate();
  if (HasFailure()) return;
  if (const char* const only = std::getenv("LETHE_FAULT_ONLY"))
    std::erase_if(all,
                  [only](const FaultCase& one) { return !absl::StrContains(one.Name(), only); });
  const std::uint32_t seed = Seed();
  const std::vector<FaultCase> cases = Sample(all, CasesWanted(), seed);
  const auto begin = std::chrono::steady_clock::now();
  Run(cases);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::printf("fault matrix: %zu cases (%u go on, %u architected answer, %u clear error)\n",
              cases.size(), endings_[Ending::kGoesOn], endings_[Ending::kAnswered],
              endings_[Ending::kError]);
  std::printf("left to the reaper: %u released, %u to the kernel\n", released_, left_to_kernel_);
  std::printf("of %zu, seed %u, in %.1f s; %u entries into the guest were not made\n", all.size(),
              seed, taken.count(), missed_);
}

// ENABLE has masked service signals by then, and the kernel leaves it at that: the guest's next
// service call, to say what has happened, would be its last.
TEST_F(FaultMatrix, AGuestThatIsRefusedItsCpusCanSaySo) {
  const emulated::UvcFault fault = {.call = emulated::Uvc::kCreateCpu,
                                    .result = emulated::UvcResult::Refused(0x8003),
                                    .after = 1,
                                    .times = ~std::uint64_t{0}};
  Run({{&kKinds[1], {.uvc_fault = fault}, {Ending::kAnswered}}});
  EXPECT_EQ(endings_[Ending::kAnswered], 1u);
}

}  // namespace
}  // namespace lethe::fault

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
