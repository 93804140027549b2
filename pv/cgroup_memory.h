#ifndef LETHE_PV_CGROUP_MEMORY_H_
#define LETHE_PV_CGROUP_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lethe {

// Where this process stands in the hierarchies of control groups (cgroups(7)). Directories are
// absolute paths of the host; empty: there is none, or it is not mounted here.
struct CgroupPlace {
  enum class Version { kNone, kV1, kV2 };

  Version version = Version::kNone;  // of the hierarchy that has the memory controller
  std::string mount;                 // where that hierarchy is mounted: the outermost visible group
  std::string group;                 // this process's group in it
  // The process's group in the version 2 hierarchy, which has memory.pressure even on hosts whose
  // memory controller is version 1.
  std::string unified_group;
};

// From the text of /proc/self/cgroup and /proc/self/mountinfo. A host that has mounted the memory
// controller as version 1 has it there and not in version 2 (hybrid hosts).
CgroupPlace ParseCgroupPlace(absl::string_view cgroup, absl::string_view mountinfo);

// As of now. `root` is put before every path of the host ("" for the host itself).
CgroupPlace FindCgroup(const std::string& root = "");

// Memory of one control group, in bytes; what cannot be learnt has no value.
struct CgroupLevel {
  std::string path = {};  // below the mount: "/", "/machine.slice/guest"
  // Whatever stops growth first: memory.max and memory.high (version 2), memory.limit_in_bytes
  // (version 1). No value: unlimited.
  std::optional<std::uint64_t> limit = std::nullopt;
  std::optional<std::uint64_t> usage = std::nullopt;
  // Page cache of files, which the kernel drops before it takes anything else: part of the usage.
  // Not looked for where there is no limit.
  std::uint64_t reclaimable = 0;
  // How often, since the group exists, usage was pushed below memory.high, hit the maximum, and
  // nothing could be reclaimed. Version 1 knows the second (failcnt) and the third (oom_kill).
  std::uint64_t high_events = 0;
  std::uint64_t max_events = 0;
  std::uint64_t oom_events = 0;

  // What may be added before the limit is felt; no value: no limit, or the usage is not known.
  std::optional<std::uint64_t> Headroom() const;
};

// The limits that this process lives under, of its own group first and then of its ancestors.
struct CgroupMemory {
  std::vector<CgroupLevel> levels = {};

  // The level with the least headroom; null: nothing limits.
  const CgroupLevel* Tightest() const;
  // The least headroom of all levels.
  std::optional<std::uint64_t> Headroom() const;
};

// As of now; nothing that is missing or unreadable is an error. The other form reads the levels of
// a place that was found before. (Linux, Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/memory.rst.)
CgroupMemory ReadCgroupMemory(const std::string& root = "");
CgroupMemory ReadCgroupMemory(const CgroupPlace& place);

}  // namespace lethe

#endif  // LETHE_PV_CGROUP_MEMORY_H_
