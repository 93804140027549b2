#include "bench/teardown/results_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/teardown/sample_results.h"

namespace lethe::bench {
namespace {

TEST(ResultsJsonTest, HasEveryRound) {
  const auto json = nlohmann::json::parse(ToJson(SampleResults(), "1.2.3"));
  EXPECT_EQ(json["lethe"], "1.2.3");
  ASSERT_EQ(json["rows"].size(), 6u);  // without what was left out
  const auto& lazy = json["rows"][0];
  EXPECT_EQ(lazy["mode"], "lazy");
  EXPECT_EQ(lazy["memory_bytes"], std::uint64_t{4} << 30);
  EXPECT_EQ(lazy["uvc_cost_ns"], 1000);
  ASSERT_EQ(lazy["rounds"].size(), 3u);
  EXPECT_DOUBLE_EQ(lazy["rounds"][1]["reboot"]["destroy_s"], 0.84);
  EXPECT_EQ(lazy["rounds"][0]["reboot"]["command"], "prepare");
  EXPECT_DOUBLE_EQ(lazy["rounds"][0]["shutdown"]["exit_s"], 0.012);
  EXPECT_EQ(lazy["rounds"][0]["shutdown"]["owed_bytes"].size(), 3u);
  const auto& qemu = json["rows"][2];
  EXPECT_FALSE(qemu.contains("uvc_cost_ns"));
  EXPECT_FALSE(qemu["rounds"][0].contains("reboot"));
  EXPECT_EQ(json["plain_release"][1]["seconds"][0], 1.0);
  EXPECT_EQ(json["notes"].size(), 1u);
}

TEST(ResultsJsonTest, ThinsLongSeriesAndKeepsTheirEnds) {
  Series series;
  for (int i = 0; i < 1000; ++i) series.push_back({static_cast<double>(i), 0});
  const Series thin = Thinned(series, 10);
  ASSERT_EQ(thin.size(), 10u);
  EXPECT_EQ(thin.front().seconds, 0);
  EXPECT_EQ(thin.back().seconds, 999);
  EXPECT_EQ(Thinned(series, 1000).size(), 1000u);
}

}  // namespace
}  // namespace lethe::bench
