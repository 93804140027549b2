#ifndef LETHE_EMULATED_HOST_KVM_EXECUTION_GATE_H_
#define LETHE_EMULATED_HOST_KVM_EXECUTION_GATE_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace lethe::emulated {

// Lets one thread change what all CPUs of a machine look up without a lock (the storage slots)
// while none of them is between Enter() and Leave().
class ExecutionGate {
 public:
  // A CPU is about to execute; waits while the gate is closed.
  void Enter();
  void Leave();
  // For a CPU that is inside: somebody waits for it to leave.
  bool closing() const { return closed_.load(std::memory_order_relaxed); }

  // Runs `change` with all CPUs outside. `call_out` asks those inside to leave soon. Callers
  // serialize themselves; never called by a CPU that is inside.
  void RunAlone(const std::function<void()>& call_out, const std::function<void()>& change);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> closed_{false};
  int inside_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_EXECUTION_GATE_H_
