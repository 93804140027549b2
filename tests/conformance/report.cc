#include "tests/conformance/report.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace lethe::conformance {
namespace {

constexpr std::size_t kLongestLine = 119;  // without its end

absl::string_view FileName(const char* path) {
  const absl::string_view whole = path == nullptr ? "" : path;
  return whole.substr(whole.rfind('/') + 1);
}

}  // namespace

void PrintLine(absl::string_view text) {
  std::string line;
  do {
    const std::size_t length = std::min(text.size(), kLongestLine - line.size());
    absl::StrAppend(&line, text.substr(0, length), "\n");
    text.remove_prefix(length);
    // Where the output is gone there is nobody to tell.
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
    line = "  ";
  } while (!text.empty());
}

void Report::OnTestPartResult(const ::testing::TestPartResult& result) {
  if (!result.failed() && !result.skipped()) return;
  const std::string message = absl::StrReplaceAll(result.message(), {{"\n", " | "}});
  if (!details_.empty()) details_ += '\n';
  if (result.failed())
    absl::StrAppend(&details_, FileName(result.file_name()), ":", result.line_number(), ": ");
  details_ += message;
}

void Report::OnTestEnd(const ::testing::TestInfo& test) {
  const std::string name = absl::StrCat(test.test_suite_name(), ".", test.name());
  const ::testing::TestResult& result = *test.result();
  if (result.Failed()) {
    PrintLine(absl::StrCat("differs ", name));
    absl::string_view rest = details_;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      PrintLine(absl::StrCat("  ", rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  } else if (result.Skipped()) {
    absl::string_view reason = details_;
    const bool argued = absl::ConsumePrefix(&reason, kArgued);
    if (argued) ++argued_;
    if (!brief_) PrintLine(absl::StrCat(argued ? "argued " : "absent ", name, ": ", reason));
  } else if (!brief_) {
    PrintLine(absl::StrCat("agrees ", name));
  }
  details_.clear();
}

void Report::PrintLastLine(const ::testing::UnitTest& tests) const {
  PrintLine(absl::StrCat("conformance ", kernel_, ": ", tests.test_to_run_count(), " statements, ",
                         tests.successful_test_count(), " agree, ", tests.failed_test_count(),
                         " differ, ", tests.skipped_test_count() - argued_, " not on this host",
                         argued_ == 0 ? "" : absl::StrCat(", ", argued_, " argued")));
}

}  // namespace lethe::conformance
