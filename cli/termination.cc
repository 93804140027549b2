#include "cli/termination.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

namespace lethe {

absl::StatusOr<std::unique_ptr<Termination>> Termination::Claim() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !stop) return absl::ErrnoToStatus(errno, "cannot watch for signals");
  return std::unique_ptr<Termination>(new Termination(set, std::move(signals), std::move(stop)));
}

Termination::~Termination() { Stop(); }

void Termination::Watch(std::function<void()> on_signal) {
  thread_ = std::thread([this, on_signal = std::move(on_signal)] {
    pthread_setname_np(pthread_self(), "signals");
    std::array<pollfd, 2> ready{{{signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    while (true) {
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      if ((ready[1].revents & POLLIN) != 0) return;
      signalfd_siginfo information;
      if (::read(signals_.get(), &information, sizeof(information)) == sizeof(information))
        on_signal();
    }
  });
}

void Termination::Stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
  pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace lethe
