#include "pv/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "accel/kvm-s390/abi.h"

namespace lethe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

kvm::PvResult Refused(std::uint32_t command, std::uint16_t rc, std::uint16_t rrc) {
  kvm::PvResult result;
  result.command = command;
  result.error = EINVAL;
  result.rc = rc;
  result.rrc = rrc;
  return result;
}

TEST(RefusalTest, AnImageForAnotherHostIsToldApartFromADamagedOne) {
  EXPECT_THAT(ExplainRefusal(Refused(abi::KVM_PV_SET_SEC_PARMS, 0x108, 5)),
              AllOf(HasSubstr("another host"), HasSubstr("0x0108")));
  EXPECT_THAT(ExplainRefusal(Refused(abi::KVM_PV_SET_SEC_PARMS, 0x108, 0xb)),
              HasSubstr("customer key"));
  EXPECT_THAT(ExplainRefusal(Refused(abi::KVM_PV_VERIFY, 0x102, 0x1b)), HasSubstr("content"));
}

TEST(RefusalTest, UnknownCodesAreShownAsTheyAre) {
  EXPECT_THAT(ExplainRefusal(Refused(abi::KVM_PV_UNPACK, 0x777, 0x12)), HasSubstr("0x0777"));
}

}  // namespace
}  // namespace lethe
