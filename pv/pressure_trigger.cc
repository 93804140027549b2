#include "pv/pressure_trigger.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lethe {
namespace {

using Kind = PressureTrigger::Kind;

// Stall and window in microseconds. A process without rights may ask for windows that are multiples
// of two seconds.
constexpr absl::string_view kSomeStall = "some 150000 2000000";
constexpr absl::string_view kFullStall = "full 200000 2000000";

absl::Status Failed(absl::string_view path) { return absl::ErrnoToStatus(errno, path); }

absl::StatusOr<UniqueFd> OpenStall(const std::string& path, absl::string_view trigger) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return Failed(path);
  // The kernel wants the final NUL, too.
  const std::string text(trigger);
  if (::write(fd.get(), text.c_str(), text.size() + 1) < 0) return Failed(path);
  return fd;
}

absl::StatusOr<UniqueFd> OpenEvents(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Failed(path);
  return fd;
}

// cgroup-v1/memory.rst, "Memory Pressure".
absl::StatusOr<UniqueFd> OpenLevel(const std::string& group, absl::string_view level) {
  UniqueFd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const std::string path = group + "/memory.pressure_level";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!event || !file) return Failed(path);
  const std::string control_path = group + "/cgroup.event_control";
  const UniqueFd control(::open(control_path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string order = absl::StrCat(event.get(), " ", file.get(), " ", level);
  if (!control || ::write(control.get(), order.data(), order.size()) < 0)
    return Failed(control_path);
  return event;
}

void Add(PressureTriggers& triggers, Kind kind, PressureLevel level, std::string name,
         absl::StatusOr<UniqueFd> fd) {
  if (fd.ok())
    triggers.triggers.push_back({kind, *std::move(fd), level, std::move(name)});
  else
    triggers.missing.push_back(std::string(fd.status().message()));
}

void AddStalls(PressureTriggers& triggers, const std::string& path) {
  absl::StatusOr<UniqueFd> some = OpenStall(path, kSomeStall);
  if (!some.ok()) {
    triggers.missing.push_back(std::string(some.status().message()));
    return;
  }
  Add(triggers, Kind::kStall, PressureLevel::kSome, absl::StrCat(path, " some"), std::move(some));
  Add(triggers, Kind::kStall, PressureLevel::kHigh, absl::StrCat(path, " full"),
      OpenStall(path, kFullStall));
}

void AddGroup(PressureTriggers& triggers, const CgroupPlace& place) {
  // The root of a version 2 hierarchy has neither limits nor events.
  if (place.version == CgroupPlace::Version::kV2 && place.group != place.mount) {
    const std::string path = place.group + "/memory.events";
    Add(triggers, Kind::kEvents, PressureLevel::kSome, path, OpenEvents(path));
  }
  if (place.version == CgroupPlace::Version::kV1) {
    for (const auto& [level, meaning] :
         {std::pair("medium", PressureLevel::kSome), std::pair("critical", PressureLevel::kHigh)})
      Add(triggers, Kind::kEventFd, meaning, absl::StrCat(place.group, " ", level),
          OpenLevel(place.group, level));
  }
}

std::vector<std::string> StallPaths(const std::string& root, const CgroupPlace& place) {
  std::vector<std::string> paths = {root + "/proc/pressure/memory"};
  if (!place.unified_group.empty()) paths.push_back(place.unified_group + "/memory.pressure");
  return paths;
}

}  // namespace

short PressureTrigger::poll_events() const { return kind == Kind::kEventFd ? POLLIN : POLLPRI; }

PressureTriggers OpenPressureTriggers(const std::string& root, const CgroupPlace& place) {
  PressureTriggers triggers;
  for (const std::string& path : StallPaths(root, place)) AddStalls(triggers, path);
  AddGroup(triggers, place);
  return triggers;
}

PressureTriggers OpenPressureTriggers(const std::string& root) {
  return OpenPressureTriggers(root, FindCgroup(root));
}

std::vector<UniqueFd> OpenStallTriggers(const std::string& root) {
  PressureTriggers triggers;
  for (const std::string& path : StallPaths(root, FindCgroup(root))) AddStalls(triggers, path);
  std::vector<UniqueFd> descriptors;
  for (PressureTrigger& trigger : triggers.triggers) descriptors.push_back(std::move(trigger.fd));
  return descriptors;
}

MemoryEvents ParseMemoryEvents(absl::string_view text) {
  MemoryEvents events;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> item =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    std::uint64_t value;
    if (!absl::SimpleAtoi(item.second, &value)) continue;
    if (item.first == "high") events.high = value;
    if (item.first == "max") events.max = value;
    if (item.first == "oom") events.oom = value;
  }
  return events;
}

PressureLevel LevelOf(const MemoryEvents& before, const MemoryEvents& now) {
  if (now.oom > before.oom) return PressureLevel::kHigh;
  if (now.max > before.max || now.high > before.high) return PressureLevel::kSome;
  return PressureLevel::kNone;
}

}  // namespace lethe
