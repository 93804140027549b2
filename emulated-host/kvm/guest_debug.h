#ifndef LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_
#define LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_

#include <cstdint>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/virtual_cpu.h"

namespace lethe::emulated {

// The interface's kvm_hw_breakpoint; an array of them is where kvm_guest_debug_arch::hw_bp points.
struct HardwareBreakpoint {
  std::uint64_t address;
  std::uint64_t physical_address;
  std::uint64_t length;
  std::uint8_t type;  // KVM_HW_BP or KVM_HW_WP_WRITE
};
static_assert(sizeof(HardwareBreakpoint) == 32);

// KVM_SET_GUEST_DEBUG: 0 or a negated errno value. After an error nothing is debugged. The caller
// holds the CPU's mutex.
int SetGuestDebug(VirtualCpu& cpu, const abi::kvm_guest_debug& wanted);

// KVM_EXIT_DEBUG, into the run page.
void ReportDebug(abi::kvm_run& run, const DebugEvent& event);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_
