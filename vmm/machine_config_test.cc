#include "vmm/machine_config.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace lethe::vmm {
namespace {

using ::testing::HasSubstr;

MachineConfig Good() {
  MachineConfig config;
  config.boot.kernel = "vmlinuz";
  return config;
}

TEST(MachineConfigTest, AcceptsAKernelWithDefaults) { EXPECT_THAT(Validate(Good()), IsOk()); }

TEST(MachineConfigTest, RefusesMemoryThatIsOutOfRangeOrUneven) {
  MachineConfig config = Good();
  config.memory_size = (std::uint64_t{1} << 30) + 4096;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("multiple of 1 MiB")));
  config.memory_size = 1 << 20;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("16 MiB to 8 TiB")));
  config.memory_size = std::uint64_t{1} << 44;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("out of range")));
}

TEST(MachineConfigTest, RefusesImpossibleNumbersOfCpus) {
  MachineConfig config = Good();
  config.cpus = 0;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("1 to 248")));
  config.cpus = 249;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("1 to 248")));
}

TEST(MachineConfigTest, WantsExactlyOneThingToBoot) {
  MachineConfig config;
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("nothing to boot")));
  config.boot.kernel = "vmlinuz";
  config.boot.protected_image = "image";
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("not both")));
  config.boot.kernel.clear();
  config.boot.initrd = "initrd";
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("carries its own")));
  config.boot.initrd.clear();
  config.boot.command_line = "quiet";
  EXPECT_THAT(Validate(config), FailsWith(HasSubstr("carries its own")));
}

}  // namespace
}  // namespace lethe::vmm
