#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "tests/fault/child_processes.h"
#include "tests/fault/life.h"
#include "tests/fault/matrix.h"

// Every call that a guest's life makes of the kernel fails in every way the kernel has, on a whole
// machine with a real guest in it. Each life is in a process of its own, so that nothing it does
// (crash, hang, leak) touches another.
//
// LETHE_FAULT_CASES: how many of the cases are run, "all" for all; LETHE_FAULT_SEED chooses them.
namespace lethe::fault {
namespace {

constexpr std::size_t kCases = 800;
constexpr std::uint32_t kSeed = 1;
constexpr unsigned kParallel = 2;
constexpr std::chrono::seconds kPatience(60);  // a life takes milliseconds

constexpr LifeKind kKinds[] = {
    {"ordinary", false, DestroyMode::kLazy},
    {"protected, lazy", true, DestroyMode::kLazy},
    {"protected, sync", true, DestroyMode::kSync},
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

  // A life without faults, seen from this process.
  std::vector<kvm::KernelCall> Record(const LifeKind& kind) {
    std::string error;
    std::vector<kvm::KernelCall> calls = RecordLife(kind, files_, key_, error);
    EXPECT_EQ(error, "") << kind.name;
    return calls;
  }

  std::vector<FaultCase> Generate() {
    std::vector<FaultCase> cases;
    std::vector<std::string> unknown;
    for (const LifeKind& kind : kKinds) {
      const std::vector<kvm::KernelCall> calls = Record(kind);
      std::vector<FaultCase> some = CasesOf(kind, calls, unknown);
      std::printf("%s: %zu calls, %zu faults\n", kind.name, calls.size(), some.size());
      std::move(some.begin(), some.end(), std::back_inserter(cases));
    }
    EXPECT_THAT(unknown, ::testing::IsEmpty()) << "no failures are known of these calls";
    return cases;
  }

  void Check(const FaultCase& one, const TaskEnd& end) {
    if (end.kind != TaskEnd::Kind::kReturned) {
      const char* const what = end.kind == TaskEnd::Kind::kHung   ? "hangs"
                               : end.kind == TaskEnd::Kind::kDied ? "crashes: "
                                                                  : "leaves a process behind: ";
      ADD_FAILURE() << one.Name() << "\n  " << what << end.text;
      return;
    }
    const LifeResult result = LifeResult::Parse(end.text);
    if (result.struck == 0 && result.ending == Ending::kGoesOn && one.may_miss()) {
      ++missed_;
      return;
    }
    ++endings_[result.ending];
    const bool right =
        std::find(one.endings.begin(), one.endings.end(), result.ending) != one.endings.end();
    if (!right)
      ADD_FAILURE() << one.Name() << "\n  " << EndingName(result.ending) << ": " << result.text;
    if (result.struck == 0) ADD_FAILURE() << one.Name() << "\n  the call was not made";
  }

  const HostKey key_ = HostKey::Generate();
  std::string directory_;
  GuestFiles files_;
  std::map<Ending, unsigned> endings_;
  unsigned missed_ = 0;
};

TEST_F(FaultMatrix, EveryFaultHasOneOfThreeEndings) {
  const std::vector<FaultCase> all = Generate();
  if (HasFailure()) return;
  const std::uint32_t seed = Seed();
  const std::vector<FaultCase> cases = Sample(all, CasesWanted(), seed);
  const auto begin = std::chrono::steady_clock::now();
  RunInChildren(
      cases.size(), kParallel, kPatience,
      [&](std::size_t i) { return Live(*cases[i].kind, files_, key_, cases[i].fault).Serialize(); },
      [&](std::size_t i, const TaskEnd& end) { Check(cases[i], end); });
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::printf("fault matrix: %zu cases (%u go on, %u architected answer, %u clear error)\n",
              cases.size(), endings_[Ending::kGoesOn], endings_[Ending::kAnswered],
              endings_[Ending::kError]);
  std::printf("of %zu, seed %u, in %.1f s; %u entries into the guest were not made\n", all.size(),
              seed, taken.count(), missed_);
}

}  // namespace
}  // namespace lethe::fault

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
