#ifndef LETHE_VMM_MONITOR_FAKE_MACHINE_CONTROL_H_
#define LETHE_VMM_MONITOR_FAKE_MACHINE_CONTROL_H_

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "vmm/machine_control.h"

namespace lethe::vmm {

// A machine that does nothing but note its orders, for tests.
class FakeMachineControl : public MachineControl {
 public:
  RunState run_state() const override {
    std::lock_guard lock(mutex_);
    return state_;
  }
  std::string name() const override { return "fake"; }
  std::string uuid() const override { return "6ba7b810-9dad-41d1-80b4-00c04fd430c8"; }
  absl::Status Pause() override { return Note("pause", RunState::kPaused); }
  absl::Status Continue() override { return Note("continue", RunState::kRunning); }
  absl::Status Reset(Cause cause) override { return Note("reset " + Name(cause), run_state()); }
  absl::Status RequestPowerDown() override { return Note("power-down", run_state()); }
  void End(Cause cause) override { Note("end " + Name(cause), RunState::kShutdown).IgnoreError(); }

  std::vector<std::string> orders() const {
    std::lock_guard lock(mutex_);
    return orders_;
  }
  void set_state(RunState state) {
    std::lock_guard lock(mutex_);
    state_ = state;
  }
  void set_answer(absl::Status answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  std::function<void(const std::string&)> on_order = [](const std::string&) {};

 private:
  static std::string Name(Cause cause) { return std::string(CauseName(cause)); }
  absl::Status Note(const std::string& order, RunState next) {
    on_order(order);
    std::lock_guard lock(mutex_);
    orders_.push_back(order);
    if (answer_.ok()) state_ = next;
    return answer_;
  }

  mutable std::mutex mutex_;
  RunState state_ = RunState::kRunning;
  absl::Status answer_;  // to all orders
  std::vector<std::string> orders_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_FAKE_MACHINE_CONTROL_H_
