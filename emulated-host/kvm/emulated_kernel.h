#ifndef LETHE_EMULATED_HOST_KVM_EMULATED_KERNEL_H_
#define LETHE_EMULATED_HOST_KVM_EMULATED_KERNEL_H_

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "accel/kvm-s390/kernel.h"
#include "emulated-host/kvm/host.h"
#include "emulated-host/kvm/kernel_file.h"
#include "emulated-host/kvm/options.h"

namespace lethe::emulated {

// Linux KVM on an IBM Z host, in software: the character device and what it hands out, with the
// results, error numbers, orders of checks and exits of Linux 6.12. What is not offered fails as on
// a kernel that does not know it.
//
// All calls may come from any thread. Descriptors are real ones of this process (and may be polled
// or compared as such), but only this object knows what they stand for: close them through Close().
// A mapped run page keeps its CPU, and with it the machine, as in the kernel; so does a survivor,
// which stands for a process that has a copy of the descriptor.
//
// Signals are the process's own, so there is one thing that a kernel sees and this one does not:
// that a handler has run. A CPU in a wait leaves KVM_RUN with EINTR when a signal is handled; a CPU
// that executes does so when immediate_exit is set, or when the handler calls NoteSignal().
class EmulatedKernel final : public kvm::Kernel {
 public:
  explicit EmulatedKernel(EmulatedKernelOptions options);
  // Ends all machines that are left. No call may be under way.
  ~EmulatedKernel() override;

  int Open(const char* path, int flags) override;
  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override;
  std::intptr_t Map(int fd, std::size_t length) override;
  int Unmap(void* address, std::size_t length) override;
  int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) override;
  int Kick(int vcpu_fd, pthread_t thread) override;
  int Close(int fd) override;
  // Makes `copy`, which is a copy of `fd` by dup(2) or the like, stand for the same. It is closed
  // on its own. 0 or -EBADF.
  int Adopt(int fd, int copy);
  // The caller has mapped `fd` at `address` by mmap(2), as Map() would have, or has unmapped what
  // may have been that. 0, -EBADF, or -ENODEV: nothing of the descriptor can be mapped.
  int NoteMapping(int fd, void* address);
  void NoteUnmapping(void* address);
  std::unique_ptr<kvm::Survivor> MakeSurvivor(int vm_fd,
                                              std::vector<kvm::RunArea> run_areas) override;

  // For signal handlers: as a signal does on a kernel, makes the calling thread leave the KVM_RUN
  // that it is in. Async-signal-safe; does nothing outside of KVM_RUN.
  static void NoteSignal();

  // Secure configurations that exist on account of this process.
  int configurations() const { return host_->configurations(); }
  // The memory that machines were given.
  HostMapping& memory() { return host_->memory(); }

 private:
  struct DescriptorCopy {
    std::shared_ptr<KernelFile> file;
  };
  void HoldForMapping(void* address, std::shared_ptr<KernelFile> file);

  std::unique_ptr<Host> host_;
  std::mutex copies_mutex_;
  std::vector<std::weak_ptr<DescriptorCopy>> copies_;
  std::mutex mappings_mutex_;
  std::map<void*, std::shared_ptr<KernelFile>> mappings_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_EMULATED_KERNEL_H_
