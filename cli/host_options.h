#ifndef LETHE_CLI_HOST_OPTIONS_H_
#define LETHE_CLI_HOST_OPTIONS_H_

#include <chrono>
#include <string>

namespace CLI {
class App;
}

namespace lethe {

// Which host runs the guest.
enum class Accelerator { kAuto, kKvm, kEmulated };

struct HostOptions {
  Accelerator accelerator = Accelerator::kAuto;
  std::chrono::nanoseconds uvc_cost{0};     // of the emulated host's Ultravisor calls
  std::chrono::nanoseconds export_cost{0};  // of those that encrypt a page; 0: as the others
  bool destroy_fast = true;                 // the emulated Ultravisor offers destroy fast
  bool asynchronous_destroy = true;         // the emulated kernel's module parameter
  std::string host_key;                     // private key file; empty: the user's own
};

void AddHostOptions(CLI::App& command, HostOptions& host);
// All but the choice of the host.
void AddEmulatedHostOptions(CLI::App& command, HostOptions& host);

}  // namespace lethe

#endif  // LETHE_CLI_HOST_OPTIONS_H_
