#ifndef LETHE_ACCEL_KVM_S390_KERNEL_CALL_H_
#define LETHE_ACCEL_KVM_S390_KERNEL_CALL_H_

#include <compare>
#include <cstdint>
#include <string>

namespace lethe::kvm {

// What a call of the kernel seam is, apart from its data: the same in each run of a program that
// does the same.
struct KernelCall {
  enum class Kind : std::uint8_t { kIoctl, kOpen, kMap, kMakeSurvivor, kSurvivorCommand };
  Kind kind = Kind::kIoctl;
  unsigned long request = 0;  // of an ioctl
  // Of what the request is about: the PV command (also of a survivor), capability, operation of
  // KVM_S390_MEM_OP or type of KVM_S390_IRQ; of a device attribute, group << 32 | attribute.
  std::uint64_t subject = 0;
  int cpu = -1;  // address of the CPU whose descriptor it is for; -1: another descriptor

  friend auto operator<=>(const KernelCall&, const KernelCall&) = default;
};

// `argument` must be what the kernel expects for `request`.
KernelCall DescribeIoctl(unsigned long request, std::uintptr_t argument, int cpu);

// "KVM_PV_UNPACK", "KVM_SET_MP_STATE of CPU 1": as it appears in error messages, and what tells it
// from others.
std::string ToString(const KernelCall& call);

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_KERNEL_CALL_H_
