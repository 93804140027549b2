#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <random>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "emulated-host/kvm/protecting_user.h"

// A guest with secrets lives and dies again and again by commands in random order, while its memory
// is cleaned by two threads, somebody looks into it, and the Ultravisor refuses, is busy, or does a
// part only whenever it likes.
//
// LETHE_LIVES: how many commands.
namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

class LazyDestroy : public ::testing::TestWithParam<std::pair<bool, bool>> {
 protected:
  LazyDestroy() : host_(Features(), Options(), SecretProgram()), cpu_(host_->AddCpu()) {}

  static UltravisorFeatures Features() {
    UltravisorFeatures features;
    std::tie(features.destroy_fast, features.misc) = GetParam();
    return features;
  }
  EmulatedKernelOptions Options() {
    EmulatedKernelOptions options;
    // Seldom, and for one thread at a time, as if that one had got it.
    options.fatal_signal_pending = [this] { return ++signal_questions_ % 61 == 0; };
    options.on_refused_import = [this] { ++refused_imports_; };
    return options;
  }

  static bool AreCodesUntouched(const Result& result) {
    return result.rc == kUntouched && result.rrc == kUntouched;
  }
  // A machine that is protected asks the Ultravisor; one that is not, does not.
  bool IsActive() { return !AreCodesUntouched(host_.Command(abi::KVM_PV_UNSHARE_ALL)); }

  // --- what happens beside the commands ----------------------------------------------------------

  void RunCpu() {
    cpu_thread_ = pthread_self();
    while (!stop_) {
      idle_ = true;
      while (!running_ && !stop_) std::this_thread::yield();
      idle_ = false;
      while (running_ && !stop_) host_->Run(cpu_);
    }
    idle_ = true;
  }
  void Clean() {
    for (; !stop_; std::this_thread::yield()) {
      const std::lock_guard lock(cleaners_[next_cleaner_++ % cleaners_.size()]);
      const Result result = host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM);
      if (result.error == 0) ++performed_;
      if (result == ProtectingUser::kSetAside) ++interrupted_;
      const bool known = result.error == 0 || result.error == -EIO || result.error == -EINVAL;
      if (!known || (result.error == -EINVAL && !AreCodesUntouched(result))) ++surprises_;
    }
  }
  // Looks at memory that others store into, as any host can: no race of the program's.
  ABSL_ATTRIBUTE_NO_SANITIZE_THREAD void Look() {
    std::minstd_rand random(5);
    const volatile std::uint8_t* const bytes = host_->memory().bytes();
    while (!stop_) {
      const std::size_t page = random() % (host_->memory().size() / kPageSize);
      for (std::size_t at = 0; at < kPageSize; at += 256) {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < 8; ++i) word = word << 8 | bytes[page * kPageSize + at + i];
        if (word == kSecret) ++leaks_;
      }
      ++looks_;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
  void Disturb(std::mt19937& random) {
    constexpr UvcResult kResults[] = {UvcResult::Busy(), UvcResult::Partial(),
                                      UvcResult::Refused(0x1234, 0x56),
                                      UvcResult::Refused(0x8123, 4)};
    if (host_.ultravisor().faults().waiting() > 24) host_.ultravisor().faults().Clear();
    UvcFault fault;
    fault.call = kUvcNumbers[random() % kUvcNumbers.size()].call;
    fault.result = kResults[random() % std::size(kResults)];
    fault.times = 1 + random() % 4;
    fault.after = fault.call == Uvc::kDestroyPage ? random() % 300 : random() % 3;
    // (A CPU that stays keeps all its memory: a test of its own.)
    if (fault.call == Uvc::kDestroyCpu && fault.result.cc == 1) fault.result = UvcResult::Busy();
    host_.ultravisor().Inject(fault);
  }

  // --- commands, each with what it may answer ----------------------------------------------------

  void Enable() {
    const bool active = IsActive();
    const Result result = host_.Command(abi::KVM_PV_ENABLE);
    if (active) {
      EXPECT_EQ(result, Refused(-EINVAL));
    } else {
      EXPECT_TRUE(result == ProtectingUser::kDone || result.error == -EIO) << result;
    }
    EXPECT_EQ(IsActive(), active || result.error == 0) << result;
  }
  void Disable() {
    const bool active = IsActive();
    const Result result = host_.Command(abi::KVM_PV_DISABLE);
    if (!active) {
      EXPECT_EQ(result, Refused(-EINVAL));
    }
    if (result.error == 0) {
      EXPECT_FALSE(IsActive());
    }
  }
  Result SetAside() {
    const bool active = IsActive();
    const Result result = host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE);
    if (!active) {
      EXPECT_EQ(result, Refused(-EINVAL));
    }
    if (result.error == 0) {
      EXPECT_EQ(result, ProtectingUser::kSetAside);
      ++prepared_;
    }
    EXPECT_EQ(IsActive(), active && result.error != 0);
    return result;
  }
  // As far as the Ultravisor lets it.
  void Start(std::mt19937& random) {
    host_->Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET);
    std::copy(host_.file().begin(), host_.file().end(), host_->memory().bytes());
    Enable();
    if (host_.SetParameters().error != 0 || host_.Unpack().error != 0) return;
    if (host_.Command(abi::KVM_PV_VERIFY).error != 0) return;
    if (host_->SetState(cpu_, abi::KVM_MP_STATE_LOAD) != 0) return;
    if (host_->SetState(cpu_, abi::KVM_MP_STATE_OPERATING) != 0) return;
    running_ = true;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    running_ = false;
    cpu_.run->immediate_exit = 1;
    while (!idle_) host_->kernel().Kick(cpu_.fd, cpu_thread_);
    cpu_.run->immediate_exit = 0;
    host_->SetState(cpu_, abi::KVM_MP_STATE_STOPPED);
    ++started_;
  }
  // Nobody cleans: of two that are set aside the second is refused, and DISABLE ends both.
  void SetAsideTwice(std::mt19937& random) {
    const std::scoped_lock lock(cleaners_[0], cleaners_[1]);
    Start(random);
    if (SetAside().error != 0) return;
    Start(random);
    if (!IsActive()) return;
    EXPECT_NE(SetAside().error, 0);
    Disable();
  }
  void Command(std::mt19937& random) {
    switch (random() % 16) {
      case 0:
      case 1:
      case 2:
        return Disable();
      case 3:
      case 4:
      case 5:
      case 6:
        SetAside();
        return;
      case 7:
        return Enable();
      case 8:
        host_.Command(abi::KVM_PV_VERIFY);
        return;
      case 9:
        host_.Command(abi::KVM_PV_PREP_RESET);
        host_->Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET);
        return;
      case 10:
        return SetAsideTwice(random);
      default:
        return Start(random);
    }
  }

  // --- the end -----------------------------------------------------------------------------------

  void ExpectNothingLeft() {
    host_.ultravisor().faults().Clear();
    signal_questions_ = 1;
    if (!IsActive()) {
      EXPECT_EQ(host_.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
    }
    EXPECT_EQ(host_.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
    // What the Ultravisor refused to end is lost to both; all else is gone.
    EXPECT_EQ(static_cast<std::size_t>(host_->kernel().configurations()),
              host_.ultravisor().configurations());
    for (const HostRegion* region : host_->kernel().memory().regions()) {
      std::size_t owned = 0, secrets = 0;
      for (std::size_t page = 0; page < region->pages(); ++page) {
        owned += PageState(region->states()[page].load()).owner() != kNoConfiguration;
      }
      for (std::size_t at = 0; at < region->size(); at += 8) {
        secrets += LoadBigEndian<std::uint64_t>(region->bytes() + at) == kSecret;
      }
      EXPECT_EQ(owned, 0u);
      EXPECT_EQ(secrets, 0u);
    }
  }

  std::atomic<unsigned> signal_questions_{0};
  std::atomic<unsigned> refused_imports_{0};
  ProtectingUser host_;
  Vcpu& cpu_;
  std::array<std::mutex, 2> cleaners_;  // held while one of them cleans
  std::atomic<unsigned> next_cleaner_{0};
  std::atomic<pthread_t> cpu_thread_{};
  std::atomic<bool> running_{false}, idle_{false}, stop_{false};
  std::atomic<unsigned> leaks_{0}, looks_{0}, performed_{0}, interrupted_{0}, surprises_{0};
  unsigned prepared_ = 0, started_ = 0;
};
INSTANTIATE_TEST_SUITE_P(FastAndMisc, LazyDestroy,
                         ::testing::Values(std::pair(true, true), std::pair(true, false),
                                           std::pair(false, true), std::pair(false, false)));

TEST_P(LazyDestroy, KeepsSecretsAndLeavesNothing) {
  const char* const wanted = std::getenv("LETHE_LIVES");
  const int commands = wanted == nullptr ? 150 : std::atoi(wanted);
  std::mt19937 random(GetParam().first * 2 + GetParam().second + 1);
  {
    std::vector<std::jthread> beside;
    beside.emplace_back([this] { RunCpu(); });
    beside.emplace_back([this] { Clean(); });
    beside.emplace_back([this] { Clean(); });
    beside.emplace_back([this] { Look(); });
    for (int i = 0; i < commands && !HasFailure(); ++i) {
      if (random() % 2 == 0) Disturb(random);
      Command(random);
    }
    stop_ = true;
  }
  EXPECT_EQ(leaks_, 0u);
  EXPECT_EQ(surprises_, 0u);
  EXPECT_GT(started_, 0u);
  EXPECT_GT(prepared_, 0u);
  EXPECT_LE(performed_, prepared_);
  EXPECT_GT(looks_, 0u);
  ExpectNothingLeft();
  std::printf(
      "lazy destroy: %d commands, %u guests, %u set aside, %u cleaned (%u interrupted), "
      "%llu calls failed on demand, %u looks\n",
      commands, started_, prepared_, performed_.load(), interrupted_.load(),
      static_cast<unsigned long long>(host_.ultravisor().faults().taken()), looks_.load());
}

}  // namespace
}  // namespace lethe::emulated
