#ifndef LETHE_CLI_GUEST_HOST_H_
#define LETHE_CLI_GUEST_HOST_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "accel/kvm-s390/kernel.h"
#include "base/log.h"
#include "cli/host_options.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "image/host_key.h"

namespace lethe {

// The host that guests run on: the one place that decides what is below the kernel seam.
class GuestHost {
 public:
  // The machine's own KVM, or the emulated host with the given (or the user's own) host key.
  static absl::StatusOr<std::unique_ptr<GuestHost>> Open(const HostOptions& options, Log log);

  kvm::Kernel& kernel() { return *kernel_; }
  bool emulated() const { return ultravisor_ != nullptr; }
  // The emulated host's calls so far; null on a real host, which does not tell.
  const emulated::UvcCounters* ultravisor_calls() const {
    return ultravisor_ == nullptr ? nullptr : &ultravisor_->counters();
  }

 private:
  GuestHost() = default;

  // Order matters: the kernel uses the Ultravisor, which uses the key.
  std::optional<HostKey> host_key_;
  std::unique_ptr<emulated::Ultravisor> ultravisor_;
  std::unique_ptr<kvm::Kernel> kernel_;
};

// Is this process running on an IBM Z machine whose KVM it may use?
bool MachineHasKvm();

}  // namespace lethe

#endif  // LETHE_CLI_GUEST_HOST_H_
