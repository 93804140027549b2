#ifndef LETHE_EMULATED_HOST_KVM_PV_COMMAND_H_
#define LETHE_EMULATED_HOST_KVM_PV_COMMAND_H_

#include <cstdint>

namespace lethe::emulated {

class VirtualCpu;
class VirtualMachine;

// KVM_S390_PV_COMMAND of a virtual machine and KVM_S390_PV_CPU_COMMAND of a CPU (Linux,
// Documentation/virt/kvm/api.rst). `argument` is the user's address of a kvm_pv_cmd.
int PvCommand(VirtualMachine& machine, std::uintptr_t argument);
int PvCpuCommand(VirtualCpu& cpu, std::uintptr_t argument);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_PV_COMMAND_H_
