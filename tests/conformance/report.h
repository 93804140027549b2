#ifndef LETHE_TESTS_CONFORMANCE_REPORT_H_
#define LETHE_TESTS_CONFORMANCE_REPORT_H_

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/string_view.h"

namespace lethe::conformance {

// What the program prints, fit for a console that loses long lines and bursts: every line is at
// most 120 bytes with its end, and is one write(2) to standard output.
class Report : public ::testing::EmptyTestEventListener {
 public:
  // `brief`: only statements that do not hold, and the last line.
  Report(std::string kernel, bool brief) : kernel_(std::move(kernel)), brief_(brief) {}

  // "conformance KERNEL: N statements, N agree, N differ, N not on this host[, N argued]".
  void PrintLastLine(const ::testing::UnitTest& tests) const;

 private:
  void OnTestPartResult(const ::testing::TestPartResult& result) override;
  void OnTestEnd(const ::testing::TestInfo& test) override;

  const std::string kernel_;
  const bool brief_;
  int argued_ = 0;
  std::string details_;  // of the test that runs
};

// What a statement's reason for not being tried begins with when the kernel differs, and shall:
// docs/conformance.md says why.
inline constexpr char kArgued[] = "argued: ";

// Printed as above; a longer text continues in lines that begin with two blanks.
void PrintLine(absl::string_view text);

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_REPORT_H_
