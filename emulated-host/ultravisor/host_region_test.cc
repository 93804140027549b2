#include "emulated-host/ultravisor/host_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"

namespace lethe::emulated {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kPages = 8;
constexpr std::uint64_t kHigh = 0x4000'0000;

class Purges : public PagePurger {
 public:
  void PurgePage(std::uint64_t absolute) override { pages.push_back(absolute); }
  std::vector<std::uint64_t> pages;
};

// A region whose lower and upper halves two memory slots show far from each other.
class HostRegionTest : public ::testing::Test {
 protected:
  HostRegionTest() {
    memory_ =
        mmap(nullptr, kPages << 12, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LETHE_CHECK(memory_ != MAP_FAILED);
    absl::StatusOr<std::unique_ptr<HostRegion>> region = HostRegion::Make(memory_, kPages << 12);
    LETHE_CHECK(region.ok());
    region_ = *std::move(region);
    region_->Show({0, kPages / 2, 0, &purges_, lower_.data()});
    region_->Show({kPages / 2, kPages / 2, kHigh, &purges_, upper_.data()});
  }
  ~HostRegionTest() override {
    region_.reset();
    munmap(memory_, kPages << 12);
  }

  Purges purges_;
  std::array<std::atomic<std::uint8_t>, kPages / 2> lower_{};
  std::array<std::atomic<std::uint8_t>, kPages / 2> upper_{};
  void* memory_ = nullptr;
  std::unique_ptr<HostRegion> region_;
};

TEST_F(HostRegionTest, APageIsPurgedWhereItsSlotShowsIt) {
  region_->Purge(1);
  region_->Purge(kPages / 2 + 1);
  EXPECT_THAT(purges_.pages, ElementsAre(0x1000, kHigh + 0x1000));
}

TEST_F(HostRegionTest, InstructionsArePurgedWhereTheyWereDecoded) {
  upper_[1] = 1;
  region_->PurgeCode(1);
  EXPECT_THAT(purges_.pages, IsEmpty());
  region_->PurgeCode(kPages / 2 + 1);
  EXPECT_THAT(purges_.pages, ElementsAre(kHigh + 0x1000));
  lower_[3] = 1;
  region_->PurgeCode(3);
  EXPECT_THAT(purges_.pages, ElementsAre(kHigh + 0x1000, 0x3000));
}

TEST_F(HostRegionTest, APageThatIsShownTwiceIsPurgedTwice) {
  std::array<std::atomic<std::uint8_t>, kPages> again{};
  region_->Show({0, kPages, kHigh * 2, &purges_, again.data()});
  region_->Purge(2);
  EXPECT_THAT(purges_.pages, ElementsAre(0x2000, kHigh * 2 + 0x2000));
}

TEST_F(HostRegionTest, ASlotThatHasMovedIsThereOnly) {
  region_->Show({0, kPages / 2, kHigh * 2, &purges_, lower_.data()});
  region_->Purge(0);
  EXPECT_THAT(purges_.pages, ElementsAre(kHigh * 2));
}

TEST_F(HostRegionTest, ASlotThatIsGoneLeavesTheOther) {
  region_->Hide(lower_.data());
  region_->Purge(0);
  region_->Purge(kPages - 1);
  EXPECT_THAT(purges_.pages, ElementsAre(kHigh + 0x3000));
}

// Waits for the CPUs of its machine.
class SlowPurges : public PagePurger {
 public:
  void PurgePage(std::uint64_t) override {
    begun.set_value();
    go_on.get_future().wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    done = true;
  }
  std::promise<void> begun;
  std::promise<void> go_on;
  bool done = false;
};

TEST_F(HostRegionTest, APurgeHoldsUpNoOther) {
  SlowPurges slow;
  region_->Show({0, kPages / 2, 0, &slow, lower_.data()});
  std::thread cleaner([&] { region_->Purge(0); });
  slow.begun.get_future().wait();
  region_->PurgeCode(1);
  region_->Purge(kPages - 1);
  EXPECT_THAT(purges_.pages, ElementsAre(kHigh + 0x3000));
  slow.go_on.set_value();
  cleaner.join();
}

TEST_F(HostRegionTest, ASlotIsGoneWhenNobodyPurgesItAnyMore) {
  SlowPurges slow;
  region_->Show({0, kPages / 2, 0, &slow, lower_.data()});
  std::thread cleaner([&] { region_->Purge(0); });
  slow.begun.get_future().wait();
  slow.go_on.set_value();
  region_->Hide(lower_.data());
  EXPECT_TRUE(slow.done);
  cleaner.join();
}

// As if the thread that purges had been killed.
TEST_F(HostRegionTest, ForgottenViewsWaitForNobody) {
  SlowPurges slow;
  region_->Show({0, kPages / 2, 0, &slow, lower_.data()});
  std::thread cleaner([&] { region_->Purge(0); });
  slow.begun.get_future().wait();
  region_->ForgetViews();
  region_->Purge(kPages - 1);
  region_->Hide(lower_.data());
  EXPECT_THAT(purges_.pages, IsEmpty());
  slow.go_on.set_value();
  cleaner.join();
}

TEST_F(HostRegionTest, SlotsComeAndGoWhilePagesArePurged) {
  std::atomic<bool> over{false};
  class Counts : public PagePurger {
   public:
    void PurgePage(std::uint64_t) override { ++count; }
    std::atomic<int> count{0};
  };
  std::vector<std::thread> cleaners;
  for (int i = 0; i < 2; ++i) {
    cleaners.emplace_back([&] {
      while (!over) {
        region_->PurgeCode(0);
        region_->PurgeCode(kPages - 1);
      }
    });
  }
  for (int turn = 0; turn < 200; ++turn) {
    auto counts = std::make_unique<Counts>();
    auto code = std::make_unique<std::array<std::atomic<std::uint8_t>, kPages>>();
    (*code)[0] = 1;
    region_->Show({0, kPages, kHigh * 2, counts.get(), code->data()});
    region_->PurgeCode(0);
    EXPECT_GE(counts->count, 1);
    region_->Hide(code->data());
  }
  over = true;
  for (std::thread& cleaner : cleaners) cleaner.join();
}

TEST_F(HostRegionTest, ForgottenViewsAreNotPurged) {
  region_->ForgetViews();
  region_->Purge(0);
  EXPECT_THAT(purges_.pages, IsEmpty());
}

}  // namespace
}  // namespace lethe::emulated
