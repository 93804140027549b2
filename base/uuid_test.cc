#include "base/uuid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(Uuid, ReadsWhatItWrites) {
  const auto uuid = ParseUuid("6BA7B810-9dad-41d1-80b4-00c04fd430c8");
  ASSERT_TRUE(uuid.ok()) << uuid.status();
  EXPECT_EQ((*uuid)[0], 0x6b);
  EXPECT_EQ((*uuid)[15], 0xc8);
  EXPECT_EQ(FormatUuid(*uuid), "6ba7b810-9dad-41d1-80b4-00c04fd430c8");
}

TEST(Uuid, RefusesOtherShapes) {
  for (const char* text :
       {"", "6ba7b810", "6ba7b810-9dad-41d1-80b4-00c04fd430c",
        "6ba7b810-9dad-41d1-80b4-00c04fd430cg", "6ba7b8109dad-41d1-80b4-00c04fd430c8-"})
    EXPECT_THAT(ParseUuid(text), FailsWith(HasSubstr("is no UUID"))) << text;
}

TEST(Uuid, RandomOnesDifferAndSayThatTheyAreRandom) {
  const Uuid uuid = RandomUuid();
  EXPECT_NE(uuid, RandomUuid());
  EXPECT_EQ(FormatUuid(uuid)[14], '4');
}

}  // namespace
}  // namespace lethe
