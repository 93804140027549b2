#ifndef LETHE_ACCEL_KVM_S390_PV_COMMAND_H_
#define LETHE_ACCEL_KVM_S390_PV_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/descriptor.h"

namespace lethe::kvm {

class Vm;

// A PV command fails in two ways at once: the system call has an errno value, and the Ultravisor
// leaves a return code and a return reason code. rc is 0 when no Ultravisor call was made.
struct PvResult {
  std::uint32_t command = 0;  // abi::KVM_PV_*
  int error = 0;              // errno value; 0: success
  std::uint16_t rc = 0;
  std::uint16_t rrc = 0;

  bool ok() const { return error == 0; }
  // "KVM_PV_UNPACK: ... (rc 0x0102, rrc 0x001b)"
  absl::Status ToStatus() const;
};

// "KVM_PV_ENABLE" for abi::KVM_PV_ENABLE, and so on.
absl::string_view PvCommandName(std::uint32_t command);

// The PV commands of one VM (KVM_S390_PV_COMMAND); needs abi::KVM_CAP_S390_PROTECTED. Calls may
// come from any thread. Enable, Disable and PrepareCleanup wait, uninterruptibly, until every vCPU
// has left Vcpu::Enter(): kick them out first. The first command of any kind hands the control of
// CPU states to user space, as Vcpu::SetState does.
class PvCommand {
 public:
  // `vm` must outlive this and stay where it is.
  explicit PvCommand(const Vm& vm);

  // Creates the secure configuration and a secure CPU per vCPU.
  PvResult Enable() const;
  // Destroys secure CPUs, the configuration, a set-aside one if there is one, and all secure pages.
  PvResult Disable() const;
  // `header` is the Secure Execution header, copied from guest storage.
  PvResult SetSecureParameters(absl::Span<const std::uint8_t> header) const;
  // Imports and decrypts a component in place. `address` is guest absolute; both page multiples.
  PvResult Unpack(std::uint64_t address, std::uint64_t size, std::uint64_t tweak) const;
  PvResult Verify() const;
  PvResult UnshareAll() const;
  PvResult PrepareReset() const;
  PvResult Information(abi::kvm_s390_pv_info& information) const;  // `header` filled by the caller

  // Lazy destroy (Linux 6.2; abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE). PrepareCleanup destroys
  // the secure CPUs and the lower 2 GiB and sets the rest aside; after any failure of it only
  // Disable leads on. PerformCleanup cleans what was set aside, for as long as that takes; EINVAL:
  // nothing is.
  PvResult PrepareCleanup() const;
  PvResult PerformCleanup() const;

 private:
  PvResult Issue(std::uint32_t command, const void* data = nullptr) const;

  const Descriptor* descriptor_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_PV_COMMAND_H_
