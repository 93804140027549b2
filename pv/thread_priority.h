#ifndef LETHE_PV_THREAD_PRIORITY_H_
#define LETHE_PV_THREAD_PRIORITY_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lethe {

// How and where one thread of this process is scheduled (sched(7)). `thread` is a thread id of the
// kernel; 0 is the caller.

// To the scheduling class for work that should only use otherwise idle CPUs, or back to the normal
// one. Back needs CAP_SYS_NICE or an RLIMIT_NICE that allows the thread's nice value.
absl::Status SetIdleClass(pid_t thread, bool idle);

// Whether the second is allowed to this process: tried on a thread of its own.
bool MayLeaveIdleClass();

// Confines a thread to CPUs; nothing is done if there are none in the list.
absl::Status SetAffinity(pid_t thread, const std::vector<unsigned>& cpus);

// "0-3,7". Errors are one line for the user.
absl::StatusOr<std::vector<unsigned>> ParseCpuList(absl::string_view text);

}  // namespace lethe

#endif  // LETHE_PV_THREAD_PRIORITY_H_
