#ifndef LETHE_PRELOAD_DESCRIPTOR_OWNERS_H_
#define LETHE_PRELOAD_DESCRIPTOR_OWNERS_H_

#include <atomic>
#include <cstddef>

namespace lethe::preload {

class EmulatedMachine;

// Which emulated machine a descriptor number of the process belongs to. Asked for every system call
// on a descriptor that the client makes, from any thread, in signal handlers, before constructors
// have run and in the child of a fork(2): so it has no locks and needs no construction.
class DescriptorOwners {
 public:
  // Descriptors with higher numbers cannot be ours.
  static constexpr int kLimit = 1 << 16;

  constexpr DescriptorOwners() = default;

  // Null: not ours.
  EmulatedMachine* Find(int fd) const {
    return Possible(fd) ? owners_[static_cast<std::size_t>(fd)].load() : nullptr;
  }
  // False: the number is too high.
  bool Set(int fd, EmulatedMachine* owner) {
    if (!Possible(fd)) return false;
    owners_[static_cast<std::size_t>(fd)].store(owner);
    return true;
  }
  // The owner, who owns it no longer.
  EmulatedMachine* Take(int fd) {
    return Possible(fd) ? owners_[static_cast<std::size_t>(fd)].exchange(nullptr) : nullptr;
  }

 private:
  static bool Possible(int fd) { return fd >= 0 && fd < kLimit; }

  std::atomic<EmulatedMachine*> owners_[kLimit] = {};
};

}  // namespace lethe::preload

#endif  // LETHE_PRELOAD_DESCRIPTOR_OWNERS_H_
