#include "vmm/guest_memory.h"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <cstdio>
#include <fstream>

#include "base/big_endian.h"
#include "base/status_matchers.h"

namespace lethe::vmm {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSize = 4 << 20;

// Pages of the mapping that exist, in bytes, from /proc/self/smaps.
std::uint64_t Resident(std::uint64_t start) {
  std::ifstream smaps("/proc/self/smaps");
  char wanted[32];
  std::snprintf(wanted, sizeof(wanted), "%lx-", static_cast<unsigned long>(start));
  bool found = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.rfind(wanted, 0) == 0) found = true;
    if (found && line.rfind("Rss:", 0) == 0) return std::stoull(line.substr(4)) * 1024;
  }
  ADD_FAILURE() << "mapping not found";
  return 0;
}

class GuestMemoryTest : public ::testing::TestWithParam<MemoryBacking> {};

TEST_P(GuestMemoryTest, ReadsWhatWasWritten) {
  auto memory = GuestMemory::Create(kSize, GetParam());
  ASSERT_THAT(memory, IsOk());
  ASSERT_TRUE(memory->Write(GuestAddress(0x1234), Be32(0xdeadbeef)));
  EXPECT_EQ(memory->Read<Be32>(GuestAddress(0x1234))->value(), 0xdeadbeefu);
  EXPECT_EQ(*memory->Read<std::uint8_t>(GuestAddress(0x1234)), 0xde);
}

TEST_P(GuestMemoryTest, RefusesWhatLeavesTheMemory) {
  auto memory = GuestMemory::Create(kSize, GetParam());
  ASSERT_THAT(memory, IsOk());
  EXPECT_TRUE(memory->Read<Be64>(GuestAddress(kSize - 8)));
  EXPECT_FALSE(memory->Read<Be64>(GuestAddress(kSize - 7)));
  EXPECT_FALSE(memory->Read<Be64>(GuestAddress(~std::uint64_t{0} - 3)));
  EXPECT_FALSE(memory->Write(GuestAddress(kSize), std::uint8_t{1}));
  EXPECT_FALSE(memory->Contains(GuestAddress(1), ~std::uint64_t{0}));
}

TEST_P(GuestMemoryTest, IsAlignedToSegmentsAndUntouched) {
  auto memory = GuestMemory::Create(kSize, GetParam());
  ASSERT_THAT(memory, IsOk());
  EXPECT_EQ(memory->slot_address() % kMemoryIncrement, 0u);
  EXPECT_EQ(Resident(memory->slot_address()), 0u);
  ASSERT_TRUE(memory->Write(GuestAddress(0), std::uint8_t{1}));
  EXPECT_GT(Resident(memory->slot_address()), 0u);
}

TEST_P(GuestMemoryTest, SaysThatAFileEndsEarly) {
  auto memory = GuestMemory::Create(kSize, GetParam());
  ASSERT_THAT(memory, IsOk());
  UniqueFd file(memfd_create("file", 0));
  ASSERT_EQ(write(file.get(), "abcd", 4), 4);
  EXPECT_THAT(memory->LoadFromFile(file, 1, 3, GuestAddress(10)), IsOk());
  EXPECT_EQ(*memory->Read<char>(GuestAddress(10)), 'b');
  EXPECT_THAT(memory->LoadFromFile(file, 1, 4, GuestAddress(10)), FailsWith(HasSubstr("early")));
  EXPECT_THAT(memory->LoadFromFile(file, 0, 4, GuestAddress(kSize - 3)),
              FailsWith(HasSubstr("do not fit")));
}

INSTANTIATE_TEST_SUITE_P(Backings, GuestMemoryTest,
                         ::testing::Values(MemoryBacking::kPrivate, MemoryBacking::kShared));

TEST(GuestMemory, TellsHowMuchOfItExists) {
  for (const MemoryBacking backing : {MemoryBacking::kShared, MemoryBacking::kPrivate}) {
    auto memory = GuestMemory::Create(64 * kMemoryIncrement, backing);
    ASSERT_TRUE(memory.ok()) << memory.status();
    EXPECT_EQ(memory->bytes().size(), memory->size());
    EXPECT_EQ(memory->file() >= 0, backing == MemoryBacking::kShared);
    const std::vector<std::uint8_t> content(48 * kMemoryIncrement, 1);
    ASSERT_TRUE(memory->CopyIn(GuestAddress(0), content));
    ASSERT_TRUE(memory->touched().has_value());
    EXPECT_GE(*memory->touched(), content.size());
    if (backing == MemoryBacking::kPrivate) continue;
    EXPECT_EQ(*memory->touched(), content.size());
  }
}

}  // namespace
}  // namespace lethe::vmm
