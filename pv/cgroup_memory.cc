#include "pv/cgroup_memory.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pv/kernel_file.h"

namespace lethe {
namespace {

using Version = CgroupPlace::Version;

// Version 1 shows "no limit" as the largest number of whole pages.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;

struct Mount {
  std::string root;   // which group of the hierarchy is mounted
  std::string point;  // where
};

// Blanks and backslashes of paths are written as three octal digits (proc_pid_mountinfo(5)).
std::string Unescape(absl::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const absl::string_view digits =
        text.substr(i).substr(0, 4).substr(std::min<std::size_t>(1, text.size() - i));
    const bool is_escape =
        text[i] == '\\' && digits.size() == 3 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '7'; });
    if (is_escape) {
      plain.push_back(
          static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

bool HasItem(absl::string_view list, absl::string_view item) {
  const std::vector<absl::string_view> items = absl::StrSplit(list, ',');
  return std::find(items.begin(), items.end(), item) != items.end();
}

// The first mount of the hierarchy: version 1 with the memory controller, or version 2.
std::optional<Mount> FindMount(absl::string_view mountinfo, Version version) {
  for (absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    // "36 35 0:31 ROOT POINT rw,... [shared:9 ...] - TYPE SOURCE SUPER-OPTIONS"
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> mount = absl::StrSplit(halves.first, ' ');
    const std::vector<absl::string_view> type = absl::StrSplit(halves.second, ' ');
    if (mount.size() < 5 || type.size() < 3) continue;
    const bool fits = version == Version::kV1 ? type[0] == "cgroup" && HasItem(type[2], "memory")
                                              : type[0] == "cgroup2";
    if (fits) return Mount{Unescape(mount[3]), Unescape(mount[4])};
  }
  return std::nullopt;
}

// The path of the process's group in the hierarchy, as it sees it.
std::optional<std::string> FindPath(absl::string_view cgroup, Version version) {
  for (absl::string_view line : absl::StrSplit(cgroup, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const bool fits = version == Version::kV1 ? HasItem(fields[1], "memory")
                                              : fields[0] == "0" && fields[1].empty();
    if (fits) return std::string(fields[2]);
  }
  return std::nullopt;
}

// The directory of a group. A group that is not below what is mounted (a container shows its own
// part only) is not visible; the mount is the nearest that is.
std::string Directory(const Mount& mount, absl::string_view path) {
  if (mount.root != "/" && !absl::ConsumePrefix(&path, mount.root)) return mount.point;
  if (!path.empty() && path.front() != '/') return mount.point;  // "/podx" is not below "/pod"
  if (absl::StrContains(path, "/..") || path.empty() || path == "/") return mount.point;
  return absl::StrCat(mount.point, path);
}

std::optional<std::uint64_t> ReadNumber(const std::string& path) {
  std::uint64_t value;
  if (!absl::SimpleAtoi(ReadKernelFile(path), &value)) return std::nullopt;
  return value;
}

// "name value" in a file of such lines; 0 if it is not there.
std::uint64_t FlatValue(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::uint64_t value;
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, " ") &&
        absl::SimpleAtoi(line, &value))
      return value;
  }
  return 0;
}

std::optional<std::uint64_t> Smaller(std::optional<std::uint64_t> a,
                                     std::optional<std::uint64_t> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// The kernel sums memory.stat up from all CPUs and groups below, which takes its time: asked for
// only where it matters.
std::string StatIfLimited(const CgroupLevel& level, const std::string& directory) {
  return level.limit ? ReadKernelFile(directory + "/memory.stat") : std::string();
}

CgroupLevel ReadV2(const std::string& directory) {
  CgroupLevel level;
  // "max" is not a number: no limit.
  level.limit =
      Smaller(ReadNumber(directory + "/memory.max"), ReadNumber(directory + "/memory.high"));
  level.usage = ReadNumber(directory + "/memory.current");
  const std::string stat = StatIfLimited(level, directory);
  level.reclaimable = FlatValue(stat, "inactive_file") + FlatValue(stat, "active_file");
  const std::string events = ReadKernelFile(directory + "/memory.events");
  level.high_events = FlatValue(events, "high");
  level.max_events = FlatValue(events, "max");
  level.oom_events = FlatValue(events, "oom");
  return level;
}

CgroupLevel ReadV1(const std::string& directory) {
  CgroupLevel level;
  level.limit = ReadNumber(directory + "/memory.limit_in_bytes");
  if (level.limit && *level.limit >= kUnlimited) level.limit.reset();
  level.usage = ReadNumber(directory + "/memory.usage_in_bytes");
  const std::string stat = StatIfLimited(level, directory);
  level.reclaimable = FlatValue(stat, "total_inactive_file") + FlatValue(stat, "total_active_file");
  level.max_events = ReadNumber(directory + "/memory.failcnt").value_or(0);
  level.oom_events = FlatValue(ReadKernelFile(directory + "/memory.oom_control"), "oom_kill");
  return level;
}

}  // namespace

CgroupPlace ParseCgroupPlace(absl::string_view cgroup, absl::string_view mountinfo) {
  CgroupPlace place;
  for (Version version : {Version::kV2, Version::kV1}) {
    const std::optional<Mount> mount = FindMount(mountinfo, version);
    const std::optional<std::string> path = FindPath(cgroup, version);
    if (!mount || !path) continue;
    place.version = version;
    place.mount = mount->point;
    place.group = Directory(*mount, *path);
    if (version == Version::kV2) place.unified_group = place.group;
  }
  return place;
}

CgroupPlace FindCgroup(const std::string& root) {
  CgroupPlace place = ParseCgroupPlace(ReadKernelFile(root + "/proc/self/cgroup"),
                                       ReadKernelFile(root + "/proc/self/mountinfo"));
  for (std::string* path : {&place.mount, &place.group, &place.unified_group})
    if (!path->empty()) *path = root + *path;
  return place;
}

std::optional<std::uint64_t> CgroupLevel::Headroom() const {
  if (!limit || !usage) return std::nullopt;
  const std::uint64_t kept = *usage - std::min(*usage, reclaimable);
  return *limit - std::min(*limit, kept);
}

const CgroupLevel* CgroupMemory::Tightest() const {
  const CgroupLevel* tightest = nullptr;
  for (const CgroupLevel& level : levels) {
    if (!level.Headroom()) continue;
    if (tightest == nullptr || *level.Headroom() < *tightest->Headroom()) tightest = &level;
  }
  return tightest;
}

std::optional<std::uint64_t> CgroupMemory::Headroom() const {
  const CgroupLevel* const tightest = Tightest();
  return tightest == nullptr ? std::nullopt : tightest->Headroom();
}

CgroupMemory ReadCgroupMemory(const CgroupPlace& place) {
  CgroupMemory memory;
  if (place.version == Version::kNone) return memory;
  std::string directory = place.group;
  for (;;) {
    CgroupLevel level = place.version == Version::kV1 ? ReadV1(directory) : ReadV2(directory);
    level.path = directory.size() > place.mount.size() ? directory.substr(place.mount.size()) : "/";
    memory.levels.push_back(std::move(level));
    if (directory.size() <= place.mount.size()) return memory;
    directory.resize(directory.rfind('/'));
  }
}

CgroupMemory ReadCgroupMemory(const std::string& root) {
  return ReadCgroupMemory(FindCgroup(root));
}

}  // namespace lethe
