#include "tests/differential/oracle_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/memory/memory.h"
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

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& command, int input, int output,
                            int memory) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, memory, kExchangeDescriptor);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, "starting the oracle");
  return child;
}

}  // namespace

absl::Status OracleProcess::MapExchange() {
  // Not the number that the child gets: a descriptor is not closed there if it is moved onto
  // itself.
  memory_ = UniqueFd(memfd_create("exchange", MFD_CLOEXEC));
  if (!memory_) return absl::ErrnoToStatus(errno, "memfd_create");
  memory_ = UniqueFd(fcntl(memory_.get(), F_DUPFD_CLOEXEC, kExchangeDescriptor + 1));
  if (!memory_ || ftruncate(memory_.get(), sizeof(Exchange)) != 0) {
    return absl::ErrnoToStatus(errno, "making the exchange");
  }
  void* const mapped =
      mmap(nullptr, sizeof(Exchange), PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (mapped == MAP_FAILED) return absl::ErrnoToStatus(errno, "mapping the exchange");
  exchange_ = static_cast<Exchange*>(mapped);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OracleProcess>> OracleProcess::Start(
    const std::vector<std::string>& command, const std::vector<Sample>& samples) {
  auto oracle = absl::WrapUnique(new OracleProcess);
  LETHE_RETURN_IF_ERROR(oracle->MapExchange());
  LETHE_ASSIGN_OR_RETURN(Pipe requests, MakePipe());
  LETHE_ASSIGN_OR_RETURN(Pipe answers, MakePipe());
  LETHE_ASSIGN_OR_RETURN(oracle->child_, Spawn(command, requests.read_end.get(),
                                               answers.write_end.get(), oracle->memory_.get()));
  oracle->to_ = std::move(requests.write_end);
  oracle->from_ = std::move(answers.read_end);
  Greeting greeting;
  greeting.stubs = static_cast<std::uint32_t>(samples.size());
  LETHE_RETURN_IF_ERROR(WriteAll(oracle->to_.get(), &greeting, sizeof(greeting)));
  for (const Sample& sample : samples) {
    LETHE_RETURN_IF_ERROR(WriteAll(oracle->to_.get(), &sample.stub, sizeof(sample.stub)));
  }
  return oracle;
}

OracleProcess::~OracleProcess() {
  to_.reset();  // its end of input
  from_.reset();
  if (child_ > 0) waitpid(child_, nullptr, 0);
  if (exchange_ != nullptr) munmap(exchange_, sizeof(Exchange));
}

absl::Status OracleProcess::Send(std::uint32_t number, std::uint32_t count) {
  Batch batch;
  batch.number = number;
  batch.count = count;
  return WriteAll(to_.get(), &batch, sizeof(batch));
}

absl::Status OracleProcess::Receive(std::uint32_t number) {
  Batch batch;
  LETHE_RETURN_IF_ERROR(ReadAll(from_.get(), &batch, sizeof(batch)));
  return batch.number == number ? absl::OkStatus()
                                : absl::InternalError("the oracle answers another batch");
}

}  // namespace lethe::differential
