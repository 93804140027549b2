#include "emulated-host/cpu/facility_list.h"

#include <gtest/gtest.h>

namespace lethe::emulated {
namespace {

TEST(FacilityListTest, BitZeroIsLeftmost) {
  const FacilityList list{0, 2, 63, 64, 161};
  EXPECT_EQ(list.Doubleword(0), 0xa000'0000'0000'0001u);
  EXPECT_EQ(list.Doubleword(1), 0x8000'0000'0000'0000u);
  EXPECT_EQ(list.Doubleword(2), std::uint64_t{1} << (63 - (161 - 128)));
  EXPECT_EQ(list.Doubleword(17), 0u);
}

TEST(FacilityListTest, CountsDoublewordsUpToTheLastBit) {
  EXPECT_EQ(FacilityList{}.SignificantDoublewords(), 1u);
  EXPECT_EQ(FacilityList{63}.SignificantDoublewords(), 1u);
  EXPECT_EQ((FacilityList{1, 64}.SignificantDoublewords()), 2u);
  EXPECT_EQ((FacilityList{1, 158}.SignificantDoublewords()), 3u);
}

TEST(FacilityListTest, IgnoresBitsBeyondItsEnd) {
  FacilityList list;
  list.Set(256, true);
  list.Set(kBase, true);
  EXPECT_EQ(list, FacilityList{});
  EXPECT_FALSE(list.Has(kBase));
}

TEST(FacilityListTest, OrdinaryGuestSeesUnpackAndNoUltravisorCall) {
  const FacilityList seen = FacilitiesOf({1, 2, kUltravisorCall, kUnpack}, kNoConfiguration);
  EXPECT_EQ(seen, (FacilityList{1, 2, kUnpack}));
}

TEST(FacilityListTest, ProtectedGuestSeesUltravisorCallAndNoUnpack) {
  const FacilityList seen = FacilitiesOf({1, 2, kUnpack}, 7);
  EXPECT_EQ(seen, (FacilityList{1, 2, kUltravisorCall}));
}

TEST(FacilityListTest, HostWithoutProtectedGuestsOffersNeither) {
  EXPECT_EQ(FacilitiesOf({1, 2}, kNoConfiguration), (FacilityList{1, 2}));
}

}  // namespace
}  // namespace lethe::emulated
