#include "cli/progress_bar.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lethe {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(ProgressLineTest, IsDrawnToScaleWithinItsWidth) {
  EXPECT_EQ(ProgressLine(0.5, "text", 25), "[######------]  50 % text");
  EXPECT_EQ(ProgressLine(0, "", 20), "[-----------]   0 % ");
  EXPECT_EQ(ProgressLine(1, "", 20), "[###########] 100 % ");
  EXPECT_EQ(ProgressLine(1, "x", 999).size(), 30u + 9u + 1u);
  for (std::size_t width = 0; width < 60; ++width)
    EXPECT_LE(ProgressLine(0.3, "a text of some length", width).size(), width);
}

TEST(ProgressLineTest, FractionsOutOfRangeDoNoHarm) {
  EXPECT_EQ(ProgressLine(-1, "", 20), ProgressLine(0, "", 20));
  EXPECT_EQ(ProgressLine(7, "", 20), ProgressLine(1, "", 20));
  EXPECT_EQ(ProgressLine(std::nan(""), "", 20), ProgressLine(0, "", 20));
}

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressBar::Output Output(std::optional<std::size_t> width) {
    return {[this](absl::string_view text) { text_.append(text.data(), text.size()); }, width,
            [this] { return now_; }};
  }

  std::string text_;
  steady_clock::time_point now_{seconds(100)};
};

TEST_F(ProgressBarTest, OnATerminalALineIsDrawnOverTheLastAndTakenAway) {
  {
    ProgressBar bar("title", Output(30));
    bar.Update(0, "a longer text");
    bar.Update(1, "short");
    EXPECT_EQ(text_, "\r[--------]   0 % a longer tex\r[###############] 100 % short");
    text_.clear();
  }
  EXPECT_EQ(text_, "\r" + std::string(29, ' ') + "\r");
}

TEST_F(ProgressBarTest, NothingOfALongerLineStaysBehind) {
  ProgressBar bar("title", Output(80));
  bar.Update(0, "a longer text");
  text_.clear();
  bar.Update(0, "short");
  EXPECT_EQ(text_.substr(text_.size() - 13), "short        ");
}

TEST_F(ProgressBarTest, ElsewhereThereIsAWholeLineNowAndThen) {
  ProgressBar bar("lethe: waiting", Output(std::nullopt));
  for (int second = 0; second < 11; ++second) {
    bar.Update(0.1 * second, "at " + std::to_string(second));
    now_ += seconds(1);
  }
  bar.Finish();
  EXPECT_EQ(text_, "lethe: waiting: at 0\nlethe: waiting: at 5\nlethe: waiting: at 10\n");
}

TEST_F(ProgressBarTest, AVeryNarrowTerminalIsNoReasonToFail) {
  for (std::size_t width = 0; width < 4; ++width) ProgressBar("t", Output(width)).Update(0.5, "x");
}

}  // namespace
}  // namespace lethe
