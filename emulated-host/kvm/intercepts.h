#ifndef LETHE_EMULATED_HOST_KVM_INTERCEPTS_H_
#define LETHE_EMULATED_HOST_KVM_INTERCEPTS_H_

#include <cstdint>

#include "emulated-host/kvm/disposition.h"
#include "emulated-host/ultravisor/secure_cpu.h"

namespace lethe::emulated {

class VirtualCpu;

// The instructions that KVM completes itself, and which it leaves to the user (intercept 4). `ipa`
// is the first halfword of the instruction, `ipb` the four bytes behind it.
Disposition HandleInstruction(VirtualCpu& cpu, std::uint16_t ipa, std::uint32_t ipb);

// The same for a protected guest (intercepts 104 and 108).
Disposition HandleSecureIntercept(VirtualCpu& cpu, SecureIntercept::Code code, std::uint16_t ipa,
                                  std::uint32_t ipb);

// An intercepted instruction, taken apart.
struct InterceptedInstruction {
  std::uint16_t ipa = 0;
  std::uint32_t ipb = 0;

  int r1() const { return ipa >> 4 & 0xf; }
  int r3() const { return ipa & 0xf; }          // RS
  int rre1() const { return ipb >> 20 & 0xf; }  // RRE: bits of the second halfword
  int rre2() const { return ipb >> 16 & 0xf; }
  int base() const { return static_cast<int>(ipb >> 28); }
  // Base and displacement of the second operand, not wrapped.
  std::uint64_t Address(VirtualCpu& cpu) const;
};

// The handlers of larger instructions, in files of their own.
Disposition SignalProcessor(VirtualCpu& cpu, const InterceptedInstruction& instruction);
Disposition Diagnose(VirtualCpu& cpu, const InterceptedInstruction& instruction);
Disposition StoreSystemInformation(VirtualCpu& cpu, const InterceptedInstruction& instruction);
Disposition StoreHypervisorInformation(VirtualCpu& cpu, const InterceptedInstruction& instruction);
Disposition TestSubchannel(VirtualCpu& cpu, const InterceptedInstruction& instruction);
Disposition TestPendingInterruption(VirtualCpu& cpu, const InterceptedInstruction& instruction);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_INTERCEPTS_H_
