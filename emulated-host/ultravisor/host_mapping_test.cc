#include "emulated-host/ultravisor/host_mapping.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/unique_fd.h"
#include "emulated-host/ultravisor/test_machine.h"

namespace lethe::emulated {
namespace {

constexpr char kSecret[] = "the guest's best kept secret, forty-two bytes";
constexpr std::size_t kPage = 100;

// A guest with a secret in one page, and all the ways in which its VMM might read it.
class HostMappingTest : public ::testing::Test {
 protected:
  HostMappingTest() {
    configuration_ = machine_.Create();
    LETHE_CHECK(machine_.Start(*configuration_, ReadGolden("g235-plain.pv")).ok());
    LETHE_CHECK(ultravisor_.ConvertToSecure(*configuration_, kPage * kPageSize).ok());
    std::copy(std::begin(kSecret), std::end(kSecret), machine_.region().bytes(kPage));
    if (machine_.mapping().concealment() == Concealment::kNone) conceals_ = false;
  }
  void SetUp() override {
    if (!conceals_) GTEST_SKIP() << "this host offers no userfaultfd";
  }

  const std::uint8_t* client() { return machine_.client() + kPage * kPageSize; }
  static bool IsSecret(const std::uint8_t* bytes) {
    return std::equal(std::begin(kSecret), std::end(kSecret), bytes);
  }
  std::uint64_t exports() { return ultravisor_.counters().of(Uvc::kConvertFromSecure); }

  HostKey key_ = ReadGoldenKey("host.key");
  Ultravisor ultravisor_{key_};
  TestMachine machine_{ultravisor_};
  std::shared_ptr<SecureConfiguration> configuration_;
  bool conceals_ = true;
};

TEST_F(HostMappingTest, ThePointerShowsCiphertext) {
  EXPECT_TRUE(IsSecret(machine_.region().bytes(kPage)));
  EXPECT_FALSE(IsSecret(client()));
  EXPECT_EQ(exports(), 1);
  EXPECT_EQ(machine_.state(kPage).kind(), PageKind::kNonSecure);
  EXPECT_TRUE(machine_.settled(kPage).exposed());
}

TEST_F(HostMappingTest, SystemCallsSeeCiphertextOrFail) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  std::array<std::uint8_t, sizeof(kSecret)> seen{};
  const ssize_t written = write(writing.get(), client(), seen.size());
  if (written < 0) {
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(machine_.mapping().concealment(), Concealment::kUserMode);
    return;
  }
  ASSERT_EQ(read(reading.get(), seen.data(), seen.size()), written);
  EXPECT_FALSE(IsSecret(seen.data()));
}

TEST_F(HostMappingTest, AsynchronousInputOutputSeesCiphertextOrFails) {
  io_uring ring;
  if (const int error = io_uring_queue_init(2, &ring, 0); error < 0)
    GTEST_SKIP() << "this host offers no io_uring (errno " << -error << ")";
  const absl::Cleanup exit = [&] { io_uring_queue_exit(&ring); };
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  io_uring_sqe* const entry = io_uring_get_sqe(&ring);
  io_uring_prep_write(entry, writer.get(), client(), sizeof(kSecret), 0);
  ASSERT_EQ(io_uring_submit(&ring), 1);
  io_uring_cqe* completion = nullptr;
  ASSERT_EQ(io_uring_wait_cqe(&ring, &completion), 0);
  if (completion->res > 0) {
    std::array<std::uint8_t, sizeof(kSecret)> read_back{};
    ASSERT_EQ(read(reader.get(), read_back.data(), read_back.size()), completion->res);
    EXPECT_FALSE(IsSecret(read_back.data()));
  } else {
    EXPECT_EQ(completion->res, -EFAULT);
  }
  io_uring_cqe_seen(&ring, completion);
}

TEST_F(HostMappingTest, ProcMemSeesCiphertextOrFails) {
  const UniqueFd memory(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(memory);
  std::array<std::uint8_t, sizeof(kSecret)> seen{};
  const ssize_t size = pread(memory.get(), seen.data(), seen.size(),
                             static_cast<off_t>(reinterpret_cast<std::uintptr_t>(client())));
  if (size > 0) {
    EXPECT_FALSE(IsSecret(seen.data()));
  }
}

TEST_F(HostMappingTest, AGuestThatTakesThePageBackHidesItAgain) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_FALSE(IsSecret(client()));
    ASSERT_TRUE(ultravisor_.ConvertToSecure(*configuration_, kPage * kPageSize).ok());
    ASSERT_TRUE(IsSecret(machine_.region().bytes(kPage)));
    ASSERT_FALSE(machine_.settled(kPage).exposed());
  }
}

// Marks stay with mappings when another configuration of the same memory is made: a page that is
// mapped and not marked would stay mapped when it becomes secure.
TEST_F(HostMappingTest, ASecondGuestLeavesTheMarksOfTheFirstAlone) {
  ASSERT_FALSE(IsSecret(client()));
  ASSERT_TRUE(machine_.settled(kPage).exposed());
  const auto second = ultravisor_.CreateConfiguration(machine_.storage(), machine_.mapping());
  ASSERT_TRUE(second.result.ok());
  EXPECT_TRUE(machine_.settled(kPage).exposed());
  ASSERT_TRUE(ultravisor_.DestroyConfiguration(*second.configuration).ok());
  // Alone again: all at once.
  ASSERT_TRUE(ultravisor_.DestroyConfiguration(*configuration_).ok());
  ASSERT_TRUE(ultravisor_.CreateConfiguration(machine_.storage(), machine_.mapping()).result.ok());
  EXPECT_FALSE(machine_.settled(kPage).exposed());
}

TEST_F(HostMappingTest, StoresOfTheClientDestroyWhatTheyHit) {
  machine_.client()[kPage * kPageSize] = 1;
  EXPECT_FALSE(ultravisor_.ConvertToSecure(*configuration_, kPage * kPageSize).ok());
}

TEST_F(HostMappingTest, PagesNobodyOwnsAreJustMemory) {
  for (std::size_t page = 110; page < 250; ++page) {
    machine_.client()[page * kPageSize] = static_cast<std::uint8_t>(page);
  }
  for (std::size_t page = 110; page < 250; ++page) {
    EXPECT_EQ(machine_.region().bytes(page)[0], static_cast<std::uint8_t>(page));
  }
  EXPECT_EQ(exports(), 0);
}

TEST_F(HostMappingTest, TheAliasIsNotInCoreDumps) {
  const UniqueFd maps(open("/proc/self/smaps", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(maps);
  std::string text, part(65536, '\0');
  for (ssize_t size; (size = read(maps.get(), part.data(), part.size())) > 0;) {
    text.append(part, 0, static_cast<std::size_t>(size));
  }
  char start[32];
  std::snprintf(start, sizeof(start), "%lx-",
                reinterpret_cast<unsigned long>(machine_.region().bytes()));
  const std::size_t at = text.find(start);
  ASSERT_NE(at, std::string::npos);
  const std::size_t flags = text.find("VmFlags:", at);
  EXPECT_NE(text.substr(flags, text.find('\n', flags) - flags).find(" dd"), std::string::npos);
}

TEST(HostMappingRegions, OneRangeIsOneRegion) {
  HostMapping mapping([](HostRegion&, std::size_t) {});
  constexpr std::size_t kSize = 16 * kPageSize;
  auto* const memory = static_cast<std::uint8_t*>(
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  const absl::StatusOr<HostRegion*> region = mapping.Add(memory, kSize);
  ASSERT_TRUE(region.ok());
  EXPECT_EQ(*mapping.Add(memory, kSize), *region);
  EXPECT_EQ(*mapping.Add(memory + kPageSize, kPageSize), *region);
  EXPECT_EQ(mapping.FindByBytes((*region)->bytes() + 5), *region);
  memory[3 * kPageSize] = 1;
  std::array<unsigned char, 16> present{};
  (*region)->FindPresent(0, 16, present.data());
  EXPECT_EQ(present[3] & 1, 1);
  EXPECT_EQ(present[5] & 1, 0);
  mapping.Remove(memory, kSize);
  EXPECT_TRUE(mapping.regions().empty());
  munmap(memory, kSize);
  EXPECT_FALSE(mapping.Add(memory, kSize).ok());
}

}  // namespace
}  // namespace lethe::emulated
