#include "emulated-host/kvm/wait_point.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace lethe::emulated {

WaitPoint::WaitPoint() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool WaitPoint::Sleep(Ticket ticket, std::optional<std::chrono::nanoseconds> limit,
                      const sigset_t& mask) {
  timespec time{};
  if (limit) {
    if (limit->count() <= 0) return false;
    time.tv_sec = static_cast<time_t>(limit->count() / 1'000'000'000);
    time.tv_nsec = static_cast<long>(limit->count() % 1'000'000'000);
  }
  // Announced before the word is compared: who raises the word afterwards sees the sleeper.
  sleeper_.store(true, std::memory_order_seq_cst);
  bool interrupted = false;
  if (Prepare() == ticket) {
    pollfd event{event_.get(), POLLIN, 0};
    interrupted = ppoll(&event, 1, limit ? &time : nullptr, &mask) < 0 && errno == EINTR;
  }
  sleeper_.store(false, std::memory_order_seq_cst);
  std::uint64_t count;
  [[maybe_unused]] const ssize_t drained = read(event_.get(), &count, sizeof(count));
  return interrupted;
}

void WaitPoint::Wake() {
  word_.fetch_add(1, std::memory_order_seq_cst);
  if (!sleeper_.load(std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof(one));
}

}  // namespace lethe::emulated
