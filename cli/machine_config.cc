#include "cli/machine_config.h"

#include <string>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/uuid.h"
#include "cli/process_arguments.h"

namespace lethe {
namespace {

vmm::ConsoleConfig ConsoleOf(absl::string_view text) {
  vmm::ConsoleConfig console;
  if (text == "none") {
    console.kind = vmm::ConsoleConfig::Kind::kNone;
  } else if (absl::ConsumePrefix(&text, "file:")) {
    console.kind = vmm::ConsoleConfig::Kind::kFile;
    console.path = std::string(text);
  }
  return console;
}

}  // namespace

AdmissionRequest AdmissionRequestOf(const RunOptions& options) {
  const AdmissionOptions& admission = options.admission;
  return {admission.mode, admission.need != 0 ? admission.need : options.memory,
          admission.patience};
}

vmm::MachineConfig MachineConfigOf(const RunOptions& options, const GuestHost& host) {
  vmm::MachineConfig config;
  config.name = options.name;
  config.uuid = options.uuid.value_or(RandomUuid());
  config.memory_size = options.memory;
  // The emulated host needs memory that it can map a second time.
  config.memory_backing =
      host.emulated() ? vmm::MemoryBacking::kShared : vmm::MemoryBacking::kPrivate;
  config.cpus = static_cast<unsigned>(options.cpus);
  config.boot.kernel = options.kernel;
  config.boot.protected_image = options.image;
  config.boot.initrd = options.initrd;
  config.boot.command_line = options.append;
  config.console = ConsoleOf(options.console);
  config.destroy = options.teardown.policy;
  config.cleaner = options.teardown.cleaner;
  config.reaper.wanted = options.teardown.reaper;
  config.reaper.priority = options.teardown.reaper_priority;
  config.reaper.cgroup = options.teardown.reaper_cgroup;
  config.reaper.arguments = ProcessArguments();
  return config;
}

}  // namespace lethe
