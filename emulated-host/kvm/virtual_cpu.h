#ifndef LETHE_EMULATED_HOST_KVM_VIRTUAL_CPU_H_
#define LETHE_EMULATED_HOST_KVM_VIRTUAL_CPU_H_

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "accel/kvm-s390/abi.h"
#include "base/unique_fd.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/kvm/disposition.h"
#include "emulated-host/kvm/guest_debug.h"
#include "emulated-host/kvm/local_interrupts.h"
#include "emulated-host/kvm/wait_point.h"
#include "emulated-host/ultravisor/secure_cpu.h"

namespace lethe::emulated {

class VirtualMachine;

// One CPU of a virtual machine as KVM keeps it: the emulated CPU, its run page, its pending
// interruptions, whether it is stopped, and the secure CPU that it is for a protected guest.
//
// mutex() is the kernel's vcpu mutex: whoever calls a function without "from any thread" holds it.
// Between KVM_RUNs general, access and floating-point registers live in the run page (the user may
// change them in place), the others in the emulated CPU.
class VirtualCpu : private CpuHost {
 public:
  VirtualCpu(VirtualMachine& machine, std::uint16_t address, const CpuModel& model);
  ~VirtualCpu() override;
  bool ok() const { return run_ != nullptr; }

  VirtualMachine& machine() { return machine_; }
  std::mutex& mutex() { return mutex_; }
  std::uint16_t address() const { return address_; }
  abi::kvm_run& run_page() { return *run_; }
  // A descriptor of the run page's memory, for mappings.
  int run_page_descriptor() const { return run_memory_.get(); }

  // --- running ---------------------------------------------------------------------------------
  // KVM_RUN. Takes the mutex itself, so that Kick() knows who is in it.
  int Run(std::uintptr_t argument);

  // The signal mask in force during KVM_RUN; nullopt: the thread's.
  void SetSignalMask(const std::optional<sigset_t>& mask) { signal_mask_ = mask; }

  // From any thread: `thread` leaves the KVM_RUN that it is in, if it is in one.
  void Kick(pthread_t thread);
  // Async-signal-safe: the calling thread leaves the KVM_RUN that it is in, if it is in one.
  static void NoteSignal();
  // From any thread: the CPU leaves guest execution soon and comes back by itself.
  void CallOut() { cpu_.RequestAttention(); }
  // From any thread: there may be something to deliver.
  void Notify();
  // From any thread: is the CPU in KVM_RUN and awake (SIGP sense running status)?
  bool running() const { return running_; }

  // --- state -----------------------------------------------------------------------------------
  bool stopped() const { return stopped_; }  // from any thread
  void Start() { stopped_ = false; }
  void Stop();
  // 0 or -ENXIO/-EINVAL (KVM_SET_MP_STATE).
  int SetState(std::uint32_t mp_state);

  int NormalReset();
  int InitialReset();
  int ClearReset();
  // Store status at an absolute address, or to one of the places KVM names. 0 or -EFAULT.
  int StoreStatus(std::uint64_t where);

  // --- interruptions ---------------------------------------------------------------------------
  // From any thread. 0 or a negated errno value; all rules of KVM_S390_IRQ.
  int Inject(const abi::kvm_s390_irq& irq);
  LocalInterrupts& local() { return local_; }  // from any thread

  // --- registers -------------------------------------------------------------------------------
  Cpu& cpu() { return cpu_; }
  // pfault token, select mask, compare mask: no page faults are reported on this host, but programs
  // may negotiate it.
  struct PageFaultHandshake {
    std::uint64_t token = ~std::uint64_t{0};
    std::uint64_t select = 0;
    std::uint64_t compare = 0;
  };
  PageFaultHandshake& page_fault_handshake() { return page_fault_; }
  std::uint64_t diagnose318 = 0;

  // --- for the handlers of intercepts, inside of Run() -----------------------------------------
  // The general registers that an intercepted instruction sees: the CPU's own, or the ones that the
  // Ultravisor shows.
  std::array<std::uint64_t, 16>& general();
  void SetConditionCode(std::uint8_t cc);
  bool ProblemState();
  // A program interruption instead of the instruction just intercepted.
  Disposition Interrupt(ProgramCode code);
  Disposition Interrupt(const ProgramInterruption& interruption);
  // An address of an operand, wrapped to the addressing mode.
  std::uint64_t Wrap(std::uint64_t address);

  // KVM_SET_GUEST_DEBUG: 0 or a negated errno value. The program inside is not the host's business
  // while the CPU is secure: a new request is refused, an earlier one rests.
  int SetDebug(const abi::kvm_guest_debug& wanted);

  // --- protected guests ------------------------------------------------------------------------
  std::unique_ptr<SecureCpu>& secure() { return secure_; }
  // Forgets what was going on with the secure CPU; after it has been created or destroyed.
  void ResetSecureState();

 private:
  // CpuHost.
  Verdict ResolveSecureFault(Cpu& cpu, std::uint64_t absolute, SecureFault fault) override;
  Verdict OnAttention(Cpu& cpu) override;

  int RunLocked();
  int RunLoop();
  int RunOnce(bool& leave);
  Exit Execute();
  int ExecuteOrdinary(bool& leave);
  int ExecuteSecure(bool& leave);
  int HandleExit(const Exit& exit, bool& leave);
  static int Finish(const Disposition& disposition, bool& leave);
  bool ReportDebug(const DebugEvent& event);
  int Wait(bool& leave);
  bool LoopsOnOperationException();
  Disposition HandleOperationException(const Exit& exit);
  void LeaveSoon();
  bool ShouldLeave();
  int LeaveForUser(bool& leave);
  bool HandleStopRequest(bool& leave);

  void Deliver();
  bool Deliverable();
  void Present(const abi::kvm_s390_irq& irq, InterruptionKind kind);
  void PresentProgram(const abi::kvm_s390_irq& irq);
  void StoreProgramEvent(const abi::kvm_s390_pgm_info& program);
  int StoreStatusOfStopped(std::uint32_t stop_flags);
  void ForgetLocalState();

  void LoadFromRunPage();
  void StoreToRunPage();
  void ReportIntercept(std::uint8_t code, std::uint16_t ipa, std::uint32_t ipb);
  int TakeSecureAnswer();

  VirtualMachine& machine_;
  const std::uint16_t address_;
  std::mutex mutex_;
  UniqueFd run_memory_;
  abi::kvm_run* run_ = nullptr;
  LocalInterrupts local_;
  WaitPoint wait_point_;
  Cpu cpu_;
  PageFaultHandshake page_fault_;
  GuestDebug debug_;

  std::atomic<bool> stopped_{true};
  std::atomic<bool> running_{false};

  std::optional<sigset_t> signal_mask_;

  std::mutex kick_mutex_;  // guards the two below
  pthread_t runner_{};
  bool in_run_ = false;
  std::atomic<bool> kicked_{false};

  // Of the last intercept, for program interruptions that the user injects as its result.
  std::atomic<std::uint8_t> last_length_{0};
  // A timer has interrupted into a PSW that admits it again, and it is pending still.
  bool timer_loop_ = false;
  // A page fault of the running guest that cannot be resolved ends KVM_RUN with this.
  int fault_error_ = 0;

  std::unique_ptr<SecureCpu> secure_;
  HostAnswer answer_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_VIRTUAL_CPU_H_
