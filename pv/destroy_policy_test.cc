#include "pv/destroy_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lethe {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr DestroyMethod kSetAside = DestroyMethod::kSetAside;
constexpr DestroyMethod kDisable = DestroyMethod::kDisable;

struct PolicyCase {
  DestroySituation situation;
  DestroyMethod method;
  const char* reason;
};

DestroySituation Situation(DestroyMode mode) {
  return {.mode = mode, .kernel_can = true, .guest_memory = 16 * kGiB};
}

DestroySituation With(DestroyMode mode, auto change) {
  DestroySituation situation = Situation(mode);
  change(situation);
  return situation;
}

const auto kNoCapability = [](DestroySituation& s) { s.kernel_can = false; };
const auto kLimit2 = [](DestroySituation& s) { s.memory_limit = 2 * kGiB; };
const auto kLimit2AndABit = [](DestroySituation& s) { s.memory_limit = 2 * kGiB + 4096; };
const auto kSmall = [](DestroySituation& s) { s.guest_memory = 2 * kGiB; };
const auto kJustLarge = [](DestroySituation& s) { s.guest_memory = 2 * kGiB + (1 << 20); };
const auto kPressure = [](DestroySituation& s) { s.host.pressure = 10.0; };
const auto kLittlePressure = [](DestroySituation& s) { s.host.pressure = 9.9; };
const auto kScarce = [](DestroySituation& s) {
  s.host.total_bytes = 64 * kGiB;
  s.host.available_bytes = 2 * kGiB - 1;
};
const auto kEnough = [](DestroySituation& s) {
  s.host.total_bytes = 64 * kGiB;
  s.host.available_bytes = 2 * kGiB;
};

TEST(DecideDestroy, FollowsTheTable) {
  const DestroyMode automatic = DestroyMode::kAuto;
  const DestroyMode lazy = DestroyMode::kLazy;
  const DestroyMode sync = DestroyMode::kSync;
  const PolicyCase cases[] = {
      {Situation(automatic), kSetAside, "14336 MiB to clean"},
      {Situation(lazy), kSetAside, "asked for"},
      {Situation(sync), kDisable, "asked for"},
      // What the kernel cannot do is not tried, whoever asks.
      {With(automatic, kNoCapability), kDisable, "does not offer"},
      {With(lazy, kNoCapability), kDisable, "does not offer"},
      {With(automatic, kLimit2), kDisable, "limit of 2048 MiB"},
      {With(lazy, kLimit2), kDisable, "limit of 2048 MiB"},
      {With(automatic, kLimit2AndABit), kSetAside, ""},
      {With(lazy, kLimit2AndABit), kSetAside, ""},
      // Judgement, which a wish overrides.
      {With(automatic, kSmall), kDisable, "nothing would be left"},
      {With(lazy, kSmall), kSetAside, "asked for"},
      {With(automatic, kJustLarge), kSetAside, "1 MiB to clean"},
      {With(automatic, kPressure), kDisable, "pressure is 10.0 %"},
      {With(lazy, kPressure), kSetAside, "asked for"},
      {With(automatic, kLittlePressure), kSetAside, ""},
      {With(automatic, kScarce), kDisable, "only 2047 MiB"},
      {With(lazy, kScarce), kSetAside, "asked for"},
      {With(automatic, kEnough), kSetAside, ""},
  };
  for (const PolicyCase& c : cases) {
    const DestroyDecision decision = DecideDestroy(c.situation);
    EXPECT_EQ(decision.method, c.method) << decision.reason;
    EXPECT_THAT(decision.reason, HasSubstr(c.reason));
    EXPECT_FALSE(decision.reason.empty());
  }
}

TEST(DestroyMode, HasNames) {
  for (DestroyMode mode : {DestroyMode::kAuto, DestroyMode::kLazy, DestroyMode::kSync})
    EXPECT_EQ(ParseDestroyMode(DestroyModeName(mode)), mode);
  EXPECT_EQ(ParseDestroyMode("eager"), std::nullopt);
  EXPECT_EQ(ParseDestroyMode(""), std::nullopt);
}

}  // namespace
}  // namespace lethe
