#ifndef LETHE_VMM_MACHINE_H_
#define LETHE_VMM_MACHINE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "accel/kvm-s390/flic.h"
#include "accel/kvm-s390/kernel.h"
#include "accel/kvm-s390/system.h"
#include "accel/kvm-s390/vm.h"
#include "base/log.h"
#include "pv/event_sink.h"
#include "pv/ipl_parameter_block.h"
#include "pv/protection.h"
#include "vmm/console.h"
#include "vmm/cpu_set.h"
#include "vmm/guest_console.h"
#include "vmm/guest_memory.h"
#include "vmm/instruction.h"
#include "vmm/machine_config.h"
#include "vmm/machine_control.h"
#include "vmm/machine_request.h"
#include "vmm/operand_access.h"
#include "vmm/outcome.h"
#include "vmm/quiesce_signal.h"
#include "vmm/sclp.h"
#include "vmm/sclp_event_facility.h"
#include "vmm/shutdown.h"

namespace lethe::vmm {

// A machine: memory, CPUs, firmware functions and console of one guest. One thread owns it and
// changes its state (Run); CPUs and the outside send requests to that thread.
class Machine : public MachineControl {
 public:
  // What the machine stands on; outlives it.
  struct Surroundings {
    kvm::Kernel& kernel;
    const Log& log;
    EventSink& events;
    TeardownAccount account = {};
    // What other guests of this host owe; asked by the machine's owner.
    std::function<HostDebt()> debt = [] { return HostDebt(); };
    // Called by the machine's owner and by cleaner threads.
    std::function<void(const TeardownOutcome&)> on_teardown = [](const TeardownOutcome&) {};
  };

  // Validates the configuration and opens all resources. Errors are one line for the user.
  static absl::StatusOr<std::unique_ptr<Machine>> Create(const MachineConfig& config,
                                                         const Surroundings& surroundings);
  ~Machine() override;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Loads the guest and runs it to its end. Once. An error: the host failed. Afterwards no CPU
  // runs, the console is closed, and what was secure is clean or left to the reaper.
  absl::StatusOr<Outcome> Run();
  // After Run(): the process is to end at once, without destroying this.
  bool left_to_reaper() const { return shutdown_.left_to_reaper(); }
  // Any thread.
  Protection* protection() { return protection_ ? &*protection_ : nullptr; }
  const Shutdown& shutdown() const { return shutdown_; }
  std::optional<std::uint64_t> touched_memory() const { return memory_.touched(); }

  RunState run_state() const override { return run_state_; }
  std::string name() const override { return config_.name; }
  std::string uuid() const override;
  absl::Status Pause() override;
  absl::Status Continue() override;
  absl::Status Reset(Cause cause) override;
  absl::Status RequestPowerDown() override;
  // Run() returns soon.
  void End(Cause cause) override;

 private:
  // What a guest says about the image that it wants to become.
  struct ProtectionInput {
    Bytes header;
    std::vector<ImageComponent> components;
  };

  Machine(const MachineConfig& config, const Surroundings& surroundings, kvm::System system,
          GuestMemory memory, kvm::Vm vm, kvm::Flic flic, std::unique_ptr<Console> console);

  // Creation, in this order.
  static absl::Status EnableCapabilities(const kvm::System& system, const kvm::Vm& vm);
  absl::Status AddCpus();
  void PrepareProtection(const Surroundings& surroundings);
  void StartReaper();

  // The owner's work.
  absl::StatusOr<Outcome> Start();
  absl::StatusOr<Outcome> ServeRequests();
  // Takes all CPUs out. One that waits in the handler of an exit (for a console that nobody reads)
  // is waited for; one that KVM does not give back is the end: `stuck_`.
  absl::Status TakeCpusOut(std::optional<AllOut>& out);
  absl::Status Conclude(absl::string_view reason);
  void Enter(RunState state);
  absl::Status Load(unsigned cpu);
  absl::StatusOr<std::optional<Outcome>> Serve(const MachineRequest& request);
  void ServePause(const PauseMachine& request);
  void ServeContinue(const ContinueMachine& request);
  absl::Status ServeReset(unsigned cpu, Cause cause);
  absl::Status ServeRestartInPlace(const RestartInPlace& request);
  absl::Status ServeStartProtected(const StartProtected& request);
  void LetCpusGo();
  absl::Status WaitUntilServed(absl::Notification& served) const;
  std::optional<ProtectionInput> CopyProtectionInput();

  std::size_t ConsoleInput(absl::string_view bytes);
  void ConsoleOutput(absl::string_view text);
  std::vector<SclpEventType> EventTypes();
  SclpConfiguration SclpDescription() const;
  void Report(absl::string_view event, std::string reason = "",
              std::optional<Cause> cause = std::nullopt);
  void ReportCrash(const Crash& crash);

  const MachineConfig config_;
  const Log& log_;
  EventSink& events_;

  // Destroyed from the last to the first: CPUs go before the guest, the guest before its memory.
  kvm::System system_;
  GuestMemory memory_;
  kvm::Vm vm_;
  kvm::Flic flic_;
  std::atomic<RunState> run_state_ = RunState::kPrelaunch;  // set by the owner
  std::atomic<bool> wrote_ = false;                         // the guest has written to its console
  std::unique_ptr<Console> console_;
  RequestQueue requests_;
  GuestConsole guest_console_;
  QuiesceSignal quiesce_;
  SclpEventFacility event_facility_;
  Sclp sclp_;
  IplParameterBlocks ipl_blocks_;
  std::mutex ipl_mutex_;
  StorageOperands storage_operands_;
  SecureOperands secure_operands_;
  Platform platform_;
  CpuSet cpus_;
  std::optional<AllOut> pause_;  // while paused; the owner's
  bool stuck_ = false;           // a CPU is inside the guest for good
  Shutdown shutdown_;
  std::optional<Protection> protection_;  // if the host can run protected guests
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_H_
