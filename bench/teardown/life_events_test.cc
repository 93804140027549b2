#include "bench/teardown/life_events.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace lethe::bench {
namespace {

constexpr char kText[] =
    "{\"event\":\"reset-request\",\"monotonic_ns\":1000,\"reason\":\"load clear\"}\n"
    "{\"event\":\"prepare\",\"monotonic_ns\":3000,\"duration_ns\":1500,\"uvcs\":7}\n"
    "{\"event\":\"reset-request\",\"monotonic_ns\":9000}\n";

TEST(LifeEventsTest, AreReadInTheirOrder) {
  const auto events = ParseLifeEvents(kText);
  ASSERT_THAT(events, IsOk());
  ASSERT_EQ(events->size(), 3u);
  const LifeEvent& prepare = (*events)[1];
  EXPECT_EQ(prepare.name, "prepare");
  EXPECT_EQ(prepare.monotonic.count(), 3000);
  EXPECT_EQ(prepare.duration->count(), 1500);
  EXPECT_EQ(prepare.uvcs, 7u);
  EXPECT_FALSE((*events)[0].duration.has_value());
}

TEST(LifeEventsTest, ALineThatIsBeingWrittenIsNotThereYet) {
  const auto events =
      ParseLifeEvents("{\"event\":\"a\",\"monotonic_ns\":1}\n{\"event\":\"b\",\"mo");
  ASSERT_THAT(events, IsOk());
  EXPECT_EQ(events->size(), 1u);
  EXPECT_TRUE(ParseLifeEvents("{\"eve")->empty());
  EXPECT_TRUE(ParseLifeEvents("")->empty());
}

TEST(LifeEventsTest, OtherTextIsAnError) {
  EXPECT_FALSE(ParseLifeEvents("hello\n").ok());
  EXPECT_FALSE(ParseLifeEvents("[1]\n").ok());
  EXPECT_FALSE(ParseLifeEvents("{\"event\":\"a\"}\n").ok());
  EXPECT_FALSE(ParseLifeEvents("{\"event\":5,\"monotonic_ns\":1}\n").ok());
}

TEST(LifeEventsTest, AreFoundByName) {
  const auto events = ParseLifeEvents(kText);
  ASSERT_THAT(events, IsOk());
  EXPECT_EQ(FindEvent(*events, "reset-request"), &(*events)[0]);
  EXPECT_EQ(FindEvent(*events, "reset-request", 1), &(*events)[2]);
  EXPECT_EQ(FindEvent(*events, "disable"), nullptr);
  EXPECT_EQ(LastEvent(*events, "reset-request"), 2u);
  EXPECT_EQ(LastEvent(*events, "disable"), 3u);
}

}  // namespace
}  // namespace lethe::bench
