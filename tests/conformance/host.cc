#include "tests/conformance/host.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/linux_kernel.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "emulated-host/kvm/emulated_kernel.h"

namespace lethe::conformance {
namespace {

absl::StatusOr<std::unique_ptr<kvm::Kernel>> MakeKernel(absl::string_view name) {
  if (name == "emulated")
    return std::make_unique<emulated::EmulatedKernel>(emulated::EmulatedKernelOptions{});
  if (name == "linux") {
    LETHE_ASSIGN_OR_RETURN(std::unique_ptr<kvm::Kernel> kernel, kvm::LinuxKernel::Create());
    return kernel;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--kernel=", name, ": there are emulated and linux"));
}

}  // namespace

std::unique_ptr<Host>& Host::Chosen() {
  static std::unique_ptr<Host> chosen;
  return chosen;
}

Host& Host::Get() {
  LETHE_CHECK(Chosen() != nullptr);
  return *Chosen();
}

absl::Status Host::Choose(absl::string_view name) {
  LETHE_CHECK(Chosen() == nullptr);
  LETHE_ASSIGN_OR_RETURN(std::unique_ptr<kvm::Kernel> kernel, MakeKernel(name));
  Chosen().reset(new Host(name, std::move(kernel)));
  return Chosen()->TryMachine();
}

absl::Status Host::TryMachine() {
  const int system = kernel_->Open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (system < 0) return absl::ErrnoToStatus(-system, "/dev/kvm");
  // A capability that KVM has on no other architecture.
  const bool right_architecture =
      kernel_->Ioctl(system, abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PSW) == 1;
  const int vm = kernel_->Ioctl(system, abi::KVM_CREATE_VM, 0);
  if (vm >= 0) kernel_->Close(vm);
  kernel_->Close(system);
  if (!right_architecture)
    return absl::FailedPreconditionError("/dev/kvm is not that of an IBM Z machine");
  if (vm < 0)
    return absl::ErrnoToStatus(-vm, "KVM_CREATE_VM (before Linux 7: is vm.allocate_pgste 1?)");
  return absl::OkStatus();
}

}  // namespace lethe::conformance
