#include "pv/thread_priority.h"

#include <sched.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lethe {

absl::Status SetIdleClass(pid_t thread, bool idle) {
  const sched_param parameters{};
  if (sched_setscheduler(thread, idle ? SCHED_IDLE : SCHED_OTHER, &parameters) == 0)
    return absl::OkStatus();
  return absl::ErrnoToStatus(errno, idle ? "scheduling class idle" : "scheduling class normal");
}

bool MayLeaveIdleClass() {
  bool may = false;
  std::thread([&may] { may = SetIdleClass(0, true).ok() && SetIdleClass(0, false).ok(); }).join();
  return may;
}

absl::Status SetAffinity(pid_t thread, const std::vector<unsigned>& cpus) {
  if (cpus.empty()) return absl::OkStatus();
  cpu_set_t set;
  CPU_ZERO(&set);
  for (unsigned cpu : cpus) CPU_SET(cpu, &set);  // ignores those that the set has no room for
  if (sched_setaffinity(thread, sizeof(set), &set) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "CPU affinity");
}

absl::StatusOr<std::vector<unsigned>> ParseCpuList(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "CPU list \"", text, "\": expected numbers below ", CPU_SETSIZE, " and ranges, as in 0-3,7"));
  std::vector<unsigned> cpus;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(item, absl::MaxSplits('-', 1));
    unsigned first;
    if (!absl::SimpleAtoi(ends.first, &first)) return bad;
    unsigned last = first;
    if (item != ends.first && !absl::SimpleAtoi(ends.second, &last)) return bad;
    if (first > last || last >= CPU_SETSIZE) return bad;
    for (unsigned cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace lethe
