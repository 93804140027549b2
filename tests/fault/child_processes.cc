#include "tests/fault/child_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/unique_fd.h"

namespace lethe::fault {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  std::size_t task;
  pid_t pid;
  UniqueFd output;
  Clock::time_point deadline;
  std::string text = {};
};

void WriteAll(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    if (count < 0) _exit(1);
    done += static_cast<std::size_t>(count);
  }
}

Child Start(std::size_t index, std::chrono::seconds patience,
            const std::function<std::string(std::size_t)>& task) {
  int ends[2];
  LETHE_CHECK(pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = fork();
  LETHE_CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    read_end.reset();
    WriteAll(write_end.get(), task(index));
    _exit(0);
  }
  return {index, pid, std::move(read_end), Clock::now() + patience};
}

// Reads what is there; false: that was all.
bool Receive(Child& child) {
  char buffer[4096];
  const ssize_t count = read(child.output.get(), buffer, sizeof(buffer));
  if (count > 0) child.text.append(buffer, static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

std::string Describe(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("killed by signal ", WTERMSIG(status));
  return absl::StrCat("exit status ", WEXITSTATUS(status));
}

// What the child has started is in its process group, and comes to us when it has ended.
bool EndLeftovers(pid_t group) {
  bool found = false;
  while (kill(-group, 0) == 0) {
    found = true;
    kill(-group, SIGKILL);
    waitpid(-group, nullptr, 0);
  }
  return found;
}

TaskEnd Collect(Child& child, bool hung) {
  if (hung) kill(child.pid, SIGKILL);
  int status = 0;
  LETHE_CHECK(waitpid(child.pid, &status, 0) == child.pid);
  const bool left_processes = EndLeftovers(child.pid);
  if (hung) return {TaskEnd::Kind::kHung};
  if (status != 0) return {TaskEnd::Kind::kDied, Describe(status)};
  if (left_processes) return {TaskEnd::Kind::kRemain, std::move(child.text)};
  return {TaskEnd::Kind::kReturned, std::move(child.text)};
}

}  // namespace

void RunInChildren(std::size_t count, unsigned parallel, std::chrono::seconds patience,
                   const std::function<std::string(std::size_t)>& task,
                   const std::function<void(std::size_t, const TaskEnd&)>& on_end) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::vector<Child> children;
  for (std::size_t next = 0; next < count || !children.empty();) {
    while (next < count && children.size() < parallel)
      children.push_back(Start(next++, patience, task));
    std::vector<pollfd> waiting;
    for (const Child& child : children) waiting.push_back({child.output.get(), POLLIN, 0});
    poll(waiting.data(), waiting.size(), 100);
    for (std::size_t i = children.size(); i-- > 0;) {
      Child& child = children[i];
      if (waiting[i].revents != 0 && Receive(child)) continue;
      const bool over = waiting[i].revents != 0;
      if (!over && Clock::now() < child.deadline) continue;
      on_end(child.task, Collect(child, !over));
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace lethe::fault
