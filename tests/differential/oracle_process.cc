#include "tests/differential/oracle_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/status_macros.h"

extern char** environ;

namespace lethe::differential {
namespace {

absl::Status WriteAll(int fd, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t put = write(fd, bytes, size);
    if (put < 0) return absl::ErrnoToStatus(errno, "writing to the oracle");
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
  return absl::OkStatus();
}

absl::Status ReadAll(int fd, void* to, std::size_t size) {
  auto* bytes = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = read(fd, bytes, size);
    if (got < 0) return absl::ErrnoToStatus(errno, "reading from the oracle");
    if (got == 0) return absl::DataLossError("the oracle ended early");
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& command, int input, int output) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, "starting the oracle");
  return child;
}

}  // namespace

absl::StatusOr<OracleProcess> OracleProcess::Start(const std::vector<std::string>& command,
                                                   const std::vector<Sample>& samples) {
  LETHE_ASSIGN_OR_RETURN(Pipe requests, MakePipe());
  LETHE_ASSIGN_OR_RETURN(Pipe answers, MakePipe());
  LETHE_ASSIGN_OR_RETURN(const pid_t child,
                         Spawn(command, requests.read_end.get(), answers.write_end.get()));
  OracleProcess oracle(std::move(requests.write_end), std::move(answers.read_end), child);
  Greeting greeting;
  greeting.stubs = static_cast<std::uint32_t>(samples.size());
  LETHE_RETURN_IF_ERROR(WriteAll(oracle.to_.get(), &greeting, sizeof(greeting)));
  for (const Sample& sample : samples) {
    LETHE_RETURN_IF_ERROR(WriteAll(oracle.to_.get(), &sample.stub, sizeof(sample.stub)));
  }
  return oracle;
}

OracleProcess::~OracleProcess() {
  if (!to_) return;  // moved from
  to_.reset();       // its end of input
  from_.reset();
  waitpid(child_, nullptr, 0);
}

absl::Status OracleProcess::Send(const std::vector<Case>& cases) {
  const Be32 count = static_cast<std::uint32_t>(cases.size());
  LETHE_RETURN_IF_ERROR(WriteAll(to_.get(), &count, sizeof(count)));
  return WriteAll(to_.get(), cases.data(), cases.size() * sizeof(Case));
}

absl::StatusOr<std::vector<Result>> OracleProcess::Receive(std::size_t count) {
  std::vector<Result> results(count);
  LETHE_RETURN_IF_ERROR(ReadAll(from_.get(), results.data(), count * sizeof(Result)));
  return results;
}

}  // namespace lethe::differential
