#ifndef LETHE_PV_AVAILABLE_MEMORY_H_
#define LETHE_PV_AVAILABLE_MEMORY_H_

#include <optional>

#include "pv/cgroup_memory.h"
#include "pv/host_memory.h"
#include "pv/ledger/admission.h"

namespace lethe {

// How much memory a new guest of this process can have: what the host has available, or less if a
// control group leaves less. No value: neither can be learnt.
std::optional<AvailableMemory> FindAvailableMemory(const HostMemory& host,
                                                   const CgroupMemory& cgroup);

}  // namespace lethe

#endif  // LETHE_PV_AVAILABLE_MEMORY_H_
