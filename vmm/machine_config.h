#ifndef LETHE_VMM_MACHINE_CONFIG_H_
#define LETHE_VMM_MACHINE_CONFIG_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "pv/destroy_policy.h"
#include "vmm/guest_memory.h"
#include "vmm/shutdown.h"

namespace lethe::vmm {

struct BootConfig {
  // Exactly one of the two names a file.
  std::string kernel;           // Linux image or ELF64 program for s390x
  std::string protected_image;  // Secure Execution image
  std::string initrd;           // with kernel only
  std::string command_line;     // with kernel only
};

struct ConsoleConfig {
  enum class Kind { kNone, kStandardStreams, kFile };
  Kind kind = Kind::kStandardStreams;
  std::string path;  // kFile: output goes there, there is no input
};

// All that describes a machine. Filled by the command line or a client, checked by Validate()
// before any resource is opened.
struct MachineConfig {
  std::string name = "lethe";
  std::array<std::uint8_t, 16> uuid{};
  std::uint64_t memory_size = std::uint64_t{1} << 30;  // bytes
  MemoryBacking memory_backing = MemoryBacking::kPrivate;
  unsigned cpus = 1;
  BootConfig boot;
  ConsoleConfig console;
  DestroyPolicy destroy;  // of protected guests
  CleanerOptions cleaner;
  ReaperConfig reaper;
};

inline constexpr unsigned kMaximumCpus = 248;  // the slots of an extended system control area
inline constexpr std::uint64_t kMinimumMemory = std::uint64_t{16} << 20;
inline constexpr std::uint64_t kMaximumMemory = std::uint64_t{1} << 43;

// What is wrong with the configuration, as one line for its author; says what would be accepted.
// Does not look at files.
absl::Status Validate(const MachineConfig& config);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_CONFIG_H_
