#ifndef LETHE_VMM_LINUX_IMAGE_H_
#define LETHE_VMM_LINUX_IMAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vmm/boot_file.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

inline constexpr std::uint64_t kLinuxEntry = 0x10000;

// Loads a Linux kernel image (vmlinuz: what is loaded at absolute 0) and returns its end. Errors
// name the file and what is wrong with it.
absl::StatusOr<std::uint64_t> LoadLinuxImage(const BootFile& file, GuestMemory& memory);

// Loads an initial RAM disk behind a kernel that ends at `kernel_end`, and tells the kernel's
// parameter area about it.
absl::Status LoadInitrd(const BootFile& file, std::uint64_t kernel_end, GuestMemory& memory);

// Writes the command line into the parameter area of a loaded kernel. Error: longer than the
// kernel takes.
absl::Status WriteCommandLine(const std::string& command_line, GuestMemory& memory);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_LINUX_IMAGE_H_
