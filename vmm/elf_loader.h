#ifndef LETHE_VMM_ELF_LOADER_H_
#define LETHE_VMM_ELF_LOADER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "vmm/boot_file.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

struct ElfProgram {
  std::uint64_t entry;  // where the program starts
  std::uint64_t end;    // one past its highest loaded byte
};

// Whether the file says that it is ELF, of whatever kind.
bool IsElf(const BootFile& file);

// Loads the segments of an ELF64 executable for s390x to their physical addresses and clears what
// the file does not fill. Errors name the file and what is wrong with it.
absl::StatusOr<ElfProgram> LoadElf(const BootFile& file, GuestMemory& memory);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_ELF_LOADER_H_
