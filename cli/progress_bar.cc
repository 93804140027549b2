#include "cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/terminal.h"

namespace lethe {
namespace {

constexpr std::size_t kLongestBar = 30;
constexpr std::size_t kShortestBar = 8;
constexpr std::size_t kPercentWidth = 9;  // "[" "] " "100 % "

}  // namespace

std::string ProgressLine(double fraction, absl::string_view text, std::size_t width) {
  const double share = fraction > 0 ? std::min(fraction, 1.0) : 0.0;  // also for NaN
  const std::size_t used = text.size() + kPercentWidth;
  const std::size_t cells = std::clamp(width > used ? width - used : 0, kShortestBar, kLongestBar);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return absl::StrFormat("[%s%s] %3.0f %% %s", std::string(full, '#'),
                         std::string(cells - full, '-'), share * 100, text)
      .substr(0, width);
}

ProgressBar::Output ProgressBar::StandardError() {
  return {[](absl::string_view text) { std::cerr << text << std::flush; },
          TerminalWidth(STDERR_FILENO), [] { return std::chrono::steady_clock::now(); }};
}

ProgressBar::ProgressBar(std::string title, Output output)
    : title_(std::move(title)), output_(std::move(output)) {}

void ProgressBar::Update(double fraction, absl::string_view text) {
  if (output_.terminal_width) {
    // The last column stays free: some terminals go to the next line when it is written to.
    const std::size_t width = std::max<std::size_t>(*output_.terminal_width, 2) - 1;
    std::string line = ProgressLine(fraction, text, width);
    const std::size_t length = line.size();
    line.resize(std::max(length, drawn_), ' ');
    output_.write(absl::StrCat("\r", line));
    drawn_ = length;
    return;
  }
  const auto now = output_.now();
  if (last_line_ && now - *last_line_ < kLineInterval) return;
  last_line_ = now;
  output_.write(absl::StrCat(title_, ": ", text, "\n"));
}

void ProgressBar::Finish() {
  if (drawn_ == 0) return;
  output_.write(absl::StrCat("\r", std::string(drawn_, ' '), "\r"));
  drawn_ = 0;
}

}  // namespace lethe
