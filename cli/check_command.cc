#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/system.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/guest_host.h"

namespace lethe {
namespace {

struct Finding {
  std::string what;
  std::string found;
  std::string consequence;
};

std::string YesNo(bool value) { return value ? "yes" : "no"; }

Finding Kvm() {
  if (MachineHasKvm()) return {"KVM of this machine", "yes", "used by --accel auto"};
  return {"KVM of this machine", "no",
          "the emulated host is used (KVM for IBM Z needs an s390x machine and /dev/kvm)"};
}

Finding Protection(const kvm::Capabilities& capabilities, bool emulated) {
  if (capabilities.protected_guests)
    return {"protected guests", "yes", emulated ? "by the emulated Ultravisor" : "by the firmware"};
  return {"protected guests", "no",
          "ordinary guests only (no Secure Execution, or kernel parameter prot_virt=1 missing)"};
}

Finding LazyDestroy(const kvm::Capabilities& capabilities) {
  if (capabilities.protected_async_disable)
    return {"asynchronous destroy", "yes", "protected guests reboot lazily"};
  return {"asynchronous destroy", "no", "protected guests are destroyed in the foreground"};
}

Finding Concealed() {
  switch (emulated::AvailableConcealment()) {
    case emulated::Concealment::kComplete:
      return {"secure pages out of reach", "yes", "from Lethe and from system calls"};
    case emulated::Concealment::kUserMode:
      return {"secure pages out of reach", "partly",
              "from Lethe; system calls on them fail (no privilege for userfaultfd)"};
    case emulated::Concealment::kNone:
      break;
  }
  return {"secure pages out of reach", "no", "this kernel has no userfaultfd for shared memory"};
}

Finding Pressure() {
  const char* const path = "/proc/pressure/memory";
  if (::access(path, R_OK) == 0)
    return {"memory pressure interface", "yes", absl::StrCat(path, " is read at each reboot")};
  return {"memory pressure interface", "no", "memory is judged by MemAvailable alone"};
}

void Print(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings)
    std::cout << absl::StrFormat("%-26s %-7s %s\n", finding.what, finding.found,
                                 finding.consequence);
}

}  // namespace

absl::StatusOr<ExitStatus> Check(const CheckOptions& options) {
  LETHE_ASSIGN_OR_RETURN(auto host, GuestHost::Open(options.host, Log::Silent()));
  LETHE_ASSIGN_OR_RETURN(const kvm::System system, kvm::System::Open(host->kernel()));
  const kvm::Capabilities& capabilities = system.capabilities();
  std::vector<Finding> findings = {
      Kvm(),
      {"host that runs guests", host->emulated() ? "emulated" : "KVM",
       absl::StrCat("up to ", capabilities.max_vcpus, " CPUs a guest")},
      Protection(capabilities, host->emulated()),
      LazyDestroy(capabilities),
  };
  if (host->emulated()) findings.push_back(Concealed());
  findings.push_back(Pressure());
  findings.push_back(
      {"vector facility", YesNo(capabilities.vector_registers),
       capabilities.vector_registers ? "offered to guests" : "guests do without it"});
  Print(findings);
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
