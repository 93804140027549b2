// Says of a kernel which statements about KVM on s390x hold there, one test for each.
//
//   conformance [--kernel=emulated|linux] [--brief] [--patience=SECONDS] [GoogleTest's options]
//
// --kernel: the emulated host (default), or /dev/kvm of the machine this runs on. --brief: tell
// only what differs. --patience: give up, with the statement's name, when one takes longer. Needs
// no other file; can be the first program of a machine that has nothing else. Ends with 0 (all
// agree), 1 (something differs), 2 (did not run), 3 (out of patience).

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/conformance/host.h"
#include "tests/conformance/report.h"

namespace lethe::conformance {
namespace {

struct Options {
  std::string kernel = "emulated";
  bool brief = false;
  unsigned patience = 0;
};

int Refuse(absl::string_view what) {
  fprintf(stderr, "conformance: %s\n", std::string(what).c_str());
  return 2;
}

bool Parse(int argc, char** argv, Options& options, std::string& problem) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view word = argv[i];
    if (absl::ConsumePrefix(&word, "--kernel=")) {
      options.kernel = std::string(word);
    } else if (word == "--brief") {
      options.brief = true;
    } else if (absl::ConsumePrefix(&word, "--patience=")) {
      if (absl::SimpleAtoi(word, &options.patience)) continue;
      problem = absl::StrCat("--patience=", word, ": a number of seconds is wanted");
      return false;
    } else {
      problem = absl::StrCat("what is ", word,
                             "? There are --kernel=, --brief, --patience= and --gtest_...");
      return false;
    }
  }
  return true;
}

void OutOfPatience(int) {
  // Only what a signal handler may do; GoogleTest's names do not move.
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const auto say = [](absl::string_view text) {
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
  };
  say("conformance: out of patience with ");
  if (test != nullptr) {
    say(test->test_suite_name());
    say(".");
    say(test->name());
  }
  say("\n");
  _exit(3);
}

// Restarts the clock with every statement.
class Patience : public ::testing::EmptyTestEventListener {
 public:
  explicit Patience(unsigned seconds) : seconds_(seconds) { signal(SIGALRM, OutOfPatience); }

 private:
  void OnTestStart(const ::testing::TestInfo&) override { alarm(seconds_); }

  const unsigned seconds_;
};

int Main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  Options options;
  std::string problem;
  if (!Parse(argc, argv, options, problem)) return Refuse(problem);
  if (::testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (const absl::Status status = Host::Choose(options.kernel); !status.ok())
    return Refuse(status.message());

  ::testing::UnitTest& tests = *::testing::UnitTest::GetInstance();
  ::testing::TestEventListeners& listeners = tests.listeners();
  delete listeners.Release(listeners.default_result_printer());
  auto* report = new Report(options.kernel, options.brief);
  listeners.Append(report);
  if (options.patience != 0) listeners.Append(new Patience(options.patience));
  const int result = RUN_ALL_TESTS();
  report->PrintLastLine(tests);
  return result;
}

}  // namespace
}  // namespace lethe::conformance

int main(int argc, char** argv) { return lethe::conformance::Main(argc, argv); }
