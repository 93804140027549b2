#include "emulated-host/kvm/execution_gate.h"

namespace lethe::emulated {

void ExecutionGate::Enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !closed_; });
  ++inside_;
}

void ExecutionGate::Leave() {
  const std::lock_guard lock(mutex_);
  if (--inside_ == 0) changed_.notify_all();
}

void ExecutionGate::RunAlone(const std::function<void()>& call_out,
                             const std::function<void()>& change) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  call_out();
  changed_.wait(lock, [this] { return inside_ == 0; });
  change();
  closed_ = false;
  changed_.notify_all();
}

}  // namespace lethe::emulated
