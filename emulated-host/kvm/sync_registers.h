#ifndef LETHE_EMULATED_HOST_KVM_SYNC_REGISTERS_H_
#define LETHE_EMULATED_HOST_KVM_SYNC_REGISTERS_H_

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

class Cpu;
class VirtualCpu;

// The registers in the run page of a CPU against those of the emulated CPU. General, access and
// floating-point registers are used in place: between KVM_RUNs the page has the valid values. The
// others are taken from the page only if their dirty bit is set, and are stored there always.

// What kvm_valid_regs says of this host: it has no vector facility and none of the newer groups.
inline constexpr std::uint64_t kSyncRegistersOffered =
    abi::KVM_SYNC_PREFIX | abi::KVM_SYNC_GPRS | abi::KVM_SYNC_ACRS | abi::KVM_SYNC_CRS |
    abi::KVM_SYNC_ARCH0 | abi::KVM_SYNC_PFAULT | abi::KVM_SYNC_FPRS | abi::KVM_SYNC_DIAG318;

void LoadInPlaceRegisters(const abi::kvm_run& run, Cpu& cpu);
void LoadDirtyRegisters(const abi::kvm_run& run, VirtualCpu& cpu);
void StoreRegisters(abi::kvm_run& run, VirtualCpu& cpu);

// What an initial reset changes, PSW included; from the CPU, or as the architecture says (for a
// secure CPU, whose registers the kernel does not have).
void StoreInitialRegisters(abi::kvm_run& run, Cpu& cpu);
void ClearInitialRegisters(abi::kvm_run& run);
// What a clear reset clears beyond that.
void ClearGeneralRegisters(abi::kvm_run& run);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_SYNC_REGISTERS_H_
