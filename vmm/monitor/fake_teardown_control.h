#ifndef LETHE_VMM_MONITOR_FAKE_TEARDOWN_CONTROL_H_
#define LETHE_VMM_MONITOR_FAKE_TEARDOWN_CONTROL_H_

#include "vmm/monitor/teardown_control.h"

namespace lethe::vmm {

// For tests, from one thread.
class FakeTeardownControl : public TeardownControl {
 public:
  DestroyPolicy policy() const override { return current_policy; }
  void SetPolicy(const DestroyPolicy& policy) override { current_policy = policy; }
  TeardownStatus status() const override { return current_status; }

  DestroyPolicy current_policy;
  TeardownStatus current_status;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_FAKE_TEARDOWN_CONTROL_H_
