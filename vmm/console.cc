#include "vmm/console.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace lethe::vmm {
namespace {

constexpr char kEscape = 0x01;  // Ctrl-A
constexpr char kEnd = 'x';
constexpr std::size_t kPendingLimit = 4096;
constexpr int kRetryMilliseconds = 20;  // until a full guest is offered the same input again

// A duplicate, so that closing ours leaves the process's own standard streams alone.
UniqueFd Duplicate(int descriptor) { return UniqueFd(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)); }

}  // namespace

EscapeKey::Result EscapeKey::Filter(absl::string_view typed) {
  Result result;
  for (const char c : typed) {
    if (!escaped_) {
      if (c == kEscape) {
        escaped_ = true;
      } else {
        result.bytes.push_back(c);
      }
      continue;
    }
    escaped_ = false;
    if (c == kEnd) {
      result.end = true;
      return result;
    }
    if (c == kEscape) result.bytes.push_back(c);
  }
  return result;
}

absl::StatusOr<std::unique_ptr<Console>> Console::Open(const ConsoleConfig& config) {
  UniqueFd input;
  UniqueFd output;
  UniqueFd abandon(eventfd(0, EFD_CLOEXEC));
  if (!abandon) return absl::ErrnoToStatus(errno, "cannot open the console");
  switch (config.kind) {
    case ConsoleConfig::Kind::kNone:
      break;
    case ConsoleConfig::Kind::kStandardStreams:
      input = Duplicate(STDIN_FILENO);  // either may be closed: then that direction is silent
      output = Duplicate(STDOUT_FILENO);
      break;
    case ConsoleConfig::Kind::kFile:
      output = UniqueFd(open(config.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      if (!output) return absl::ErrnoToStatus(errno, absl::StrCat("console file ", config.path));
      break;
  }
  return std::unique_ptr<Console>(
      new Console(std::move(input), std::move(output), std::move(abandon)));
}

Console::~Console() { Stop(); }

absl::Status Console::Start(Client client) {
  if (!input_) return absl::OkStatus();
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!stop_) return absl::ErrnoToStatus(errno, "cannot start the console");
  EnterRawMode();
  reader_ = std::thread([this, client = std::move(client)] { ReadLoop(client); });
  return absl::OkStatus();
}

void Console::EnterRawMode() {
  // In the background of its terminal a process must not change the mode: it would be stopped.
  termios mode;
  if (tcgetattr(input_.get(), &mode) != 0 || tcgetpgrp(input_.get()) != getpgrp()) return;
  saved_mode_ = mode;
  mode.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  // Output processing stays: line-mode messages end in a bare line feed.
  mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  tcsetattr(input_.get(), TCSADRAIN, &mode);
}

void Console::Stop() {
  if (!reader_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof(one));
  reader_.join();
  if (saved_mode_) tcsetattr(input_.get(), TCSADRAIN, &*saved_mode_);
  saved_mode_.reset();
}

bool Console::Wait(int descriptor, int milliseconds) {
  std::array<pollfd, 2> descriptors = {pollfd{stop_.get(), POLLIN, 0},
                                       pollfd{descriptor, POLLIN, 0}};
  int count;
  do {
    count = poll(descriptors.data(), descriptors.size(), milliseconds);
  } while (count < 0 && errno == EINTR);
  return count >= 0 && descriptors[0].revents == 0;
}

void Console::ReadLoop(const Client& client) {
  const bool terminal = isatty(input_.get()) == 1;
  EscapeKey escape;
  std::string pending;  // what the guest had no room for
  bool ended = false;   // nothing more will come; the guest lives on
  std::array<char, 4096> buffer;
  while (!ended || !pending.empty()) {
    // Of a terminal all is read, or the escape key would be lost behind what the guest ignores.
    const bool full = pending.size() >= kPendingLimit;
    const int from = ended || (full && !terminal) ? -1 : input_.get();
    if (!Wait(from, pending.empty() ? -1 : kRetryMilliseconds)) return;
    pollfd readable{from, POLLIN, 0};
    if (poll(&readable, 1, 0) > 0) {
      const ssize_t count = read(input_.get(), buffer.data(), buffer.size());
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      ended = count <= 0;
      const EscapeKey::Result typed = escape.Filter(
          absl::string_view(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
      if (typed.end) {
        client.end();
        return;
      }
      if (!full) pending += typed.bytes;
    }
    if (!pending.empty()) pending.erase(0, client.input(pending));
  }
}

void Console::Abandon() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(abandon_.get(), &one, sizeof(one));
}

bool Console::WaitForRoom() {
  std::array<pollfd, 2> descriptors = {pollfd{abandon_.get(), POLLIN, 0},
                                       pollfd{output_.get(), POLLOUT, 0}};
  int count;
  do {
    count = poll(descriptors.data(), descriptors.size(), -1);
  } while (count < 0 && errno == EINTR);
  return count >= 0 && descriptors[0].revents == 0;
}

void Console::Write(absl::string_view text) {
  std::lock_guard lock(write_mutex_);
  while (output_ && !text.empty()) {
    if (!WaitForRoom()) return;
    // As much as a pipe that has room takes without blocking.
    const ssize_t count =
        write(output_.get(), text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return;  // the reader of our output is gone: the guest lives on without
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace lethe::vmm
