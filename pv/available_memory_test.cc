#include "pv/available_memory.h"

#include <gtest/gtest.h>

namespace lethe {
namespace {

CgroupMemory Group(std::uint64_t limit, std::uint64_t usage) {
  CgroupMemory memory;
  CgroupLevel level;
  level.path = "/guests";
  level.limit = limit;
  level.usage = usage;
  memory.levels.push_back(level);
  return memory;
}

TEST(AvailableMemory, IsTheLesserOfHostAndGroup) {
  HostMemory host;
  host.available_bytes = 1000;
  const auto of_host = FindAvailableMemory(host, Group(5000, 100));
  ASSERT_TRUE(of_host.has_value());
  EXPECT_EQ(of_host->bytes, 1000u);
  EXPECT_EQ(of_host->limited_by, "MemAvailable");
  const auto of_group = FindAvailableMemory(host, Group(500, 100));
  ASSERT_TRUE(of_group.has_value());
  EXPECT_EQ(of_group->bytes, 400u);
  EXPECT_EQ(of_group->limited_by, "control group /guests");
}

TEST(AvailableMemory, IsNotGuessed) {
  EXPECT_FALSE(FindAvailableMemory({}, {}).has_value());
  EXPECT_EQ(FindAvailableMemory({}, Group(500, 100))->bytes, 400u);
}

}  // namespace
}  // namespace lethe
