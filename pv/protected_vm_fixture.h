#ifndef LETHE_PV_PROTECTED_VM_FIXTURE_H_
#define LETHE_PV_PROTECTED_VM_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"
#include "pv/event_recorder.h"

namespace lethe {

// A VM with two vCPUs on a kernel that is scripted and fails on demand.
class ProtectedVmFixture : public ::testing::Test {
 protected:
  ProtectedVmFixture() {
    absl::StatusOr<kvm::System> system = kvm::System::Open(faults_);
    EXPECT_THAT(system, IsOk());
    absl::StatusOr<kvm::Vm> vm = system->CreateVm();
    EXPECT_THAT(vm, IsOk());
    vm_.emplace(*std::move(vm));
    for (unsigned address : {0u, 1u}) {
      absl::StatusOr<std::unique_ptr<kvm::Vcpu>> vcpu = vm_->CreateVcpu(address);
      EXPECT_THAT(vcpu, IsOk());
      vcpus_.push_back(*std::move(vcpu));
    }
  }

  kvm::VcpuState StateOf(unsigned cpu) { return vcpus_[cpu]->State().value(); }

  kvm::FakeKernel kernel_;
  kvm::FaultInjectingKernel faults_{kernel_};
  std::optional<kvm::Vm> vm_;
  std::vector<std::unique_ptr<kvm::Vcpu>> vcpus_;
  EventRecorder events_;
};

}  // namespace lethe

#endif  // LETHE_PV_PROTECTED_VM_FIXTURE_H_
