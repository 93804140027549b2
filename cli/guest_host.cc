#include "cli/guest_host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "accel/kvm-s390/linux_kernel.h"
#include "base/status_macros.h"
#include "emulated-host/kvm/emulated_kernel.h"

namespace lethe {
namespace {

bool IsZ() {
  utsname machine;
  return ::uname(&machine) == 0 && absl::string_view(machine.machine) == "s390x";
}

constexpr char kDevice[] = "/dev/kvm";

// Someone on an IBM Z machine who did not ask for the emulated host expects the machine's KVM.
void TellWhyEmulated(const Log& log) {
  if (!IsZ() || ::access(kDevice, R_OK | W_OK) == 0) return;
  const std::string reason = absl::ErrnoToStatus(errno, kDevice).ToString();
  log.Warning(absl::StrCat("the emulated host runs the guest: ", reason));
}

}  // namespace

bool MachineHasKvm() { return IsZ() && ::access(kDevice, R_OK | W_OK) == 0; }

absl::StatusOr<std::unique_ptr<GuestHost>> GuestHost::Open(const HostOptions& options, Log log) {
  std::unique_ptr<GuestHost> host(new GuestHost());
  if (options.accelerator == Accelerator::kKvm && !IsZ())
    return absl::FailedPreconditionError(
        "--accel kvm needs an IBM Z (s390x) machine; --accel emulated runs anywhere");
  if (options.accelerator == Accelerator::kKvm ||
      (options.accelerator == Accelerator::kAuto && MachineHasKvm())) {
    LETHE_ASSIGN_OR_RETURN(host->kernel_, kvm::LinuxKernel::Create());
    return host;
  }
  if (options.accelerator == Accelerator::kAuto) TellWhyEmulated(log);
  std::string key_path = options.host_key;
  if (key_path.empty()) {
    LETHE_ASSIGN_OR_RETURN(key_path, DefaultHostKeyPath());
  }
  LETHE_ASSIGN_OR_RETURN(host->host_key_, OpenOrCreateHostKey(key_path));
  emulated::UltravisorFeatures features;
  features.destroy_fast = options.destroy_fast;
  host->ultravisor_ = std::make_unique<emulated::Ultravisor>(*host->host_key_, features);
  host->ultravisor_->SetCost(options.uvc_cost);
  if (options.export_cost.count() > 0)
    host->ultravisor_->SetCost(emulated::Uvc::kConvertFromSecure, options.export_cost);
  emulated::EmulatedKernelOptions kernel_options;
  kernel_options.ultravisor = host->ultravisor_.get();
  kernel_options.asynchronous_destroy = options.asynchronous_destroy;
  kernel_options.log = std::move(log);
  host->kernel_ = std::make_unique<emulated::EmulatedKernel>(std::move(kernel_options));
  return host;
}

}  // namespace lethe
