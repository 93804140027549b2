#ifndef LETHE_EMULATED_HOST_KVM_EVENT_DESCRIPTOR_H_
#define LETHE_EMULATED_HOST_KVM_EVENT_DESCRIPTOR_H_

#include <cstdint>

#include "base/unique_fd.h"

namespace lethe::emulated {

// An eventfd of the user's, held as the kernel holds its context: by what it is and not by the
// number that the user has for it.
class EventDescriptor {
 public:
  EventDescriptor() = default;

  // 0; -EBADF: not open; -EINVAL: not an eventfd.
  int Open(int fd);

  int fd() const { return fd_.get(); }
  bool IsSameAs(const EventDescriptor& other) const { return identity_ == other.identity_; }

  // Adds one to the counter; a full one is as good as a signal.
  void Signal() const;
  // Takes the counter, if it is not zero.
  bool Consume() const;

 private:
  UniqueFd fd_;
  std::uint64_t identity_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_EVENT_DESCRIPTOR_H_
