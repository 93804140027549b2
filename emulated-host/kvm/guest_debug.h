#ifndef LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_
#define LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/cpu/program_event.h"

namespace lethe::emulated {

class Cpu;
class VirtualMachine;

// What a user wants one CPU to be stopped for (KVM_SET_GUEST_DEBUG). As Linux does it: one range of
// addresses is recorded that covers all points, and what comes of that is sorted out afterwards.
// The caller holds the CPU's mutex.
class GuestDebug {
 public:
  // 0 or a negated errno value; after an error nothing is debugged. Reads the machine's storage: no
  // purge may wait for the caller.
  int Set(const abi::kvm_guest_debug& wanted, VirtualMachine& machine, Cpu& cpu);
  bool single_step() const { return single_step_; }
  // What the CPU is to stop for.
  DebugRequest Request() const;
  // What the user is to be told of `event`; nullopt: nothing, the CPU goes on.
  std::optional<abi::kvm_debug_exit_arch> Judge(const DebugEvent& event, VirtualMachine& machine);

 private:
  struct Breakpoint {
    std::uint64_t address;
    std::int32_t length;  // not positive: that of one address
    bool Has(std::uint64_t other) const;
  };
  struct Watchpoint {
    std::uint64_t address;  // where the guest stores
    std::uint64_t absolute;
    std::vector<std::uint8_t> before;  // what was there when it was set
  };

  void Forget();
  int Import(const abi::kvm_guest_debug_arch& list, VirtualMachine& machine);
  int Add(const abi::kvm_hw_breakpoint& point, VirtualMachine& machine);
  bool HasBreakpoint(std::uint64_t address) const;
  const Watchpoint* FindChanged(VirtualMachine& machine) const;

  bool single_step_ = false;
  std::vector<Breakpoint> breakpoints_;
  std::vector<Watchpoint> watchpoints_;
  // Where the CPU was last stopped before the instruction: it is not told again behind it.
  std::uint64_t last_breakpoint_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_GUEST_DEBUG_H_
