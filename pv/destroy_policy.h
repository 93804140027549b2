#ifndef LETHE_PV_DESTROY_POLICY_H_
#define LETHE_PV_DESTROY_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pv/cgroup_memory.h"
#include "pv/host_memory.h"
#include "pv/pressure_level.h"
#include "pv/shutdown_strategy.h"

namespace lethe {

// When the memory of a protected guest that has ended is cleaned.
enum class DestroyMode : std::uint32_t {
  kAuto,
  kLazy,  // in the background, whenever the host can
  kSync,  // in the foreground
};

std::optional<DestroyMode> ParseDestroyMode(absl::string_view name);  // "auto", "lazy", "sync"
absl::string_view DestroyModeName(DestroyMode mode);

// What ends: one life of a guest that is to start again in the same VM, or the guest for good.
enum class TeardownKind { kReboot, kShutdown };
absl::string_view TeardownKindName(TeardownKind kind);  // "reboot", "shutdown"

// `--destroy`.
struct DestroyPolicy {
  DestroyMode reboot = DestroyMode::kAuto;
  DestroyMode shutdown = DestroyMode::kAuto;

  DestroyPolicy() = default;
  DestroyPolicy(DestroyMode both) : DestroyPolicy(both, both) {}  // a policy can be a single mode
  DestroyPolicy(DestroyMode of_reboot, DestroyMode of_shutdown)
      : reboot(of_reboot), shutdown(of_shutdown) {}

  DestroyMode Of(TeardownKind kind) const {
    return kind == TeardownKind::kReboot ? reboot : shutdown;
  }
  friend bool operator==(const DestroyPolicy&, const DestroyPolicy&) = default;
};

// "lazy" for both, or a list of "reboot=MODE" and "shutdown=MODE", in which the absent one is auto.
// An error is one line for the user.
absl::StatusOr<DestroyPolicy> ParseDestroyPolicy(absl::string_view text);
std::string FormatDestroyPolicy(const DestroyPolicy& policy);  // "reboot=auto,shutdown=sync"

enum class RebootStrategy : std::uint32_t {
  kSetAside,  // PREPARE now, PERFORM in the background
  kDisable,   // DISABLE now
};

// "set-aside", "disable"; "bulk", "trickle", "exit", "sync".
absl::string_view StrategyName(RebootStrategy strategy);
absl::string_view StrategyName(ShutdownStrategy strategy);

// Why a teardown is not lazy although nobody asked for synchronous destroy.
enum class Fallback {
  kNone,
  kNoCapability,   // KVM_CAP_S390_PROTECTED_ASYNC_DISABLE
  kMemoryLimit,    // of the VM, at most 2 GiB
  kSmallGuest,     // not worth it
  kLowMemory,      // of the host or a memory cgroup
  kPressure,       // tasks wait for memory
  kDebt,           // dying guests owe too much already
  kNoReaper,       // none was started, or it is gone
  kSlotTaken,      // the guest before it was not taken up by the cleaner in time
  kPrepareFailed,  // the kernel refused to set the guest aside
  kPerformFailed,  // ... or to clean it afterwards
};
absl::string_view FallbackName(Fallback fallback);  // "none", "no-capability", ...

// What a decision rests on. Sizes in bytes; what has no value is not known and is no objection.
struct DestroySituation {
  TeardownKind kind = TeardownKind::kReboot;
  DestroyPolicy policy = {};

  // The host's abilities.
  bool kernel_can = false;  // KVM_CAP_S390_PROTECTED_ASYNC_DISABLE
  bool has_reaper = false;  // its process exists and listens

  // This guest.
  bool is_protected = true;     // there is a secure configuration to destroy
  bool cannot_destroy = false;  // DISABLE has failed before
  std::optional<std::uint64_t> memory_limit = std::nullopt;  // of the VM; no value: none was set
  std::uint64_t guest_memory = 0;
  std::optional<std::uint64_t> touched = std::nullopt;  // how much of it exists on the host
  unsigned zombies = 0;  // earlier lives of this guest that are not clean yet

  // The surroundings.
  HostMemory host = {};
  CgroupMemory cgroup = {};
  PressureLevel pressure = PressureLevel::kNone;  // signalled at this moment
  unsigned dying_guests = 0;                      // on this host, without this guest
  std::uint64_t owed = 0;                         // by them
};

struct DestroyDecision {
  std::variant<RebootStrategy, ShutdownStrategy> strategy;
  // Whoever waits for the reboot or for the end of the VMM does not wait for the cleaning.
  bool lazy = false;
  Fallback fallback = Fallback::kNone;  // the rule that decided, if it was one of these
  // Short sentences for the user, the deciding one first; at least one.
  std::vector<std::string> reasons;

  TeardownKind kind() const {
    return std::holds_alternative<RebootStrategy>(strategy) ? TeardownKind::kReboot
                                                            : TeardownKind::kShutdown;
  }
  RebootStrategy reboot() const { return std::get<RebootStrategy>(strategy); }
  ShutdownStrategy shutdown() const { return std::get<ShutdownStrategy>(strategy); }
  absl::string_view strategy_name() const;
  // "reboot: set-aside (lazy): 14336 MiB are left to clean in the background"
  std::string ToString() const;
};

// How a teardown of the kind in `situation` is done. Facts of the kernel come first, then the
// operator's wish, then judgement. No side effects.
DestroyDecision DecideDestroy(const DestroySituation& situation);

}  // namespace lethe

#endif  // LETHE_PV_DESTROY_POLICY_H_
