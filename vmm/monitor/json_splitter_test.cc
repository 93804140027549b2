#include "vmm/monitor/json_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace lethe::vmm {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Item = JsonSplitter::Item;

std::vector<Item> TakeAll(JsonSplitter& splitter) {
  std::vector<Item> items;
  while (const auto item = splitter.Take()) items.push_back(*item);
  return items;
}

std::vector<Item> Split(absl::string_view bytes, JsonSplitter::Limits limits = {}) {
  JsonSplitter splitter(limits);
  splitter.Add(bytes);
  return TakeAll(splitter);
}

auto Value(const std::string& text) {
  return AllOf(Field("text", &Item::text, text), Field("error", &Item::error, IsEmpty()));
}
auto Error(const std::string& part) {
  return AllOf(Field("text", &Item::text, IsEmpty()),
               Field("error", &Item::error, HasSubstr(part)));
}

TEST(JsonSplitterTest, FindsValuesWhateverIsBetweenThem) {
  EXPECT_THAT(Split("{}{\"a\":[1]}\r\n\t [] \n{\"a\"\n:\n2}"),
              ElementsAre(Value("{}"), Value("{\"a\":[1]}"), Value("[]"), Value("{\"a\"\n:\n2}")));
}

TEST(JsonSplitterTest, DoesNotLookForBracketsInStrings) {
  EXPECT_THAT(Split(R"({"}":"\"}{[\\"}{"x":"]"})"),
              ElementsAre(Value(R"({"}":"\"}{[\\"})"), Value(R"({"x":"]"})")));
}

TEST(JsonSplitterTest, KeepsAnUnfinishedValueToItself) {
  EXPECT_THAT(Split("{\"execute\": [1, 2"), IsEmpty());
}

TEST(JsonSplitterTest, GoesOnAtTheNextLineAfterAnError) {
  EXPECT_THAT(Split("hello {} world\n{\"a\":1}"), ElementsAre(Error("object"), Value("{\"a\":1}")));
  EXPECT_THAT(Split("}\n{}"), ElementsAre(Error("object"), Value("{}")));
  EXPECT_THAT(Split("{\"a\":[1}\n{}"), ElementsAre(Error("'}' closes '['"), Value("{}")));
  EXPECT_THAT(Split("{\"a\n{}"), ElementsAre(Error("control character"), Value("{}")));
  EXPECT_THAT(Split("{\"a\\\n{}"), ElementsAre(Error("control character"), Value("{}")));
  EXPECT_THAT(Split("\xff\n{}"), ElementsAre(Error("object"), Value("{}")));
}

TEST(JsonSplitterTest, BoundsTheLengthOfAValue) {
  const JsonSplitter::Limits limits{8, 64};
  EXPECT_THAT(Split("{\"a\":12}", limits), ElementsAre(Value("{\"a\":12}")));
  EXPECT_THAT(Split("{\"a\":123}\n{}", limits), ElementsAre(Error("at most 8"), Value("{}")));
  EXPECT_THAT(Split("{\"aaaaaaaaaaaaaaaaaaa", limits), ElementsAre(Error("at most 8")));
}

TEST(JsonSplitterTest, BoundsTheDepthOfAValue) {
  const JsonSplitter::Limits limits{64, 3};
  EXPECT_THAT(Split("[[[]]]", limits), ElementsAre(Value("[[[]]]")));
  EXPECT_THAT(Split("[[{[]}]]\n[]", limits), ElementsAre(Error("more than 3"), Value("[]")));
}

// Whatever the pieces, the items are the same.
TEST(JsonSplitterTest, DoesNotCareHowTheStreamIsDivided) {
  const std::vector<std::string> parts = {
      "{\"execute\":\"stop\"}",
      "[1,[2,{\"a\":\"]}\"}]]",
      "\r\n",
      "  ",
      "\n",
      "\"loose\"",
      "{",
      "}",
      "]",
      "\"",
      "\\",
      "\xff\xfe",
      "{\"\\u12",
      "x",
      "[[[[[[[[[[[[[[[[",
      "{\"long\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"};
  const JsonSplitter::Limits limits{40, 8};
  std::mt19937 random(1);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  std::size_t values = 0;
  std::size_t errors = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string stream;
    for (std::size_t n = below(12); n > 0; --n) stream += parts[below(parts.size())];
    const std::vector<Item> whole = Split(stream, limits);
    JsonSplitter pieces(limits);
    std::vector<Item> found;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min(stream.size() - at, 1 + below(5));
      pieces.Add(absl::string_view(stream).substr(at, size));
      at += size;
      for (Item& item : TakeAll(pieces)) found.push_back(std::move(item));
    }
    ASSERT_EQ(found, whole) << stream;
    for (const Item& item : whole) ++(item.error.empty() ? values : errors);
  }
  EXPECT_GT(values, 100u);
  EXPECT_GT(errors, 100u);
}

}  // namespace
}  // namespace lethe::vmm
