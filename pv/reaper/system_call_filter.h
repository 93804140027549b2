#ifndef LETHE_PV_REAPER_SYSTEM_CALL_FILTER_H_
#define LETHE_PV_REAPER_SYSTEM_CALL_FILTER_H_

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace lethe {

// A filter for seccomp(2) that lets the given system calls through, and of ioctl(2) only the given
// request; anything else, or a call of another architecture's numbering, kills the process.
// Linux, Documentation/userspace-api/seccomp_filter.rst.
std::vector<sock_filter> MakeSystemCallFilter(const std::vector<std::uint32_t>& allowed,
                                              std::uint32_t ioctl_request);

}  // namespace lethe

#endif  // LETHE_PV_REAPER_SYSTEM_CALL_FILTER_H_
