#ifndef LETHE_TESTS_CONFORMANCE_EVENT_DESCRIPTOR_H_
#define LETHE_TESTS_CONFORMANCE_EVENT_DESCRIPTOR_H_

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.h"
#include "base/unique_fd.h"

namespace lethe::conformance {

// An eventfd(2) that does not block.
class EventDescriptor {
 public:
  EventDescriptor() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { LETHE_CHECK(fd_); }
  int fd() const { return fd_.get(); }

  void Signal() const {
    const std::uint64_t one = 1;
    LETHE_CHECK(write(fd_.get(), &one, sizeof(one)) == sizeof(one));
  }
  // How often it was signalled since it was asked last.
  std::uint64_t Count() const {
    std::uint64_t count = 0;
    return read(fd_.get(), &count, sizeof(count)) == sizeof(count) ? count : 0;
  }
  bool Ready() const {
    pollfd descriptor{fd_.get(), POLLIN, 0};
    return poll(&descriptor, 1, 0) == 1;
  }

 private:
  UniqueFd fd_;
};

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_EVENT_DESCRIPTOR_H_
