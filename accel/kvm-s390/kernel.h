#ifndef LETHE_ACCEL_KVM_S390_KERNEL_H_
#define LETHE_ACCEL_KVM_S390_KERNEL_H_

#include <poll.h>
#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "accel/kvm-s390/survivor.h"

namespace lethe::kvm {

// A run structure that Kernel::Map() returned.
struct RunArea {
  void* address = nullptr;
  std::size_t length = 0;
};

// The kernel seam: the system calls through which Lethe uses KVM, and nothing else. Above it there
// is one code path; below it stand LinuxKernel (system calls), EmulatedKernel (a Z host in
// software) and FaultInjectingKernel (a wrapper for tests).
//
// Requests, structures and errors are those of Linux on s390x (accel/kvm-s390/abi.h; kernel
// document Documentation/virt/kvm/api.rst). All calls may be made from any thread. Results are
// those of the system call, or the negated errno value: no thread-local errno.
class Kernel {
 public:
  virtual ~Kernel() = default;

  // open(2). `path` is "/dev/kvm".
  virtual int Open(const char* path, int flags) = 0;

  // ioctl(2) with a pointer or a value as argument. KVM_RUN returns -EINTR after Kick().
  virtual int Ioctl(int fd, unsigned long request, std::uintptr_t argument) = 0;

  // mmap(2), shared, readable and writable, offset 0: the run structure of a vCPU descriptor.
  // The address, or a negated errno value in [-4095, -1].
  virtual std::intptr_t Map(int fd, std::size_t length) = 0;
  virtual int Unmap(void* address, std::size_t length) = 0;

  // poll(2). Descriptors that did not come from Open or Ioctl are accepted as well.
  virtual int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) = 0;

  // Makes `thread` leave a KVM_RUN on `vcpu_fd` that it is in: tgkill(2) with the kick signal.
  // The caller has set immediate_exit before, so a KVM_RUN entered later returns as well.
  virtual int Kick(int vcpu_fd, pthread_t thread) = 0;

  virtual int Close(int fd) = 0;

  // The VM as a process can use it that goes on in this memory without us. All memory slots are
  // set, and `run_areas` are those of all its vCPUs. Null: this kernel has no use for it. It
  // holds the VM as a copy of the descriptor would.
  virtual std::unique_ptr<Survivor> MakeSurvivor(int vm_fd, std::vector<RunArea> run_areas) = 0;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_KERNEL_H_
