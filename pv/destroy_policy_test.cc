#include "pv/destroy_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

constexpr DestroyMode kAuto = DestroyMode::kAuto;
constexpr DestroyMode kLazy = DestroyMode::kLazy;
constexpr DestroyMode kSync = DestroyMode::kSync;

using Change = void (*)(DestroySituation&);

// A host on which nothing speaks against anything.
DestroySituation Good(TeardownKind kind, DestroyMode mode) {
  DestroySituation s;
  s.kind = kind;
  s.policy = mode;
  s.kernel_can = true;
  s.has_reaper = true;
  s.guest_memory = 16 * kGiB;
  s.host = {.total_bytes = 64 * kGiB, .available_bytes = 40 * kGiB, .pressure = 0.0};
  return s;
}

// The guest shares a group of 32 GiB with others that use most of it.
void SharedGroup(DestroySituation& s, std::uint64_t usage, std::uint64_t reclaimable = 0) {
  s.cgroup.levels = {
      {.path = "/vms/guest", .limit = std::nullopt, .usage = 16 * kGiB},
      {.path = "/vms", .limit = 40 * kGiB, .usage = usage, .reclaimable = reclaimable}};
}

const Change kNothing = [](DestroySituation&) {};
const Change kNoCapability = [](DestroySituation& s) { s.kernel_can = false; };
const Change kLimit = [](DestroySituation& s) { s.memory_limit = 2 * kGiB; };
const Change kLimitAndABit = [](DestroySituation& s) { s.memory_limit = 2 * kGiB + 4096; };
const Change kNoCapabilityAndLimit = [](DestroySituation& s) {
  kNoCapability(s);
  kLimit(s);
};
const Change kSmall = [](DestroySituation& s) { s.guest_memory = 2 * kGiB; };
const Change kJustLarge = [](DestroySituation& s) { s.guest_memory = 2 * kGiB + kMiB; };
const Change kHardlyTouched = [](DestroySituation& s) { s.touched = 64 * kMiB; };
const Change kTouched = [](DestroySituation& s) { s.touched = 65 * kMiB; };
const Change kTouchedTooMuch = [](DestroySituation& s) { s.touched = 99 * kGiB; };
const Change kStalls = [](DestroySituation& s) { s.host.pressure = 10.0; };
const Change kFewStalls = [](DestroySituation& s) { s.host.pressure = 9.9; };
const Change kSomePressure = [](DestroySituation& s) { s.pressure = PressureLevel::kSome; };
const Change kHighPressure = [](DestroySituation& s) { s.pressure = PressureLevel::kHigh; };
const Change kScarce = [](DestroySituation& s) { s.host.available_bytes = 2 * kGiB - 1; };
const Change kTight = [](DestroySituation& s) { s.host.available_bytes = 2 * kGiB; };
const Change kHalfTight = [](DestroySituation& s) { s.host.available_bytes = 8 * kGiB; };
const Change kUnknownHost = [](DestroySituation& s) { s.host = {}; };
const Change kFullGroup = [](DestroySituation& s) { SharedGroup(s, 40 * kGiB - kMiB); };
const Change kGroupOfCache = [](DestroySituation& s) { SharedGroup(s, 40 * kGiB, 2 * kGiB); };
const Change kOwnFullGroup = [](DestroySituation& s) {
  s.cgroup.levels = {{.path = "/guest", .limit = 17 * kGiB, .usage = 17 * kGiB - kMiB}};
};
const Change kDebt = [](DestroySituation& s) {
  s.dying_guests = 3;
  s.owed = 40 * kGiB + kMiB;
};
const Change kLittleDebt = [](DestroySituation& s) {
  s.dying_guests = 3;
  s.owed = 40 * kGiB;
};
const Change kZombies = [](DestroySituation& s) { s.zombies = 2; };
const Change kNoReaper = [](DestroySituation& s) { s.has_reaper = false; };
const Change kPlain = [](DestroySituation& s) { s.is_protected = false; };
const Change kPlainWithZombie = [](DestroySituation& s) {
  s.is_protected = false;
  s.zombies = 1;
};
const Change kPlainNoReaper = [](DestroySituation& s) {
  s.is_protected = false;
  s.has_reaper = false;
};
const Change kLost = [](DestroySituation& s) { s.cannot_destroy = true; };
const Change kLostNoReaper = [](DestroySituation& s) {
  s.cannot_destroy = true;
  s.has_reaper = false;
};
const Change kEverything = [](DestroySituation& s) {
  kHighPressure(s);
  kStalls(s);
  kScarce(s);
  kFullGroup(s);
  kDebt(s);
};
const Change kScarceAndNoCapability = [](DestroySituation& s) {
  kScarce(s);
  kNoCapability(s);
};
const Change kScarceAndLimit = [](DestroySituation& s) {
  kScarce(s);
  kLimit(s);
};
const Change kScarceAndZombies = [](DestroySituation& s) {
  kScarce(s);
  kZombies(s);
};

struct RebootCase {
  DestroyMode mode;
  Change change;
  RebootStrategy strategy;
  Fallback fallback;
  const char* reasons;  // in what they say together
};

TEST(DecideDestroy, FollowsTheTableForReboots) {
  constexpr RebootStrategy kSetAside = RebootStrategy::kSetAside;
  constexpr RebootStrategy kDisable = RebootStrategy::kDisable;
  constexpr Fallback kNone = Fallback::kNone;
  const RebootCase cases[] = {
      {kAuto, kNothing, kSetAside, kNone, "14336 MiB to clean in the background"},
      {kLazy, kNothing, kSetAside, kNone, "lazy destroy was asked for"},
      {kSync, kNothing, kDisable, kNone, "synchronous destroy was asked for"},
      // What the kernel cannot do is not tried, whoever asks.
      {kAuto, kNoCapability, kDisable, Fallback::kNoCapability, "does not offer"},
      {kLazy, kNoCapability, kDisable, Fallback::kNoCapability, "does not offer"},
      {kSync, kNoCapability, kDisable, kNone, "asked for"},
      {kAuto, kLimit, kDisable, Fallback::kMemoryLimit, "limit of 2048 MiB"},
      {kLazy, kLimit, kDisable, Fallback::kMemoryLimit, "limit of 2048 MiB"},
      {kLazy, kNoCapabilityAndLimit, kDisable, Fallback::kNoCapability, "does not offer"},
      {kAuto, kLimitAndABit, kSetAside, kNone, "14336 MiB"},
      {kLazy, kLimitAndABit, kSetAside, kNone, "asked for"},
      // Judgement, which a wish overrides.
      {kAuto, kSmall, kDisable, Fallback::kSmallGuest,
       "nothing would be left to clean of 2048 MiB"},
      {kLazy, kSmall, kSetAside, kNone, "asked for"},
      {kAuto, kJustLarge, kSetAside, kNone, "1 MiB to clean"},
      {kAuto, kHardlyTouched, kDisable, Fallback::kSmallGuest, "only 64 MiB were touched"},
      {kLazy, kHardlyTouched, kSetAside, kNone, "asked for"},
      {kAuto, kTouched, kSetAside, kNone, "65 MiB to clean"},
      {kAuto, kTouchedTooMuch, kSetAside, kNone, "14336 MiB to clean"},
      {kAuto, kStalls, kDisable, Fallback::kPressure, "memory pressure is 10.0 %"},
      {kLazy, kStalls, kSetAside, kNone, "asked for; memory pressure is 10.0 %"},
      {kAuto, kFewStalls, kSetAside, kNone, "14336 MiB"},
      {kAuto, kSomePressure, kDisable, Fallback::kPressure, "no guest is set aside while"},
      {kAuto, kHighPressure, kDisable, Fallback::kPressure, "high memory pressure"},
      {kLazy, kHighPressure, kSetAside, kNone, "asked for; high memory pressure"},
      {kAuto, kScarce, kDisable, Fallback::kLowMemory,
       "only 2047 MiB of the host's 65536 MiB of memory are available"},
      {kLazy, kScarce, kSetAside, kNone, "asked for; only 2047 MiB"},
      // A zombie takes no memory that the guest did not have before.
      {kAuto, kTight, kSetAside, kNone, "14336 MiB"},
      {kAuto, kUnknownHost, kSetAside, kNone, "14336 MiB"},
      {kAuto, kFullGroup, kDisable, Fallback::kLowMemory,
       "only 1 MiB of the 40960 MiB of memory cgroup /vms are left"},
      {kAuto, kGroupOfCache, kSetAside, kNone, "14336 MiB"},
      {kAuto, kOwnFullGroup, kSetAside, kNone, "14336 MiB"},
      {kAuto, kDebt, kDisable, Fallback::kDebt,
       "3 dying guests owe 40961 MiB, more than the 40960 MiB that are available"},
      {kLazy, kDebt, kSetAside, kNone, "asked for; 3 dying guests"},
      {kAuto, kLittleDebt, kSetAside, kNone, "14336 MiB"},
      {kAuto, kZombies, kSetAside, kNone, "; 2 earlier lives of the guest are not clean yet"},
      {kAuto, kEverything, kDisable, Fallback::kPressure, "high memory pressure is signalled; "},
      // Of no concern to a reboot.
      {kAuto, kNoReaper, kSetAside, kNone, "14336 MiB"},
  };
  for (const RebootCase& c : cases) {
    DestroySituation situation = Good(TeardownKind::kReboot, c.mode);
    c.change(situation);
    const DestroyDecision decision = DecideDestroy(situation);
    SCOPED_TRACE(decision.ToString());
    ASSERT_EQ(decision.kind(), TeardownKind::kReboot);
    EXPECT_EQ(decision.reboot(), c.strategy);
    EXPECT_EQ(decision.lazy, c.strategy == kSetAside);
    EXPECT_EQ(decision.fallback, c.fallback);
    EXPECT_THAT(absl::StrJoin(decision.reasons, "; "), HasSubstr(c.reasons));
  }
}

struct ShutdownCase {
  DestroyMode mode;
  Change change;
  ShutdownStrategy strategy;
  Fallback fallback;
  const char* reasons;
};

TEST(DecideDestroy, FollowsTheTableForShutdowns) {
  constexpr ShutdownStrategy kBulk = ShutdownStrategy::kBulk;
  constexpr ShutdownStrategy kTrickle = ShutdownStrategy::kTrickle;
  constexpr ShutdownStrategy kExit = ShutdownStrategy::kExit;
  constexpr ShutdownStrategy kForeground = ShutdownStrategy::kSync;
  constexpr Fallback kNone = Fallback::kNone;
  const ShutdownCase cases[] = {
      {kAuto, kNothing, kBulk, kNone, "16384 MiB to clean in the background"},
      {kLazy, kNothing, kBulk, kNone, "lazy destroy was asked for"},
      {kSync, kNothing, kForeground, kNone, "synchronous destroy was asked for"},
      // What could not be destroyed cannot be destroyed again, whoever asks.
      {kAuto, kLost, kExit, kNone, "left to the kernel"},
      {kSync, kLost, kExit, kNone, "left to the kernel"},
      {kLazy, kLostNoReaper, kExit, Fallback::kNoReaper, "left to the kernel; there is no reaper"},
      // Nothing secure, nothing to clean.
      {kAuto, kPlain, kBulk, kNone, "there is nothing to clean"},
      {kLazy, kPlain, kBulk, kNone, "there is nothing to clean"},
      {kSync, kPlain, kForeground, kNone, "asked for; the guest has no secure memory"},
      {kAuto, kPlainNoReaper, kExit, Fallback::kNoReaper, "nothing to clean; there is no reaper"},
      {kSync, kPlainNoReaper, kForeground, kNone, "asked for"},
      {kAuto, kPlainWithZombie, kBulk, kNone, "to clean in the background"},
      {kSync, kPlainWithZombie, kForeground, kNone, "asked for"},
      // Nobody to do it in the background.
      {kAuto, kNoReaper, kForeground, Fallback::kNoReaper, "no reaper to clean"},
      {kLazy, kNoReaper, kForeground, Fallback::kNoReaper, "no reaper to clean"},
      {kSync, kNoReaper, kForeground, kNone, "asked for"},
      // The reaper needs no more than DISABLE; auto respects a host without lazy destroy.
      {kAuto, kNoCapability, kForeground, Fallback::kNoCapability, "does not offer"},
      {kLazy, kNoCapability, kBulk, kNone, "asked for"},
      {kAuto, kLimit, kBulk, kNone, "16384 MiB"},
      {kLazy, kLimit, kBulk, kNone, "asked for"},
      // Memory is short: in the foreground, or at least piece by piece.
      {kAuto, kStalls, kForeground, Fallback::kPressure, "memory pressure is 10.0 %"},
      {kLazy, kStalls, kTrickle, kNone, "asked for; memory pressure is 10.0 %"},
      {kAuto, kFewStalls, kBulk, kNone, "16384 MiB"},
      {kAuto, kHighPressure, kForeground, Fallback::kPressure, "high memory pressure"},
      {kLazy, kHighPressure, kTrickle, kNone, "asked for; high memory pressure"},
      {kAuto, kSomePressure, kTrickle, kNone, "16384 MiB to clean in the background; memory pre"},
      {kLazy, kSomePressure, kTrickle, kNone, "asked for; memory pressure is signalled"},
      {kAuto, kScarce, kForeground, Fallback::kLowMemory, "only 2047 MiB of the host's 65536"},
      {kLazy, kScarce, kTrickle, kNone, "asked for; only 2047 MiB"},
      {kAuto, kTight, kTrickle, kNone, "the guest holds 16384 MiB and only 2048 MiB are available"},
      {kLazy, kTight, kTrickle, kNone, "asked for; the guest holds 16384 MiB"},
      {kAuto, kHalfTight, kBulk, kNone, "16384 MiB"},
      {kAuto, kUnknownHost, kBulk, kNone, "16384 MiB"},
      {kAuto, kFullGroup, kForeground, Fallback::kLowMemory, "memory cgroup /vms are left"},
      {kLazy, kFullGroup, kTrickle, kNone, "memory cgroup /vms are left"},
      {kAuto, kGroupOfCache, kBulk, kNone, "16384 MiB"},
      {kAuto, kOwnFullGroup, kBulk, kNone, "16384 MiB"},
      {kAuto, kDebt, kForeground, Fallback::kDebt, "3 dying guests owe 40961 MiB"},
      {kLazy, kDebt, kTrickle, kNone, "3 dying guests"},
      {kAuto, kLittleDebt, kBulk, kNone, "16384 MiB"},
      {kAuto, kEverything, kForeground, Fallback::kPressure, "high memory pressure"},
      // Giving back behind PERFORM needs PREPARE, and its slot.
      {kLazy, kScarceAndNoCapability, kBulk, kNone, "only when all is clean: the kernel does not"},
      {kLazy, kScarceAndLimit, kBulk, kNone, "only when all is clean: a memory limit of"},
      {kLazy, kScarceAndZombies, kBulk, kNone, "only when all is clean: earlier lives"},
      {kAuto, kScarceAndNoCapability, kForeground, Fallback::kNoCapability, "does not offer"},
      // Of no concern to a shutdown.
      {kAuto, kSmall, kBulk, kNone, "2048 MiB to clean"},
      {kAuto, kHardlyTouched, kBulk, kNone, "64 MiB to clean"},
      {kAuto, kTouchedTooMuch, kBulk, kNone, "16384 MiB to clean"},
  };
  for (const ShutdownCase& c : cases) {
    DestroySituation situation = Good(TeardownKind::kShutdown, c.mode);
    c.change(situation);
    const DestroyDecision decision = DecideDestroy(situation);
    SCOPED_TRACE(decision.ToString());
    ASSERT_EQ(decision.kind(), TeardownKind::kShutdown);
    EXPECT_EQ(decision.shutdown(), c.strategy);
    EXPECT_EQ(decision.lazy, c.strategy != kForeground && situation.has_reaper);
    EXPECT_EQ(decision.fallback, c.fallback);
    EXPECT_THAT(absl::StrJoin(decision.reasons, "; "), HasSubstr(c.reasons));
  }
}

TEST(DecideDestroy, SaysAllThatIsShort) {
  for (TeardownKind kind : {TeardownKind::kReboot, TeardownKind::kShutdown}) {
    DestroySituation situation = Good(kind, kAuto);
    kEverything(situation);
    EXPECT_THAT(DecideDestroy(situation).reasons, SizeIs(5));
    situation.policy = kLazy;
    EXPECT_THAT(DecideDestroy(situation).reasons, SizeIs(kind == TeardownKind::kReboot ? 6 : 7));
  }
}

// Reboot and shutdown have policies of their own.
TEST(DecideDestroy, LooksAtThePolicyOfItsKind) {
  DestroySituation situation = Good(TeardownKind::kReboot, kAuto);
  situation.policy = {kSync, kLazy};
  EXPECT_EQ(DecideDestroy(situation).reboot(), RebootStrategy::kDisable);
  situation.kind = TeardownKind::kShutdown;
  EXPECT_EQ(DecideDestroy(situation).shutdown(), ShutdownStrategy::kBulk);
  situation.policy = {kLazy, kSync};
  EXPECT_EQ(DecideDestroy(situation).shutdown(), ShutdownStrategy::kSync);
}

// Every combination of the changes above has a decision with reasons, and promises hold: nothing is
// set aside that the kernel cannot set aside, nothing is left to a reaper that does not exist, and
// a wish for synchronous destroy is granted.
TEST(DecideDestroy, KeepsItsPromisesInEveryCombination) {
  const Change changes[] = {kNoCapability, kLimit,        kSmall,    kHardlyTouched, kStalls,
                            kSomePressure, kHighPressure, kScarce,   kTight,         kFullGroup,
                            kDebt,         kZombies,      kNoReaper, kPlain,         kLost};
  constexpr unsigned kCount = std::size(changes);
  for (TeardownKind kind : {TeardownKind::kReboot, TeardownKind::kShutdown})
    for (DestroyMode mode : {kAuto, kLazy, kSync})
      for (unsigned set = 0; set < 1u << kCount; ++set) {
        DestroySituation situation = Good(kind, mode);
        for (unsigned i = 0; i < kCount; ++i)
          if ((set >> i & 1) != 0) changes[i](situation);
        const DestroyDecision decision = DecideDestroy(situation);
        ASSERT_EQ(decision.kind(), kind);
        ASSERT_FALSE(decision.reasons.empty());
        ASSERT_THAT(decision.reasons, Each(Not(StartsWith(" "))));
        const bool can_prepare = situation.kernel_can && !situation.memory_limit;
        if (kind == TeardownKind::kReboot) {
          ASSERT_TRUE(can_prepare || !decision.lazy) << decision.ToString();
          ASSERT_EQ(decision.lazy, decision.reboot() == RebootStrategy::kSetAside);
        } else {
          ASSERT_TRUE(situation.has_reaper || !decision.lazy) << decision.ToString();
          ASSERT_TRUE(can_prepare || decision.shutdown() != ShutdownStrategy::kTrickle);
        }
        ASSERT_FALSE(decision.lazy && mode == kSync && !situation.cannot_destroy);
        ASSERT_FALSE(decision.lazy && decision.fallback != Fallback::kNone);
      }
}

TEST(DestroyDecision, ReadsWell) {
  const DestroyDecision decision = DecideDestroy(Good(TeardownKind::kReboot, kAuto));
  EXPECT_EQ(decision.ToString(), "reboot: set-aside (lazy): 14336 MiB to clean in the background");
  EXPECT_EQ(decision.strategy_name(), "set-aside");
  DestroySituation situation = Good(TeardownKind::kShutdown, kLazy);
  kNoReaper(situation);
  EXPECT_EQ(DecideDestroy(situation).ToString(),
            "shutdown: sync (synchronous): there is no reaper to clean in the background");
}

TEST(DestroyMode, HasNames) {
  for (DestroyMode mode : {kAuto, kLazy, kSync})
    EXPECT_EQ(ParseDestroyMode(DestroyModeName(mode)), mode);
  EXPECT_EQ(ParseDestroyMode("eager"), std::nullopt);
  EXPECT_EQ(ParseDestroyMode(""), std::nullopt);
}

DestroyPolicy Parsed(absl::string_view text) {
  const absl::StatusOr<DestroyPolicy> policy = ParseDestroyPolicy(text);
  EXPECT_THAT(policy, IsOk());
  return policy.value_or(DestroyPolicy());
}

TEST(DestroyPolicy, IsOneModeOrAListOfTwo) {
  EXPECT_EQ(Parsed("lazy"), DestroyPolicy(kLazy, kLazy));
  EXPECT_EQ(Parsed("reboot=lazy,shutdown=sync"), DestroyPolicy(kLazy, kSync));
  EXPECT_EQ(Parsed("shutdown=lazy,reboot=sync"), DestroyPolicy(kSync, kLazy));
  EXPECT_EQ(Parsed("shutdown=sync"), DestroyPolicy(kAuto, kSync));
  for (DestroyMode reboot : {kAuto, kLazy, kSync})
    for (DestroyMode shutdown : {kAuto, kLazy, kSync}) {
      const DestroyPolicy policy(reboot, shutdown);
      EXPECT_EQ(Parsed(FormatDestroyPolicy(policy)), policy);
    }
}

TEST(DestroyPolicy, SaysWhatItExpects) {
  for (absl::string_view text :
       {"", "eager", "reboot", "reboot=", "reboot=eager", "reboot=lazy,", ",", "=lazy",
        "reboot=lazy,reboot=lazy", "lazy,sync", "start=lazy", "reboot=lazy=sync", "Lazy"})
    EXPECT_THAT(ParseDestroyPolicy(text),
                FailsWith(HasSubstr(absl::StrCat("\"", text, "\": expected auto, lazy or sync"))));
}

}  // namespace
}  // namespace lethe
