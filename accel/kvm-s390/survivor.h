#ifndef LETHE_ACCEL_KVM_S390_SURVIVOR_H_
#define LETHE_ACCEL_KVM_S390_SURVIVOR_H_

#include <cstdint>
#include <vector>

#include "accel/kvm-s390/abi.h"

namespace lethe::kvm {

// One VM, as a process can still use it that shares the memory of the VMM (clone(2) with CLONE_VM)
// and has a copy of its descriptors, after all threads of the VMM were killed wherever they were:
// KVM asks whether the caller has the VM's memory, not whether it is the process that made the VM
// (Linux, virt/kvm/kvm_main.c).
//
// Made in good times by Kernel::MakeSurvivor. The calls below are made by one process, after the
// VMM has ended. They take no lock, allocate nothing, and do not use thread-local storage (errno);
// 64 KiB of stack are enough.
class Survivor {
 public:
  virtual ~Survivor() = default;

  // What the process must still have for the calls below: descriptors, which it closes last, and
  // system calls besides ioctl(2) for PV commands, munmap(2) and close(2).
  struct Needs {
    std::vector<int> descriptors = {};
    std::vector<std::uint32_t> system_calls = {};
  };
  virtual Needs needs() const { return {}; }

  // ioctl(KVM_S390_PV_COMMAND) on the VM: 0 or a negated errno value, `rc` and `rrc` in `command`.
  virtual int Command(abi::kvm_pv_cmd& command) = 0;

  // Lets go of the VM: unmaps the run structures and closes the VM's descriptor. The kernel then
  // destroys, synchronously, whatever secure memory is left. Last call.
  virtual void Close() = 0;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_SURVIVOR_H_
