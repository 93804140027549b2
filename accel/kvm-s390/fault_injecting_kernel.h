#ifndef LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_
#define LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "accel/kvm-s390/kernel.h"

namespace lethe::kvm {

// An ioctl that is to fail instead of being issued.
struct Fault {
  unsigned long request = 0;
  // Only this command of KVM_S390_PV_COMMAND (`request` must be that).
  std::optional<std::uint32_t> pv_command = std::nullopt;
  // Which of the matching calls fails, from 1 on; 0: every one.
  unsigned occurrence = 1;
  int error = 0;  // errno value
  // What the PV command leaves in its structure: as the Ultravisor refused. Both zero: untouched.
  std::uint16_t rc = 0;
  std::uint16_t rrc = 0;
};

// Passes calls through to another kernel and makes chosen ioctls fail.
class FaultInjectingKernel final : public Kernel {
 public:
  // `wrapped` must outlive this.
  explicit FaultInjectingKernel(Kernel& wrapped) : wrapped_(wrapped) {}

  void Inject(const Fault& fault);
  void Clear();
  // How many ioctls have failed because of Inject.
  unsigned injected() const;

  int Open(const char* path, int flags) override { return wrapped_.Open(path, flags); }
  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override;
  std::intptr_t Map(int fd, std::size_t length) override { return wrapped_.Map(fd, length); }
  int Unmap(void* address, std::size_t length) override { return wrapped_.Unmap(address, length); }
  int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) override {
    return wrapped_.Poll(descriptors, count, timeout_milliseconds);
  }
  int Kick(int vcpu_fd, pthread_t thread) override { return wrapped_.Kick(vcpu_fd, thread); }
  int Close(int fd) override { return wrapped_.Close(fd); }
  std::unique_ptr<Survivor> MakeSurvivor(int vm_fd, std::vector<RunArea> run_areas) override {
    return wrapped_.MakeSurvivor(vm_fd, std::move(run_areas));
  }

 private:
  struct Rule {
    Fault fault;
    unsigned seen = 0;
  };

  // The fault that strikes this call, if any.
  std::optional<Fault> Strike(unsigned long request, std::uintptr_t argument);

  Kernel& wrapped_;
  mutable std::mutex mutex_;
  std::vector<Rule> rules_;
  unsigned injected_ = 0;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_
