#include "emulated-host/ultravisor/uvc_faults.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace lethe::emulated {
namespace {

constexpr UvcResult kRefused = UvcResult::Refused(0x1234, 0x56);

// Which of the first `calls` calls fail.
std::vector<int> Failing(UvcFaults& faults, Uvc call, int calls) {
  std::vector<int> failing;
  for (int i = 0; i < calls; ++i) {
    if (faults.Take(call)) failing.push_back(i);
  }
  return failing;
}

TEST(UvcFaults, StrikeWhenTheirTimeComes) {
  UvcFaults faults;
  EXPECT_EQ(faults.Take(Uvc::kVerify), std::nullopt);
  faults.Add({Uvc::kVerify, kRefused, /*after=*/3, /*every=*/2, 1.0, 1, /*times=*/3});
  EXPECT_EQ(faults.Take(Uvc::kUnpack), std::nullopt);
  EXPECT_EQ(Failing(faults, Uvc::kVerify, 20), (std::vector{3, 5, 7}));
  faults.Add({Uvc::kVerify, kRefused});
  EXPECT_EQ(faults.Take(Uvc::kVerify), kRefused);
  EXPECT_EQ(faults.Take(Uvc::kVerify), std::nullopt);
  EXPECT_EQ(faults.taken(), 4u);
}

TEST(UvcFaults, TheFirstDecidesAndTheNextFollows) {
  UvcFaults faults;
  faults.Add({Uvc::kVerify, UvcResult::Busy()});
  faults.Add({Uvc::kVerify, kRefused, /*after=*/0, 1, 1.0, 1, /*times=*/1});
  EXPECT_EQ(faults.Take(Uvc::kVerify), UvcResult::Busy());
  EXPECT_EQ(faults.Take(Uvc::kVerify), kRefused);
  EXPECT_EQ(faults.Take(Uvc::kVerify), std::nullopt);
}

TEST(UvcFaults, StrikeInTheOrderTheyCame) {
  UvcFaults faults;
  faults.Add({Uvc::kUnpack, kRefused});
  faults.Add({Uvc::kVerify, UvcResult::Busy()});
  EXPECT_EQ(faults.Take(Uvc::kUnpack), kRefused);
  faults.Add({Uvc::kVerify, kRefused});
  EXPECT_EQ(faults.waiting(), 2u);
  EXPECT_EQ(faults.Take(Uvc::kVerify), UvcResult::Busy());
  EXPECT_EQ(faults.Take(Uvc::kVerify), kRefused);
  EXPECT_EQ(faults.waiting(), 0u);
}

TEST(UvcFaults, ChanceIsDrawnFromTheSeed) {
  const auto draw = [](std::uint64_t seed) {
    UvcFaults faults;
    faults.Add({Uvc::kVerify, kRefused, 0, 1, 0.25, seed, 1000});
    return Failing(faults, Uvc::kVerify, 1000);
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  EXPECT_NEAR(static_cast<double>(draw(1).size()), 250, 60);
}

TEST(UvcFaults, AreForgotten) {
  UvcFaults faults;
  for (std::size_t i = 0; i < UvcFaults::kLimit; ++i) faults.Add({Uvc::kVerify, kRefused});
  faults.Clear();
  EXPECT_EQ(faults.Take(Uvc::kVerify), std::nullopt);
  faults.Add({Uvc::kVerify, kRefused});
  EXPECT_EQ(faults.Take(Uvc::kVerify), kRefused);
}

TEST(UvcFaults, StrikeAsOftenAsToldFromAnyThread) {
  UvcFaults faults;
  faults.Add({Uvc::kDestroyPage, kRefused, 0, 1, 1.0, 1, 1000});
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back(
          [&] { failed += static_cast<int>(Failing(faults, Uvc::kDestroyPage, 500).size()); });
    }
  }
  EXPECT_EQ(failed, 1000);
}

TEST(UvcNames, AreUniqueAndFound) {
  UvcCounters counters;
  counters.Count(Uvc::kDestroyPage);
  std::set<std::string> names;
  std::uint64_t pages = 0;
  counters.ForEach([&](absl::string_view name, std::uint64_t count) {
    EXPECT_TRUE(names.insert(std::string(name)).second) << name;
    if (name == "destroy-page") pages = count;
    const std::optional<Uvc> call = UvcByName(name);
    ASSERT_TRUE(call.has_value());
    EXPECT_EQ(counters.of(*call), count);
  });
  EXPECT_EQ(pages, 1u);
  EXPECT_EQ(names.size(), kUvcNumbers.size());
  EXPECT_EQ(UvcByName("destroy"), std::nullopt);
}

}  // namespace
}  // namespace lethe::emulated
