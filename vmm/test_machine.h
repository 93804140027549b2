#ifndef LETHE_VMM_TEST_MACHINE_H_
#define LETHE_VMM_TEST_MACHINE_H_

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "accel/kvm-s390/fake_kernel.h"
#include "base/big_endian.h"
#include "base/log.h"
#include "pv/event_sink.h"
#include "vmm/machine.h"

namespace lethe::vmm {

// A machine on a KVM without guest: what the CPUs do is a script. Each step is one stay in the
// guest; it looks at registers and storage, changes them, and leaves for a reason.
class TestMachine : public EventSink {
 public:
  using Step = std::function<void(abi::kvm_run&)>;

  TestMachine() {
    kernel.on_run = [this](unsigned cpu, abi::kvm_run& run) { return Enter(cpu, run); };
    kernel.On(abi::KVM_S390_IRQ, [this](int, std::uintptr_t argument) {
      std::lock_guard lock(mutex_);
      interruptions_.push_back(*reinterpret_cast<const abi::kvm_s390_irq*>(argument));
      return 0;
    });
    kernel.On(abi::KVM_SET_DEVICE_ATTR, [this](int, std::uintptr_t argument) {
      const auto& attribute = *reinterpret_cast<const abi::kvm_device_attr*>(argument);
      std::lock_guard lock(mutex_);
      if (attribute.group == abi::KVM_DEV_FLIC_ENQUEUE && attribute.attr == 72)
        service_signals_.push_back(
            reinterpret_cast<const abi::kvm_s390_irq*>(attribute.addr)->u.ext.ext_params);
      return 0;
    });
    config.console.kind = ConsoleConfig::Kind::kNone;
  }

  // Adds a step to the script of a CPU.
  TestMachine& Do(unsigned cpu, Step step) {
    std::lock_guard lock(mutex_);
    steps_[cpu].push_back(std::move(step));
    return *this;
  }

  absl::StatusOr<Outcome> Run() {
    absl::StatusOr<std::unique_ptr<Machine>> created =
        Machine::Create(config, {kernel, log, *this});
    if (!created.ok()) return created.status();
    machine = std::move(*created);
    absl::StatusOr<Outcome> outcome = machine->Run();
    machine.reset();
    return outcome;
  }

  void Report(const Event& event) override {
    std::lock_guard lock(mutex_);
    events_.push_back(event.name);
    if (event.host_address) storage_ = reinterpret_cast<std::uint8_t*>(*event.host_address);
  }

  // What the guest sees: its storage, for steps only.
  std::uint8_t* storage() const { return storage_; }
  template <typename T>
  void Store(std::uint64_t address, const T& value) {
    std::memcpy(storage_ + address, &value, sizeof(value));
  }
  template <typename T>
  T Load(std::uint64_t address) const {
    T value;
    std::memcpy(&value, storage_ + address, sizeof(value));
    return value;
  }

  std::vector<std::string> events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<std::uint32_t> service_signals() const {
    std::lock_guard lock(mutex_);
    return service_signals_;
  }
  // Codes of the program interruptions injected so far.
  std::vector<unsigned> program_interruptions() const {
    std::lock_guard lock(mutex_);
    std::vector<unsigned> codes;
    for (const abi::kvm_s390_irq& interruption : interruptions_)
      if (interruption.type == abi::KVM_S390_PROGRAM_INT) codes.push_back(interruption.u.pgm.code);
    return codes;
  }
  bool Injected(std::uint64_t type) const {
    std::lock_guard lock(mutex_);
    for (const abi::kvm_s390_irq& interruption : interruptions_)
      if (interruption.type == type) return true;
    return false;
  }

  kvm::FakeKernel kernel;
  Log log = Log::Silent();
  MachineConfig config;
  std::unique_ptr<Machine> machine;

 private:
  int Enter(unsigned cpu, abi::kvm_run& run) {
    Step step;
    {
      std::lock_guard lock(mutex_);
      std::deque<Step>& script = steps_[cpu];
      if (!script.empty()) {
        step = std::move(script.front());
        script.pop_front();
      }
    }
    if (!step) {
      // The script is over: an enabled wait, from which only a kick leads.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return -EINTR;
    }
    step(run);
    return 0;
  }

  mutable std::mutex mutex_;
  std::map<unsigned, std::deque<Step>> steps_;
  std::vector<abi::kvm_s390_irq> interruptions_;
  std::vector<std::uint32_t> service_signals_;
  std::vector<std::string> events_;
  std::uint8_t* storage_ = nullptr;
};

// Reasons to leave the guest.
inline void LeaveWithIntercept(abi::kvm_run& run, std::uint8_t code, std::uint16_t ipa = 0,
                               std::uint32_t ipb = 0) {
  run.exit_reason = abi::KVM_EXIT_S390_SIEIC;
  run.s390_sieic = {code, ipa, ipb};
}
inline void LeaveWithInstruction(abi::kvm_run& run, std::uint16_t ipa, std::uint32_t ipb = 0) {
  LeaveWithIntercept(run, abi::ICPT_INST, ipa, ipb);
}
// DIAGNOSE r1,r3,code with the code as displacement.
inline void LeaveWithDiagnose(abi::kvm_run& run, unsigned r1, unsigned r3, std::uint16_t code) {
  LeaveWithInstruction(run, static_cast<std::uint16_t>(0x8300 | r1 << 4 | r3),
                       std::uint32_t{code} << 16);
}
// SIGNAL PROCESSOR r1,r3,order.
inline void LeaveWithSignal(abi::kvm_run& run, unsigned r1, unsigned r3, std::uint8_t order) {
  LeaveWithInstruction(run, static_cast<std::uint16_t>(0xae00 | r1 << 4 | r3),
                       std::uint32_t{order} << 16);
}
inline unsigned ConditionCode(const abi::kvm_run& run) { return (run.psw_mask >> 44) & 3; }
inline void PowerOffBy(abi::kvm_run& run) { LeaveWithIntercept(run, abi::ICPT_STOP); }

}  // namespace lethe::vmm

#endif  // LETHE_VMM_TEST_MACHINE_H_
