#ifndef LETHE_PRELOAD_EMULATED_MACHINE_H_
#define LETHE_PRELOAD_EMULATED_MACHINE_H_

#include <sys/types.h>

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "emulated-host/kvm/emulated_kernel.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "image/host_key.h"
#include "preload/settings.h"

namespace lethe::preload {

// The emulated IBM Z host inside of one client process: host key, Ultravisor, kernel.
class EmulatedMachine {
 public:
  // `on_descriptor`: see EmulatedKernelOptions.
  static absl::StatusOr<std::unique_ptr<EmulatedMachine>> Make(
      const Settings& settings, std::function<void(int fd)> on_descriptor);

  emulated::EmulatedKernel& kernel() { return *kernel_; }
  // The process that it was made in. A child has a copy of the memory but none of the threads, so
  // that nothing may be done with the copy; Linux refuses a child its parent's machines as well.
  pid_t process() const { return process_; }

 private:
  EmulatedMachine(HostKey host_key, const Settings& settings,
                  std::function<void(int fd)> on_descriptor);

  const pid_t process_;
  // Order matters: the kernel uses the Ultravisor, which uses the key.
  HostKey host_key_;
  std::unique_ptr<emulated::Ultravisor> ultravisor_;
  std::unique_ptr<emulated::EmulatedKernel> kernel_;
};

}  // namespace lethe::preload

#endif  // LETHE_PRELOAD_EMULATED_MACHINE_H_
