#ifndef LETHE_BENCH_TEARDOWN_CHILD_PROCESS_H_
#define LETHE_BENCH_TEARDOWN_CHILD_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace lethe::bench {

using Clock = std::chrono::steady_clock;

// Ends the benchmark early: while one exists, SIGINT, SIGTERM and SIGHUP are no longer deadly but
// make `fd` readable. Made before any thread.
class Interruption {
 public:
  static absl::StatusOr<Interruption> Claim();
  int fd() const { return fd_.get(); }

 private:
  explicit Interruption(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

struct ConsoleLine {
  Clock::time_point when;
  std::string text;
};

// A virtual machine monitor whose guest's console are its standard input and output. Killed when it
// goes out of scope or when this process dies. One thread.
class ChildProcess {
 public:
  using OnLine = std::function<void(const ConsoleLine&)>;

  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& arguments, const Interruption& interruption);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  absl::Status Say(absl::string_view line);

  // What the console says until a line is `last`, that line included. Unavailable: the process
  // ended, DeadlineExceeded: no line came for some minutes, Cancelled: interrupted.
  absl::StatusOr<std::vector<ConsoleLine>> ReadUntil(absl::string_view last,
                                                     const OnLine& on_line = {});

  // When the process has ended. An error if it did not end with status 0.
  absl::StatusOr<Clock::time_point> WaitForEnd();

  // What it wrote on standard error last; for messages.
  std::string LastComplaint() const;

 private:
  ChildProcess(pid_t pid, UniqueFd input, UniqueFd output, UniqueFd complaints, int interruption);
  absl::Status ReadMore(Clock::time_point deadline);
  absl::Status AwaitEnd() const;
  absl::Status Failure(absl::StatusCode code, absl::string_view what) const;

  pid_t pid_;
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd complaints_;
  const int interruption_;
  std::string name_;
  std::string partial_;
  std::vector<ConsoleLine> lines_;  // not yet given out
};

// Makes this process the one that orphaned helpers of its children come to.
absl::Status AdoptOrphans();
// Waits until no child and no adopted orphan is left.
absl::Status WaitForOrphans(const Interruption& interruption);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_CHILD_PROCESS_H_
