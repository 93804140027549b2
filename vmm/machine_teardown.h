#ifndef LETHE_VMM_MACHINE_TEARDOWN_H_
#define LETHE_VMM_MACHINE_TEARDOWN_H_

#include "vmm/machine.h"
#include "vmm/monitor/teardown_control.h"

namespace lethe::vmm {

// How a machine gets rid of its guest's lives, for its monitor.
class MachineTeardown : public TeardownControl {
 public:
  // `machine`, on a host that has protected guests, outlives this.
  explicit MachineTeardown(Machine& machine) : machine_(machine) {}

  DestroyPolicy policy() const override;
  void SetPolicy(const DestroyPolicy& policy) override;
  TeardownStatus status() const override;

 private:
  Machine& machine_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_TEARDOWN_H_
