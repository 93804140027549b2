#include "pv/cgroup_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lethe {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Version = CgroupPlace::Version;

constexpr char kV2Mounts[] =
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kV1Mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "38 31 0:35 / /sys/fs/cgroup/memorylike rw - cgroup cgroup rw,name=memory2\n";
constexpr char kHybridMounts[] =
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CgroupPlace, IsFoundInVersionTwo) {
  const CgroupPlace place = ParseCgroupPlace("0::/vms/guest\n", kV2Mounts);
  EXPECT_EQ(place.version, Version::kV2);
  EXPECT_EQ(place.mount, "/sys/fs/cgroup");
  EXPECT_EQ(place.group, "/sys/fs/cgroup/vms/guest");
  EXPECT_EQ(place.unified_group, place.group);
}

TEST(CgroupPlace, IsFoundInVersionOne) {
  const CgroupPlace place =
      ParseCgroupPlace("3:cpuset:/other\n4:hugetlb,memory:/vms/guest:1\n", kV1Mounts);
  EXPECT_EQ(place.version, Version::kV1);
  EXPECT_EQ(place.mount, "/sys/fs/cgroup/memory");
  EXPECT_EQ(place.group, "/sys/fs/cgroup/memory/vms/guest:1");
  EXPECT_EQ(place.unified_group, "");
}

TEST(CgroupPlace, OfHybridHostsIsThatOfTheController) {
  const CgroupPlace place = ParseCgroupPlace("4:memory:/a\n0::/b\n", kHybridMounts);
  EXPECT_EQ(place.version, Version::kV1);
  EXPECT_EQ(place.group, "/sys/fs/cgroup/memory/a");
  EXPECT_EQ(place.unified_group, "/sys/fs/cgroup/unified/b");
}

TEST(CgroupPlace, InAContainerIsBelowWhatTheContainerSees) {
  constexpr char kMounts[] = "30 23 0:26 /docker/c1 /sys/fs/cgroup ro - cgroup2 cgroup ro\n";
  EXPECT_EQ(ParseCgroupPlace("0::/docker/c1/vm\n", kMounts).group, "/sys/fs/cgroup/vm");
  EXPECT_EQ(ParseCgroupPlace("0::/docker/c1\n", kMounts).group, "/sys/fs/cgroup");
  // Outside of what is visible.
  EXPECT_EQ(ParseCgroupPlace("0::/elsewhere\n", kMounts).group, "/sys/fs/cgroup");
  EXPECT_EQ(ParseCgroupPlace("0::/docker/c12/vm\n", kMounts).group, "/sys/fs/cgroup");
  EXPECT_EQ(ParseCgroupPlace("0::/../up\n", kV2Mounts).group, "/sys/fs/cgroup");
}

TEST(CgroupPlace, UnderstandsEscapes) {
  constexpr char kMounts[] = "30 23 0:26 / /my\\040mounts\\134x\\04 rw - cgroup2 cgroup rw\n";
  EXPECT_EQ(ParseCgroupPlace("0::/\n", kMounts).mount, "/my mounts\\x\\04");
}

TEST(CgroupPlace, IsNowhereWithoutAHierarchy) {
  for (const char* mounts : {"", "\n", "x y z", "30 23 0:26 / / rw - cgroup2", " - ", kV1Mounts})
    EXPECT_EQ(ParseCgroupPlace("0::/a\n", mounts).version, Version::kNone) << mounts;
  for (const char* groups : {"", "\n", "0", "0:", "4:cpu:/a\n", ":::\n"})
    EXPECT_EQ(ParseCgroupPlace(groups, kHybridMounts).version, Version::kNone) << groups;
}

// A host made of files.
class FakeHost : public ::testing::Test {
 protected:
  FakeHost() {
    std::string name = ::testing::TempDir() + "/cgroup.XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~FakeHost() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  std::string root_;
};

TEST_F(FakeHost, VersionTwoHasLimitsAtEveryLevel) {
  Write("/proc/self/cgroup", "0::/vms/guest\n");
  Write("/proc/self/mountinfo", kV2Mounts);
  Write("/sys/fs/cgroup/vms/guest/memory.max", "max\n");
  Write("/sys/fs/cgroup/vms/guest/memory.high", "max\n");
  Write("/sys/fs/cgroup/vms/guest/memory.current", "4096000\n");
  Write("/sys/fs/cgroup/vms/memory.max", "20000000\n");
  Write("/sys/fs/cgroup/vms/memory.high", "15000000\n");
  Write("/sys/fs/cgroup/vms/memory.current", "12000000\n");
  Write("/sys/fs/cgroup/vms/memory.stat",
        "anon 1\nfile 9\ninactive_file 1000000\nactive_file 500000\nworkingset_active_file 7\n");
  Write("/sys/fs/cgroup/vms/memory.events",
        "low 1\nhigh 20\nmax 3\noom 4\noom_kill 5\noom_group_kill 0\n");
  const CgroupMemory memory = ReadCgroupMemory(root_);
  ASSERT_THAT(memory.levels, SizeIs(3));  // the root group has no files
  EXPECT_EQ(memory.levels[0].path, "/vms/guest");
  EXPECT_EQ(memory.levels[0].limit, std::nullopt);
  EXPECT_EQ(memory.levels[0].usage, 4096000u);
  EXPECT_EQ(memory.levels[0].Headroom(), std::nullopt);
  const CgroupLevel& vms = memory.levels[1];
  EXPECT_EQ(vms.path, "/vms");
  EXPECT_EQ(vms.limit, 15000000u);
  EXPECT_EQ(vms.reclaimable, 1500000u);
  EXPECT_EQ(vms.Headroom(), 4500000u);
  EXPECT_EQ(vms.high_events, 20u);
  EXPECT_EQ(vms.max_events, 3u);
  EXPECT_EQ(vms.oom_events, 4u);
  EXPECT_EQ(memory.levels[2].path, "/");
  EXPECT_EQ(memory.Tightest(), &vms);
  EXPECT_EQ(memory.Headroom(), 4500000u);
}

TEST_F(FakeHost, VersionOneCountsItsWholeSubtree) {
  Write("/proc/self/cgroup", "4:memory:/guest\n0::/\n");
  Write("/proc/self/mountinfo", kHybridMounts);
  const std::string group = "/sys/fs/cgroup/memory/guest/";
  Write(group + "memory.limit_in_bytes", "8000000\n");
  Write(group + "memory.usage_in_bytes", "7000000\n");
  Write(group + "memory.stat",
        "inactive_file 1\nactive_file 1\ntotal_inactive_file 300000\ntotal_active_file 200000\n");
  Write(group + "memory.failcnt", "12\n");
  Write(group + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "100000000\n");
  const CgroupMemory memory = ReadCgroupMemory(root_);
  ASSERT_THAT(memory.levels, SizeIs(2));
  EXPECT_EQ(memory.levels[0].path, "/guest");
  EXPECT_EQ(memory.levels[0].Headroom(), 1500000u);
  EXPECT_EQ(memory.levels[0].max_events, 12u);
  EXPECT_EQ(memory.levels[0].oom_events, 2u);
  EXPECT_EQ(memory.levels[1].limit, std::nullopt);
  EXPECT_EQ(memory.levels[1].usage, 100000000u);
  EXPECT_EQ(memory.Headroom(), 1500000u);
}

TEST_F(FakeHost, NonsenseIsNotKnown) {
  Write("/proc/self/cgroup", "0::/g\n");
  Write("/proc/self/mountinfo", kV2Mounts);
  Write("/sys/fs/cgroup/g/memory.max", "-4\n");
  Write("/sys/fs/cgroup/g/memory.current", "many\n");
  const CgroupMemory memory = ReadCgroupMemory(root_);
  ASSERT_THAT(memory.levels, SizeIs(2));
  EXPECT_EQ(memory.levels[0].limit, std::nullopt);
  EXPECT_EQ(memory.levels[0].usage, std::nullopt);
  EXPECT_EQ(memory.Tightest(), nullptr);
  EXPECT_EQ(memory.Headroom(), std::nullopt);
}

TEST_F(FakeHost, WithoutControlGroupsNothingLimits) {
  EXPECT_THAT(ReadCgroupMemory(root_).levels, IsEmpty());
}

TEST(CgroupLevel, HeadroomNeverWraps) {
  EXPECT_EQ((CgroupLevel{.limit = 10, .usage = 20}).Headroom(), 0u);
  EXPECT_EQ((CgroupLevel{.limit = 10, .usage = 5, .reclaimable = 9}).Headroom(), 10u);
}

TEST(CgroupMemory, OfThisMachineIsPlausible) {
  for (const CgroupLevel& level : ReadCgroupMemory().levels) {
    EXPECT_EQ(level.path.front(), '/');
    if (level.limit) {
      EXPECT_LE(level.Headroom().value_or(0), *level.limit);
    }
  }
}

}  // namespace
}  // namespace lethe
