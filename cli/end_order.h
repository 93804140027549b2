#ifndef LETHE_CLI_END_ORDER_H_
#define LETHE_CLI_END_ORDER_H_

#include <mutex>

#include "vmm/machine.h"

namespace lethe {

// The order from outside to end the guest, from the moment signals are claimed on: it may come
// before there is a machine. Thread-safe.
class EndOrder {
 public:
  void Give() {
    std::lock_guard lock(mutex_);
    given_ = true;
    if (machine_ != nullptr) machine_->End(vmm::Cause::kSignal);
  }
  // An order that came before is passed on now.
  void Serve(vmm::Machine& machine) {
    std::lock_guard lock(mutex_);
    machine_ = &machine;
    if (given_) machine_->End(vmm::Cause::kSignal);
  }
  bool given() const {
    std::lock_guard lock(mutex_);
    return given_;
  }

 private:
  mutable std::mutex mutex_;
  bool given_ = false;
  vmm::Machine* machine_ = nullptr;
};

}  // namespace lethe

#endif  // LETHE_CLI_END_ORDER_H_
