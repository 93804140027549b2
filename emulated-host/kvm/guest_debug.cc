#include "emulated-host/kvm/guest_debug.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "emulated-host/kvm/user_memory.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kMostBreakpoints = 32;

// The addresses of a breakpoint: at least the one it names.
AddressRange RangeOf(const HardwareBreakpoint& breakpoint) {
  return {breakpoint.address,
          breakpoint.address + std::max<std::uint64_t>(breakpoint.length, 1) - 1};
}

int Import(const abi::kvm_guest_debug_arch& from, DebugRequest& to) {
  if (from.nr_hw_bp > kMostBreakpoints) return -EINVAL;
  for (std::uint32_t i = 0; i < from.nr_hw_bp && from.hw_bp != 0; ++i) {
    HardwareBreakpoint breakpoint;
    const int error = Fetch(from.hw_bp + i * sizeof(breakpoint), breakpoint);
    if (error != 0) return error;
    if (breakpoint.type == abi::KVM_HW_BP) {
      to.breakpoints.push_back(RangeOf(breakpoint));
    } else if (breakpoint.type == abi::KVM_HW_WP_WRITE) {
      to.watchpoints.push_back(RangeOf(breakpoint));
    }
  }
  return 0;
}

}  // namespace

int SetGuestDebug(VirtualCpu& cpu, const abi::kvm_guest_debug& wanted) {
  constexpr std::uint32_t kKnown =
      abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP | abi::KVM_GUESTDBG_USE_HW_BP;
  cpu.cpu().SetDebug({});
  if (cpu.secure() || (wanted.control & ~kKnown) != 0) return -EINVAL;
  if ((wanted.control & abi::KVM_GUESTDBG_ENABLE) == 0) return 0;
  DebugRequest request;
  request.single_step = (wanted.control & abi::KVM_GUESTDBG_SINGLESTEP) != 0;
  if ((wanted.control & abi::KVM_GUESTDBG_USE_HW_BP) != 0) {
    if (const int error = Import(wanted.arch, request); error != 0) return error;
  }
  cpu.cpu().SetDebug(std::move(request));
  return 0;
}

void ReportDebug(abi::kvm_run& run, const DebugEvent& event) {
  run.exit_reason = abi::KVM_EXIT_DEBUG;
  run.debug.arch = {};
  run.debug.arch.addr = event.address;
  switch (event.kind) {
    case DebugEvent::Kind::kStep:
      run.debug.arch.type = abi::KVM_SINGLESTEP;
      break;
    case DebugEvent::Kind::kBreakpoint:
      run.debug.arch.type = abi::KVM_HW_BP;
      break;
    case DebugEvent::Kind::kStore:
      run.debug.arch.type = abi::KVM_HW_WP_WRITE;
      break;
  }
}

}  // namespace lethe::emulated
