#ifndef LETHE_PRELOAD_CLIENT_PROCESS_H_
#define LETHE_PRELOAD_CLIENT_PROCESS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "preload/descriptor_owners.h"

namespace lethe::preload {

// The process that this library was loaded into, as far as it uses KVM: its emulated machine, made
// when it first opens the device, and the descriptors that stand for parts of it.
//
// Each function is given what the client passed to a system call. No value: the call does not
// concern us, the C library's function is to be called. Otherwise the result, or a negated errno
// value. Any thread. What a child of a fork(2) inherits answers EIO, as Linux does; what it opens
// itself is its own.
class ClientProcess {
 public:
  constexpr ClientProcess() = default;
  ClientProcess(const ClientProcess&) = delete;

  std::optional<int> Open(const char* path, int flags);
  std::optional<int> Ioctl(int fd, unsigned long request, std::uintptr_t argument);
  std::optional<int> Close(int fd);
  // All descriptors of the range that are ours.
  void CloseRange(unsigned first, unsigned last);

  // `copy` was made of `fd` by dup(2) or the like; it may have replaced another descriptor.
  void NoteCopy(int fd, int copy);
  // The client has mapped `fd` by mmap(2). 0, or a negated errno value: it cannot be.
  int NoteMapping(int fd, void* address);
  // The client has unmapped something.
  void NoteUnmapping(void* address, std::size_t length);

 private:
  EmulatedMachine* Current();
  EmulatedMachine* Make();

  DescriptorOwners owners_;
  // Never destroyed: threads of the client may use it until the process is gone.
  std::atomic<EmulatedMachine*> machine_{nullptr};
  // Has a run structure been mapped?
  std::atomic<bool> has_mapped_{false};
  std::mutex making_;
};

}  // namespace lethe::preload

#endif  // LETHE_PRELOAD_CLIENT_PROCESS_H_
