#include "cli/daemon.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/exit_status.h"

namespace lethe {
namespace {

// In the process that the user started. Does not return.
[[noreturn]] void WaitForReport(const UniqueFd& report, pid_t child) {
  char byte;
  ssize_t count;
  do {
    count = ::read(report.get(), &byte, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 1) ::_exit(static_cast<int>(ExitStatus::kPoweredOff));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // It has said why on standard error, which it still shared with us.
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(ExitStatus::kFailure));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Detach() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return absl::ErrnoToStatus(errno, "cannot make a pipe for --daemonize");
  UniqueFd report(ends[0]);
  std::unique_ptr<Daemon> daemon(new Daemon(UniqueFd(ends[1])));
  const pid_t child = ::fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "cannot fork for --daemonize");
  if (child > 0) {
    daemon->report_.reset();
    WaitForReport(report, child);
  }
  if (::setsid() < 0) return absl::ErrnoToStatus(errno, "cannot start a session for --daemonize");
  return daemon;
}

void Daemon::Ready() {
  if (const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC)); null) {
    for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null.get(), stream);
  }
  const char byte = 'r';
  [[maybe_unused]] const ssize_t ignored = ::write(report_.get(), &byte, 1);
  report_.reset();
}

}  // namespace lethe
