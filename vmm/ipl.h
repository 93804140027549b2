#ifndef LETHE_VMM_IPL_H_
#define LETHE_VMM_IPL_H_

#include "absl/status/statusor.h"
#include "vmm/guest_memory.h"
#include "vmm/machine_config.h"
#include "vmm/outcome.h"

namespace lethe::vmm {

// The PSW that a short-format one (the eight bytes at absolute 0) stands for.
Psw ExpandShortPsw(std::uint64_t word);

// Initial program load: puts the configured files into guest memory, all of them below 2 GiB, and
// returns the PSW with which the first CPU starts. Reads the files anew each time, so a machine
// can be loaded again. Errors name the file and what is wrong with it.
absl::StatusOr<Psw> LoadBootFiles(const BootConfig& boot, GuestMemory& memory);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_IPL_H_
