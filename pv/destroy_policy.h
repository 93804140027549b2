#ifndef LETHE_PV_DESTROY_POLICY_H_
#define LETHE_PV_DESTROY_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "pv/host_memory.h"

namespace lethe {

// `--destroy`: when the memory of a protected guest that has ended is cleaned.
enum class DestroyMode {
  kAuto,
  kLazy,  // in the background, whenever the kernel can
  kSync,  // in the foreground
};

std::optional<DestroyMode> ParseDestroyMode(absl::string_view name);  // "auto", "lazy", "sync"
absl::string_view DestroyModeName(DestroyMode mode);

// What a decision rests on, all sizes in bytes.
struct DestroySituation {
  DestroyMode mode = DestroyMode::kAuto;
  bool kernel_can = false;                                   // KVM_CAP_S390_PROTECTED_ASYNC_DISABLE
  std::optional<std::uint64_t> memory_limit = std::nullopt;  // of the VM; no value: none was set
  std::uint64_t guest_memory = 0;
  HostMemory host = {};  // nothing known: no objection
};

// How a protected guest that is to be followed by another run of the same VM (a reboot) is torn
// down.
enum class DestroyMethod {
  kSetAside,  // PREPARE now, PERFORM in the background
  kDisable,   // DISABLE now
};

struct DestroyDecision {
  DestroyMethod method;
  std::string reason;
};

// Facts of the kernel come first, then the operator's wish, then judgement. No side effects.
DestroyDecision DecideDestroy(const DestroySituation& situation);

}  // namespace lethe

#endif  // LETHE_PV_DESTROY_POLICY_H_
