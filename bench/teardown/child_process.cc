#include "bench/teardown/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace lethe::bench {
namespace {

constexpr std::chrono::minutes kPatience{5};
constexpr std::chrono::milliseconds kOrphanInterval{1};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

sigset_t DeadlySignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// In the child after fork: nothing but system calls.
[[noreturn]] void Become(char* const* arguments, int input, int output, int complaints,
                         pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Should memory run short all the same, this process goes first.
  const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  [[maybe_unused]] const ssize_t ignored = write(score, "1000", 4);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(complaints, STDERR_FILENO);
  execvp(arguments[0], arguments);
  const char* const reason = strerror(errno);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, reason, strlen(reason));
  _exit(127);
}

}  // namespace

absl::StatusOr<Interruption> Interruption::Claim() {
  const sigset_t set = DeadlySignals();
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    return absl::ErrnoToStatus(error, "cannot block signals");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, "cannot watch signals");
  return Interruption(std::move(fd));
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& arguments, const Interruption& interruption) {
  LETHE_ASSIGN_OR_RETURN(Pipe input, MakePipe());
  LETHE_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  UniqueFd complaints(memfd_create("complaints", MFD_CLOEXEC));
  if (!complaints) return absl::ErrnoToStatus(errno, "cannot make a file for error messages");
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "cannot start a process");
  if (pid == 0) Become(argv.data(), input.read.get(), output.write.get(), complaints.get(), self);
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid, std::move(input.write),
                                                       std::move(output.read),
                                                       std::move(complaints), interruption.fd()));
  child->name_ = arguments[0];
  return child;
}

ChildProcess::ChildProcess(pid_t pid, UniqueFd input, UniqueFd output, UniqueFd complaints,
                           int interruption)
    : pid_(pid),
      input_(std::move(input)),
      output_(std::move(output)),
      complaints_(std::move(complaints)),
      interruption_(interruption) {}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status ChildProcess::Say(absl::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  const ssize_t count = write(input_.get(), text.data(), text.size());
  if (count == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return Failure(absl::StatusCode::kUnavailable, "does not read what its guest is told");
}

absl::Status ChildProcess::ReadMore(Clock::time_point deadline) {
  std::array<pollfd, 2> waiting = {pollfd{output_.get(), POLLIN, 0},
                                   pollfd{interruption_, POLLIN, 0}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const int ready =
      left.count() <= 0 ? 0 : poll(waiting.data(), waiting.size(), static_cast<int>(left.count()));
  const Clock::time_point now = Clock::now();
  if (ready < 0 && errno == EINTR) return absl::OkStatus();
  if (ready <= 0)
    return Failure(absl::StatusCode::kDeadlineExceeded, "has not said anything for five minutes");
  if (waiting[1].revents != 0) return absl::CancelledError("interrupted");
  std::array<char, 4096> buffer;
  const ssize_t count = read(output_.get(), buffer.data(), buffer.size());
  if (count <= 0) return Failure(absl::StatusCode::kUnavailable, "ended early");
  partial_.append(buffer.data(), static_cast<std::size_t>(count));
  for (std::size_t end; (end = partial_.find('\n')) != std::string::npos;) {
    lines_.push_back({now, partial_.substr(0, end)});
    partial_.erase(0, end + 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ConsoleLine>> ChildProcess::ReadUntil(absl::string_view last,
                                                                 const OnLine& on_line) {
  std::vector<ConsoleLine> read;
  Clock::time_point deadline = Clock::now() + kPatience;
  for (;;) {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      read.push_back(lines_[i]);
      if (on_line) on_line(lines_[i]);
      if (lines_[i].text != last) continue;
      lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      return read;
    }
    if (!lines_.empty()) deadline = Clock::now() + kPatience;
    lines_.clear();
    LETHE_RETURN_IF_ERROR(ReadMore(deadline));
  }
}

absl::Status ChildProcess::AwaitEnd() const {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process) return absl::ErrnoToStatus(errno, "cannot watch a process");
  std::array<pollfd, 2> waiting = {pollfd{process.get(), POLLIN, 0},
                                   pollfd{interruption_, POLLIN, 0}};
  const int patience =
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count());
  const int ready = poll(waiting.data(), waiting.size(), patience);
  if (ready > 0 && waiting[0].revents != 0) return absl::OkStatus();
  if (ready > 0) return absl::CancelledError("interrupted");
  return Failure(absl::StatusCode::kDeadlineExceeded, "has not ended for five minutes");
}

absl::StatusOr<Clock::time_point> ChildProcess::WaitForEnd() {
  LETHE_RETURN_IF_ERROR(AwaitEnd());
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, 0);
  const Clock::time_point now = Clock::now();
  pid_ = 0;
  if (ended < 0) return absl::ErrnoToStatus(errno, "cannot wait for a process");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return now;
  return Failure(absl::StatusCode::kUnavailable,
                 WIFSIGNALED(status) ? absl::StrCat("was ended by signal ", WTERMSIG(status))
                                     : absl::StrCat("ended with status ", WEXITSTATUS(status)));
}

std::string ChildProcess::LastComplaint() const {
  std::array<char, 4096> buffer;
  const off_t size = lseek(complaints_.get(), 0, SEEK_END);
  const off_t from = size > off_t{buffer.size()} ? size - off_t{buffer.size()} : 0;
  const ssize_t count = pread(complaints_.get(), buffer.data(), buffer.size(), from);
  if (count <= 0) return "";
  const std::vector<std::string> lines =
      absl::StrSplit(absl::string_view(buffer.data(), static_cast<std::size_t>(count)), '\n',
                     absl::SkipWhitespace());
  return lines.empty() ? "" : lines.back();
}

absl::Status ChildProcess::Failure(absl::StatusCode code, absl::string_view what) const {
  std::string message = absl::StrCat("'", name_, "' ", what);
  const std::string complaint = LastComplaint();
  if (!complaint.empty()) absl::StrAppend(&message, "; its last words: ", complaint);
  return absl::Status(code, message);
}

absl::Status AdoptOrphans() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "cannot take in the helpers of others");
}

absl::Status WaitForOrphans(const Interruption& interruption) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  for (;;) {
    const pid_t ended = waitpid(-1, nullptr, WNOHANG | __WALL);
    if (ended < 0 && errno == ECHILD) return absl::OkStatus();
    if (ended != 0) continue;
    pollfd waiting{interruption.fd(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(kOrphanInterval.count())) > 0)
      return absl::CancelledError("interrupted");
    if (Clock::now() > deadline)
      return absl::DeadlineExceededError("a helper process has not ended for five minutes");
  }
}

}  // namespace lethe::bench
