#include "pv/available_memory.h"

#include "absl/strings/str_cat.h"

namespace lethe {

std::optional<AvailableMemory> FindAvailableMemory(const HostMemory& host,
                                                   const CgroupMemory& cgroup) {
  const std::optional<std::uint64_t> headroom = cgroup.Headroom();
  if (headroom && (!host.available_bytes || *headroom < *host.available_bytes))
    return AvailableMemory{*headroom, absl::StrCat("control group ", cgroup.Tightest()->path)};
  if (host.available_bytes) return AvailableMemory{*host.available_bytes, "MemAvailable"};
  return std::nullopt;
}

}  // namespace lethe
