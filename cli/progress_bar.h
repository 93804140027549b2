#ifndef LETHE_CLI_PROGRESS_BAR_H_
#define LETHE_CLI_PROGRESS_BAR_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lethe {

// "[########------------]  40 % text", cut to `width` characters. `fraction` is held to 0...1.
std::string ProgressLine(double fraction, absl::string_view text, std::size_t width);

// Shows how far something is. On a terminal: one line that is drawn over itself. Elsewhere: a whole
// line every few seconds, for logs.
class ProgressBar {
 public:
  struct Output {
    std::function<void(absl::string_view)> write;
    std::optional<std::size_t> terminal_width;                   // no value: not a terminal
    std::function<std::chrono::steady_clock::time_point()> now;  // for the pace of whole lines
  };
  static constexpr std::chrono::seconds kLineInterval{5};

  static Output StandardError();
  // `title` begins whole lines: "lethe: waiting for memory".
  ProgressBar(std::string title, Output output);
  ~ProgressBar() { Finish(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Update(double fraction, absl::string_view text);
  // Takes the bar away, so that other lines can follow. Update may draw it again.
  void Finish();

 private:
  const std::string title_;
  const Output output_;
  std::size_t drawn_ = 0;  // characters of the bar that is on the terminal
  std::optional<std::chrono::steady_clock::time_point> last_line_;
};

}  // namespace lethe

#endif  // LETHE_CLI_PROGRESS_BAR_H_
