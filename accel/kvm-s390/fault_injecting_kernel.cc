#include "accel/kvm-s390/fault_injecting_kernel.h"

#include "accel/kvm-s390/abi.h"

namespace lethe::kvm {
namespace {

bool Matches(const Fault& fault, unsigned long request, std::uintptr_t argument) {
  if (fault.request != request) return false;
  if (!fault.pv_command) return true;
  return reinterpret_cast<const abi::kvm_pv_cmd*>(argument)->cmd == *fault.pv_command;
}

}  // namespace

void FaultInjectingKernel::Inject(const Fault& fault) {
  std::lock_guard lock(mutex_);
  rules_.push_back({fault});
}

void FaultInjectingKernel::Clear() {
  std::lock_guard lock(mutex_);
  rules_.clear();
}

unsigned FaultInjectingKernel::injected() const {
  std::lock_guard lock(mutex_);
  return injected_;
}

std::optional<Fault> FaultInjectingKernel::Strike(unsigned long request, std::uintptr_t argument) {
  std::lock_guard lock(mutex_);
  for (Rule& rule : rules_) {
    if (!Matches(rule.fault, request, argument)) continue;
    ++rule.seen;
    if (rule.fault.occurrence != 0 && rule.fault.occurrence != rule.seen) continue;
    ++injected_;
    return rule.fault;
  }
  return std::nullopt;
}

int FaultInjectingKernel::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  const std::optional<Fault> fault = Strike(request, argument);
  if (!fault) return wrapped_.Ioctl(fd, request, argument);
  if (request == abi::KVM_S390_PV_COMMAND && (fault->rc != 0 || fault->rrc != 0)) {
    auto& command = *reinterpret_cast<abi::kvm_pv_cmd*>(argument);
    command.rc = fault->rc;
    command.rrc = fault->rrc;
  }
  return -fault->error;
}

}  // namespace lethe::kvm
