#include "tests/fault/child_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
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
  std::fflush(nullptr);  // or the child may do it, too
  const pid_t pid = fork();
  LETHE_CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
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

bool IsChildOfOurs(pid_t pid) {
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')');  // then: state, parent
  return name_end != std::string::npos && name_end + 4 < line.size() &&
         std::atoi(line.c_str() + name_end + 4) == getpid();
}

// Children of ours that no task is: what a task has started comes to us when the task has ended.
std::vector<pid_t> Orphans(const std::vector<Child>& children) {
  std::vector<pid_t> orphans;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid) || !IsChildOfOurs(pid)) continue;
    const bool is_task = std::any_of(children.begin(), children.end(),
                                     [pid](const Child& child) { return child.pid == pid; });
    if (!is_task) orphans.push_back(pid);
  }
  return orphans;
}

// What was wrong with it; empty: it has ended well.
std::string AwaitOrphan(pid_t pid, Clock::time_point deadline) {
  int status = 0;
  while (waitpid(pid, &status, WNOHANG | __WALL) == 0) {
    if (Clock::now() < deadline) {
      poll(nullptr, 0, 1);
      continue;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, __WALL);
    return "does not end";
  }
  return status == 0 ? "" : Describe(status);
}

TaskEnd Collect(Child& child, bool hung, const std::vector<Child>& children) {
  if (hung) kill(child.pid, SIGKILL);
  int status = 0;
  LETHE_CHECK(waitpid(child.pid, &status, 0) == child.pid);
  child.pid = -1;
  std::string left;
  for (const pid_t orphan : Orphans(children))
    absl::StrAppend(&left, AwaitOrphan(orphan, child.deadline));
  if (hung) return {TaskEnd::Kind::kHung};
  if (status != 0) return {TaskEnd::Kind::kDied, Describe(status)};
  if (!left.empty()) return {TaskEnd::Kind::kRemain, absl::StrCat(left, ": ", child.text)};
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
      on_end(child.task, Collect(child, !over, children));
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace lethe::fault
