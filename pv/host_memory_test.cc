#include "pv/host_memory.h"

#include <gtest/gtest.h>

namespace lethe {
namespace {

TEST(HostMemory, ReadsProcfs) {
  const HostMemory memory = ParseHostMemory(
      "MemTotal:       16306732 kB\nMemFree:          101 kB\nMemAvailable:   12000000 kB\n",
      "some avg10=1.25 avg60=0.10 avg300=0.00 total=12\n"
      "full avg10=7.00 avg60=0.00 avg300=0.00 total=3\n");
  EXPECT_EQ(memory.total_bytes, 16306732ull * 1024);
  EXPECT_EQ(memory.available_bytes, 12000000ull * 1024);
  EXPECT_EQ(memory.pressure, 1.25);
}

TEST(HostMemory, WhatIsMissingHasNoValue) {
  const HostMemory memory = ParseHostMemory("MemTotal: x kB\nMemAvailable", "");
  EXPECT_EQ(memory.total_bytes, std::nullopt);
  EXPECT_EQ(memory.available_bytes, std::nullopt);
  EXPECT_EQ(memory.pressure, std::nullopt);
  EXPECT_EQ(ReadHostMemory("/nonexistent").total_bytes, std::nullopt);
}

TEST(HostMemory, KnowsThisMachine) {
  const HostMemory memory = ReadHostMemory();
  ASSERT_TRUE(memory.total_bytes.has_value());
  ASSERT_TRUE(memory.available_bytes.has_value());
  EXPECT_LE(*memory.available_bytes, *memory.total_bytes);
}

TEST(ReadResidentMemory, KnowsThisProcess) {
  const std::optional<std::uint64_t> resident = ReadResidentMemory();
  ASSERT_TRUE(resident.has_value());
  EXPECT_GT(*resident, 0u);
  EXPECT_LE(*resident, *ReadHostMemory().total_bytes);
  EXPECT_EQ(ReadResidentMemory("/nonexistent"), std::nullopt);
}

}  // namespace
}  // namespace lethe
