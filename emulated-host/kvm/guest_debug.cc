#include "emulated-host/kvm/guest_debug.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kMostPoints = 50;
constexpr std::uint64_t kLongestWatchpoint = 100;
constexpr std::int32_t kLongestInstruction = 6;

// The range of addresses around those that were added; empty like Linux's, which takes 0 to 0 for
// none.
class Hull {
 public:
  void Add(std::uint64_t address, std::int32_t length) {
    const std::uint64_t last = address + static_cast<std::uint64_t>(std::max(length, 1) - 1);
    if (range_.first == 0 && range_.last == 0) {
      range_ = {address, last};
    } else {
      range_ = {std::min(range_.first, address), std::max(range_.last, last)};
    }
  }
  // The instruction before an address as well, which is the one that leads to it.
  void AddWithInstructionBefore(std::uint64_t address, std::int32_t length) {
    const auto before = static_cast<std::int32_t>(
        std::min(address, static_cast<std::uint64_t>(kLongestInstruction)));
    Add(address - static_cast<std::uint64_t>(before), length + before);
  }
  const AddressRange& range() const { return range_; }

 private:
  AddressRange range_;
};

}  // namespace

bool GuestDebug::Breakpoint::Has(std::uint64_t other) const {
  if (other == address) return true;
  return length > 0 &&
         AddressRange{address, address + static_cast<std::uint64_t>(length) - 1}.Has(other);
}

int GuestDebug::Set(const abi::kvm_guest_debug& wanted, VirtualMachine& machine, Cpu& cpu) {
  constexpr std::uint32_t kKnown =
      abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP | abi::KVM_GUESTDBG_USE_HW_BP;
  Forget();
  cpu.SetDebug({});
  if ((wanted.control & ~kKnown) != 0) return -EINVAL;
  if ((wanted.control & abi::KVM_GUESTDBG_ENABLE) == 0) {
    last_breakpoint_ = 0;
    return 0;
  }
  if ((wanted.control & abi::KVM_GUESTDBG_USE_HW_BP) != 0) {
    if (const int error = Import(wanted.arch, machine); error != 0) {
      Forget();
      return error;
    }
  }
  single_step_ = (wanted.control & abi::KVM_GUESTDBG_SINGLESTEP) != 0;
  cpu.SetDebug(Request());
  return 0;
}

void GuestDebug::Forget() {
  single_step_ = false;
  breakpoints_.clear();
  watchpoints_.clear();
}

int GuestDebug::Import(const abi::kvm_guest_debug_arch& list, VirtualMachine& machine) {
  if (list.nr_hw_bp == 0 || list.hw_bp == 0) return 0;
  if (list.nr_hw_bp > kMostPoints) return -EINVAL;
  for (std::uint32_t i = 0; i < list.nr_hw_bp; ++i) {
    abi::kvm_hw_breakpoint point;
    if (const int error = Fetch(list.hw_bp + i * sizeof(point), point); error != 0) return error;
    if (const int error = Add(point, machine); error != 0) return error;
  }
  return 0;
}

int GuestDebug::Add(const abi::kvm_hw_breakpoint& point, VirtualMachine& machine) {
  if (point.type == abi::KVM_HW_BP) {
    breakpoints_.push_back({point.addr, static_cast<std::int32_t>(point.len)});
  } else if (point.type == abi::KVM_HW_WP_WRITE) {
    if (point.len > kLongestWatchpoint) return -EINVAL;
    std::vector<std::uint8_t> before(point.len);
    if (!machine.ReadAbsolute(point.phys_addr, absl::MakeSpan(before))) return -EFAULT;
    watchpoints_.push_back({point.addr, point.phys_addr, std::move(before)});
  }
  return 0;
}

DebugRequest GuestDebug::Request() const {
  DebugRequest request;
  if (single_step_) request.events |= PerCode::kFetching;
  if (!breakpoints_.empty()) request.events |= PerCode::kFetching | PerCode::kBranching;
  if (!watchpoints_.empty()) request.events |= PerCode::kAlteration;
  if (single_step_) {
    request.range = {0, ~std::uint64_t{0}};
    request.holds_clock_comparator = true;  // else its handler would be all that is ever stepped
    return request;
  }
  Hull hull;
  for (const Breakpoint& point : breakpoints_) {
    hull.AddWithInstructionBefore(point.address, point.length);
  }
  for (const Watchpoint& point : watchpoints_) {
    hull.Add(point.address, static_cast<std::int32_t>(point.before.size()));
  }
  request.range = hull.range();
  return request;
}

bool GuestDebug::HasBreakpoint(std::uint64_t address) const {
  return std::any_of(breakpoints_.begin(), breakpoints_.end(),
                     [&](const Breakpoint& point) { return point.Has(address); });
}

const GuestDebug::Watchpoint* GuestDebug::FindChanged(VirtualMachine& machine) const {
  for (const Watchpoint& point : watchpoints_) {
    std::vector<std::uint8_t> now(point.before.size());
    if (!machine.ReadAbsolute(point.absolute, absl::MakeSpan(now))) continue;
    if (now != point.before) return &point;
  }
  return nullptr;
}

std::optional<abi::kvm_debug_exit_arch> GuestDebug::Judge(const DebugEvent& event,
                                                          VirtualMachine& machine) {
  const auto exit = [](std::uint64_t address, std::uint8_t type) {
    abi::kvm_debug_exit_arch told{};
    told.addr = address;
    told.type = type;
    return told;
  };
  if ((event.code & PerCode::kAlteration) != 0) {
    if (const Watchpoint* point = FindChanged(machine)) {
      return exit(point->address, abi::KVM_HW_WP_WRITE);
    }
  }
  if ((event.code & (PerCode::kFetching | PerCode::kBranching)) != 0) {
    if (event.next != event.address && HasBreakpoint(event.next)) {
      last_breakpoint_ = event.next;
      return exit(event.next, abi::KVM_HW_BP);
    }
    if (event.address != last_breakpoint_ && HasBreakpoint(event.address)) {
      return exit(event.address, abi::KVM_HW_BP);
    }
  }
  if (single_step_) return exit(event.next, abi::KVM_SINGLESTEP);
  return std::nullopt;
}

}  // namespace lethe::emulated
