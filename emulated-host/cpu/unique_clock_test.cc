#include "emulated-host/cpu/unique_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace lethe::emulated {
namespace {

TEST(UniqueClockTest, FollowsTheClock) {
  UniqueClock clock;
  EXPECT_EQ(clock.Next(1000), 1000u);
  EXPECT_EQ(clock.Next(2000), 2000u);
}

TEST(UniqueClockTest, StepsWhenTheClockStandsStill) {
  UniqueClock clock;
  EXPECT_EQ(clock.Next(1000), 1000u);
  EXPECT_EQ(clock.Next(1000), 1001u);
  EXPECT_EQ(clock.Next(999), 1002u);
}

TEST(UniqueClockTest, FollowsAClockThatWasSetBack) {
  constexpr std::uint64_t kHour = std::uint64_t{3600} * 1'000'000 << 12;
  UniqueClock clock;
  EXPECT_EQ(clock.Next(2 * kHour), 2 * kHour);
  EXPECT_EQ(clock.Next(kHour), kHour);
}

TEST(UniqueClockTest, GivesNoValueTwiceAcrossThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 10000;
  UniqueClock clock;
  std::vector<std::vector<std::uint64_t>> values(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) values[t].push_back(clock.Next(1000 + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::uint64_t> all;
  for (const auto& some : values) {
    EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace lethe::emulated
