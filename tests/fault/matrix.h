#ifndef LETHE_TESTS_FAULT_MATRIX_H_
#define LETHE_TESTS_FAULT_MATRIX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "tests/fault/life.h"

namespace lethe::fault {

// One fault in one life.
struct FaultCase {
  const LifeKind* kind;
  Trouble trouble;
  std::vector<Ending> endings;  // those that are right
  // How often a CPU enters the guest, or the kernel finds a page that it has to make accessible,
  // depends on who is faster: the call may not be reached.
  bool may_miss() const {
    if (trouble.fault) return trouble.fault->call->request == abi::KVM_RUN;
    return trouble.uvc_fault->call == emulated::Uvc::kPinShared ||
           trouble.uvc_fault->call == emulated::Uvc::kConvertFromSecure;
  }

  // Does the VMM's message say what has failed and why?
  bool IsClear(const std::string& message) const;

  // Has the guest received the answer that the architecture has for it?
  bool IsAnswer(const std::string& message) const;

  // "protected, lazy: KVM_PV_VERIFY, 2nd call, EINVAL, rc 0x8003, sticks".
  std::string Name() const;
};

// Every recorded call of the kernel in a life, failing in each of the ways that FailuresOf() has
// for it, once and from then on; and those of the Ultravisor, the first and last of each kind.
// Calls without a row there are added to `unknown`.
std::vector<FaultCase> CasesOf(const LifeKind& kind, const LifeRecord& record,
                               std::vector<std::string>& unknown);

// `size` of them, chosen by `seed`: at least one of each kind of call and failure, if they fit in.
std::vector<FaultCase> Sample(std::vector<FaultCase> cases, std::size_t size, std::uint32_t seed);

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_MATRIX_H_
