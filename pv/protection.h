#ifndef LETHE_PV_PROTECTION_H_
#define LETHE_PV_PROTECTION_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/pv_command.h"
#include "accel/kvm-s390/vcpu.h"
#include "accel/kvm-s390/vm.h"
#include "image/ipl_parameters.h"
#include "pv/cleaner.h"
#include "pv/destroy_policy.h"
#include "pv/event_sink.h"
#include "pv/ipl_parameter_block.h"
#include "pv/life_cycle.h"
#include "pv/pressure_level.h"
#include "pv/teardown_outcome.h"

namespace lethe {

// Memory that dying guests of this host have not given back yet.
struct HostDebt {
  unsigned dying_guests = 0;
  std::uint64_t bytes = 0;
};

struct ProtectionOptions {
  DestroyPolicy destroy = {};
  bool kernel_can_set_aside = false;  // Capabilities::protected_async_disable
  std::uint64_t guest_memory = 0;     // bytes
  // How long a reboot waits for the guest before the last one to be taken up by the cleaner, and a
  // start for memory that the Ultravisor has lent to guests that are being cleaned.
  std::chrono::nanoseconds patience = std::chrono::seconds(1);
  CleanerOptions cleaner = {};  // `on_end` is called besides `on_teardown`

  // What the policy asks about the surroundings, on the thread that tears down.
  std::function<HostMemory()> host_memory = [] { return ReadHostMemory(); };
  std::function<CgroupMemory()> cgroup_memory = [] { return ReadCgroupMemory(); };
  // How much of the guest's memory exists on the host, in bytes; no value: not known.
  std::function<std::optional<std::uint64_t>()> touched = [] { return std::nullopt; };
  std::function<HostDebt()> debt = [] { return HostDebt(); };
  std::function<bool()> reaper_alive = [] { return false; };

  // Called on the thread that tears down, or on a cleaner thread.
  std::function<void(const TeardownOutcome&)> on_teardown = [](const TeardownOutcome&) {};
};

// What DIAGNOSE 308 subcode 10 comes to.
struct ProtectOutcome {
  bool is_protected = false;
  // Otherwise: for register R1+1 of the caller. The failure code; above it, if the Ultravisor
  // refused, its codes and the command (bits 0-15 command, 16-31 rrc, 32-47 rc, 48-63 code).
  std::uint64_t guest_code = 0;
};

// SYSTEM RESET as DIAGNOSE 308 has it for a guest that stays protected.
enum class SecureResetKind {
  kModifiedClear,  // subcode 0: clear reset of all CPUs
  kLoadNormal,     // subcode 1: initial CPU reset of the caller, CPU reset of the others
};

// Brings one guest into protected mode and out of it again, and has its past lives cleaned.
//
// For every operation all vCPUs are out of Vcpu::Enter() and stay out (the kernel waits for them,
// uninterruptibly), and the I/O subsystem has been reset. One thread at a time, except where it is
// said that any may call.
class Protection {
 public:
  // `vm`, `vcpus` and `events` must outlive this. The cleaner's thread starts here.
  Protection(const kvm::Vm& vm, std::vector<kvm::Vcpu*> vcpus, ProtectionOptions options,
             EventSink& events);

  // Any thread.
  bool is_protected() const { return life_cycle_.state() == PvState::kProtected; }
  PvState state() const { return life_cycle_.state(); }
  Cleaner& cleaner() { return cleaner_; }
  // What a teardown from now on follows. Any thread.
  void SetPolicy(DestroyPolicy policy) { policy_ = policy; }
  DestroyPolicy policy() const { return policy_; }
  // What is signalled about memory: decisions respect it and the cleaner hurries. Any thread.
  void SetPressure(PressureLevel level);
  PressureLevel pressure() const { return pressure_; }
  // The newest decision of a kind. Any thread.
  std::optional<DestroyDecision> last_decision(TeardownKind kind) const;

  // DIAGNOSE 308 subcode 10, issued by `caller`: ENABLE, SET_SEC_PARMS, UNPACK, VERIFY, and the
  // caller's state to load and operating. `header` was copied from guest storage. The other CPUs
  // have had a clear reset, the caller a CPU reset; afterwards the caller operates, protected or
  // (all undone) not, and the others are stopped. An error means that the guest is neither.
  absl::StatusOr<ProtectOutcome> Protect(kvm::Vcpu& caller, absl::Span<const std::uint8_t> header,
                                         absl::Span<const ImageComponent> components);

  // The guest leaves protected mode: re-IPL, or its end. Set aside or destroyed, as the policy
  // says; whatever a failed PREPARE leaves is destroyed. Before CPUs and devices are reset. An
  // error means that the secure configuration cannot be got rid of: the VM is of no more use.
  absl::Status Unprotect(absl::string_view reason);
  // The same, in the foreground whatever the policy says, from any state but normal and lost.
  absl::Status Destroy(absl::string_view reason);
  // The guest has ended and the process is about to: how. Entered in the events and kept.
  DestroyDecision DecideShutdown();
  // What the process has to do itself: if `decision` is synchronous the guest and its past lives
  // are cleaned, however long it takes; otherwise nothing is done. A guest that could not be
  // destroyed before is left to the kernel.
  absl::Status End(absl::string_view reason, const DestroyDecision& decision);

  // DIAGNOSE 308 subcode 0 or 1, issued by `caller`: the guest stays protected, its memory stays,
  // it goes on at the PSW in absolute 0. An error means that it cannot be run any more.
  absl::Status SecureReset(SecureResetKind kind, kvm::Vcpu& caller);

 private:
  kvm::PvResult CreateWithPatience();
  // The command that failed; success: all is verified.
  kvm::PvResult BringIn(absl::Span<const std::uint8_t> header,
                        absl::Span<const ImageComponent> components);
  absl::Status StopAll();
  DestroyDecision Decide(TeardownKind kind);
  // SetAside or Disable, as `decision` says: what was done in the end.
  absl::Status CarryOut(const DestroyDecision& decision, absl::string_view reason,
                        TeardownOutcome& outcome);
  CleanerOptions CountingCleaner();
  std::optional<std::uint64_t> TouchedPages() const;
  absl::StatusOr<ProtectOutcome> Undo(kvm::Vcpu& caller, std::uint64_t guest_code,
                                      absl::string_view why);

  const kvm::Vm& vm_;
  std::vector<kvm::Vcpu*> vcpus_;
  const ProtectionOptions options_;
  EventSink& events_;
  std::atomic<DestroyPolicy> policy_;
  std::atomic<PressureLevel> pressure_ = PressureLevel::kNone;
  mutable std::mutex decisions_mutex_;
  std::optional<DestroyDecision> last_reboot_;
  std::optional<DestroyDecision> last_shutdown_;
  PvLifeCycle life_cycle_;
  Cleaner cleaner_;  // last: its threads use what is above
};

// The failure value of subcode 10 for the command that failed.
std::uint64_t ProtectFailureCode(const kvm::PvResult& result);

}  // namespace lethe

#endif  // LETHE_PV_PROTECTION_H_
