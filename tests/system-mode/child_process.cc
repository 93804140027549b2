#include "tests/system-mode/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

extern char** environ;

namespace lethe::system_mode {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// False: still running after that time.
bool WaitForEnd(pid_t child, int seconds) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd ended = {.fd = process.get(), .events = POLLIN, .revents = 0};
  return poll(&ended, 1, seconds * 1000) == 1;
}

}  // namespace

absl::Status RunChild(const std::vector<std::string>& command,
                      const std::vector<std::string>& environment, const std::string& output,
                      int seconds) {
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, command[0].c_str(), &actions, nullptr,
                                 Pointers(command).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("starting ", command[0]));
  const bool ended = WaitForEnd(child, seconds);
  if (!ended) kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!ended) {
    return absl::DeadlineExceededError(
        absl::StrCat(command[0], " did not end within ", seconds, " s"));
  }
  return absl::OkStatus();
}

}  // namespace lethe::system_mode
