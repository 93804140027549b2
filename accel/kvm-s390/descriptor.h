#ifndef LETHE_ACCEL_KVM_S390_DESCRIPTOR_H_
#define LETHE_ACCEL_KVM_S390_DESCRIPTOR_H_

#include <utility>

#include "accel/kvm-s390/kernel.h"

namespace lethe::kvm {

// Owns one descriptor of the kernel seam and closes it there. The kernel must outlive it.
class Descriptor {
 public:
  Descriptor(Kernel& kernel, int fd) : kernel_(&kernel), fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept
      : kernel_(other.kernel_), fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Close();
      kernel_ = other.kernel_;
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { Close(); }

  int get() const { return fd_; }
  Kernel& kernel() const { return *kernel_; }

 private:
  void Close() {
    if (fd_ >= 0) kernel_->Close(fd_);
    fd_ = -1;
  }

  Kernel* kernel_;
  int fd_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_DESCRIPTOR_H_
