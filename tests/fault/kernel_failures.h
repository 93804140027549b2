#ifndef LETHE_TESTS_FAULT_KERNEL_FAILURES_H_
#define LETHE_TESTS_FAULT_KERNEL_FAILURES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "accel/kvm-s390/kernel_call.h"
#include "emulated-host/ultravisor/uvc.h"
#include "tests/fault/life.h"

namespace lethe::fault {

// Return code and reason code of the Ultravisor.
struct Refusal {
  std::uint16_t rc = 0;
  std::uint16_t rrc = 0;
};

// One way in which the kernel fails a call.
struct KernelFailure {
  int error = 0;  // errno value; 0: the call succeeds with `result`
  int result = 0;
  Refusal refusal = {};
  bool passes = false;      // the next attempt succeeds: a signal, a lock that was taken
  bool afterwards = false;  // the call was carried out and its answer could not be delivered
};

// How a call fails, and what that may come to.
struct FailingCall {
  std::vector<KernelFailure> failures;
  absl::Span<const Ending> endings = {};
};

// All failures of `call` that Linux's source and documents have (virt/kvm/kvm_main.c,
// arch/s390/kvm/, Documentation/virt/kvm/api.rst, .../s390/s390-pv.rst); no value: a call that is
// not known here.
std::optional<FailingCall> FailuresOf(const kvm::KernelCall& call);

// How the Ultravisor refuses a call, or is busy with it, and what that may come to.
struct FailingUvc {
  std::vector<emulated::UvcResult> refusals;
  std::vector<emulated::UvcResult> passing;  // the kernel asks again
  absl::Span<const Ending> endings = {};
};
FailingUvc FailuresOf(emulated::Uvc call);

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_KERNEL_FAILURES_H_
