#include "pv/destroy_policy.h"

#include "absl/strings/str_format.h"

namespace lethe {
namespace {

constexpr std::uint64_t kTwoGiB = std::uint64_t{1} << 31;  // PREPARE always cleans this much

// Below this share of the host's memory, and above this share of waiting time, a zombie is not left
// lying about: swapping its pages out would mean to encrypt each of them.
constexpr std::uint64_t kScarceDivisor = 32;
constexpr double kHighPressurePercent = 10.0;

DestroyDecision Disable(std::string reason) { return {DestroyMethod::kDisable, std::move(reason)}; }

DestroyDecision SetAside(std::string reason) {
  return {DestroyMethod::kSetAside, std::move(reason)};
}

std::string MiB(std::uint64_t bytes) { return absl::StrFormat("%u MiB", bytes >> 20); }

}  // namespace

std::optional<DestroyMode> ParseDestroyMode(absl::string_view name) {
  for (DestroyMode mode : {DestroyMode::kAuto, DestroyMode::kLazy, DestroyMode::kSync})
    if (name == DestroyModeName(mode)) return mode;
  return std::nullopt;
}

absl::string_view DestroyModeName(DestroyMode mode) {
  switch (mode) {
    case DestroyMode::kAuto:
      return "auto";
    case DestroyMode::kLazy:
      return "lazy";
    case DestroyMode::kSync:
      return "sync";
  }
  return "unknown";
}

DestroyDecision DecideDestroy(const DestroySituation& situation) {
  if (situation.mode == DestroyMode::kSync) return Disable("synchronous destroy was asked for");
  if (!situation.kernel_can) return Disable("the kernel does not offer asynchronous destroy");
  if (situation.memory_limit && *situation.memory_limit <= kTwoGiB)
    return Disable(absl::StrFormat("a memory limit of %s rules out asynchronous destroy",
                                   MiB(*situation.memory_limit)));
  if (situation.mode == DestroyMode::kLazy) return SetAside("lazy destroy was asked for");

  if (situation.guest_memory <= kTwoGiB)
    return Disable(absl::StrFormat("nothing would be left to clean of %s in the background",
                                   MiB(situation.guest_memory)));
  const HostMemory& host = situation.host;
  if (host.pressure && *host.pressure >= kHighPressurePercent)
    return Disable(absl::StrFormat("memory pressure is %.1f %%", *host.pressure));
  if (host.total_bytes && host.available_bytes &&
      *host.available_bytes < *host.total_bytes / kScarceDivisor)
    return Disable(absl::StrFormat("only %s of memory are available", MiB(*host.available_bytes)));
  return SetAside(
      absl::StrFormat("%s to clean in the background", MiB(situation.guest_memory - kTwoGiB)));
}

}  // namespace lethe
