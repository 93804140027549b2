#include "vmm/machine_config.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

absl::Status ValidateMemory(std::uint64_t size) {
  if (size % kMemoryIncrement != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("memory size ", size, " is not a multiple of 1 MiB"));
  if (size < kMinimumMemory || size > kMaximumMemory)
    return absl::InvalidArgumentError(absl::StrCat("memory size ", size >> 20,
                                                   " MiB is out of range: ", kMinimumMemory >> 20,
                                                   " MiB to ", kMaximumMemory >> 40, " TiB"));
  return absl::OkStatus();
}

absl::Status ValidateBoot(const BootConfig& boot) {
  if (boot.kernel.empty() && boot.protected_image.empty())
    return absl::InvalidArgumentError("nothing to boot: give a kernel or a protected image");
  if (!boot.kernel.empty() && !boot.protected_image.empty())
    return absl::InvalidArgumentError("give a kernel or a protected image, not both");
  if (boot.kernel.empty() && !boot.initrd.empty())
    return absl::InvalidArgumentError(
        "an initrd goes with a kernel; a protected image carries its own");
  if (boot.kernel.empty() && !boot.command_line.empty())
    return absl::InvalidArgumentError(
        "a command line goes with a kernel; a protected image carries its own");
  if (boot.command_line.find('\0') != std::string::npos)
    return absl::InvalidArgumentError("the command line holds a zero byte");
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const MachineConfig& config) {
  LETHE_RETURN_IF_ERROR(ValidateMemory(config.memory_size));
  if (config.cpus < 1 || config.cpus > kMaximumCpus)
    return absl::InvalidArgumentError(
        absl::StrCat("number of CPUs ", config.cpus, " is out of range: 1 to ", kMaximumCpus));
  LETHE_RETURN_IF_ERROR(ValidateBoot(config.boot));
  if (config.name.empty() || config.name.size() > 255)
    return absl::InvalidArgumentError("the guest's name must have 1 to 255 bytes");
  if (config.console.kind == ConsoleConfig::Kind::kFile && config.console.path.empty())
    return absl::InvalidArgumentError("a console file needs a path");
  return absl::OkStatus();
}

}  // namespace lethe::vmm
