#ifndef LETHE_ACCEL_KVM_S390_LINUX_KERNEL_H_
#define LETHE_ACCEL_KVM_S390_LINUX_KERNEL_H_

#include <csignal>
#include <memory>

#include "absl/status/statusor.h"
#include "accel/kvm-s390/kernel.h"

namespace lethe::kvm {

// The seam over the system calls of the host. Useful on s390x only: elsewhere /dev/kvm speaks
// another architecture (System::Open refuses it).
class LinuxKernel final : public Kernel {
 public:
  // Claims `kick_signal` for Kick(): installs a handler that does nothing, so that the signal
  // interrupts KVM_RUN. The previous disposition comes back at destruction.
  static absl::StatusOr<std::unique_ptr<LinuxKernel>> Create(int kick_signal = SIGUSR1);

  LinuxKernel(const LinuxKernel&) = delete;
  LinuxKernel& operator=(const LinuxKernel&) = delete;
  ~LinuxKernel() override;

  int Open(const char* path, int flags) override;
  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override;
  std::intptr_t Map(int fd, std::size_t length) override;
  int Unmap(void* address, std::size_t length) override;
  int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) override;
  int Kick(int vcpu_fd, pthread_t thread) override;
  int Close(int fd) override;
  std::unique_ptr<Survivor> MakeSurvivor(int vm_fd, std::vector<RunArea> run_areas) override;

 private:
  LinuxKernel(int kick_signal, const struct sigaction& previous);

  int kick_signal_;
  struct sigaction previous_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_LINUX_KERNEL_H_
