#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/program_interruption.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/ultravisor/restart_orders.h"
#include "emulated-host/ultravisor/uvc.h"

namespace lethe::emulated {

class SecureConfiguration;
class Ultravisor;

// What the host sees when a secure CPU stops for an instruction: never the guest's own text and
// registers, but a fixed form per instruction, the operands it needs in general registers (all
// others 0) and storage operands in the SIDA.
struct SecureIntercept {
  enum class Code : std::uint8_t { kInstruction = 104, kNotification = 108 };
  Code code = Code::kInstruction;
  std::uint16_t ipa = 0;
  std::uint32_t ipb = 0;
  std::array<std::uint64_t, 16> general{};
};

// What the host leaves behind when it lets the CPU go on after an intercept.
struct HostAnswer {
  std::array<std::uint64_t, 16> general{};
  std::uint8_t cc = 0;                       // from the PSW mask
  ProgramCode program = ProgramCode::kNone;  // kSpecification or kOperand, if injected
};

// A CPU of a secure configuration. Between Cpu::Run and the host stands this class:
//
//   for (;;) {
//     switch (secure.Enter(answer)) {       // before each Cpu::Run; completes the last intercept
//       kRun:        break;                 // go ahead
//       kIntercept:  show secure.intercept(), return to the host;
//       kValidity:   KVM_RUN fails with EINVAL
//     }
//     Exit exit = cpu.Run();
//     if (exit.reason == Exit::Reason::kInstruction) secure.Take(exit);   // then Enter() again
//     ...
//   }
//
// Used by the thread that runs the CPU, or while no thread does.
class SecureCpu {
 public:
  static constexpr std::size_t kSidaSize = 4096;

  enum class Next : std::uint8_t { kRun, kIntercept, kValidity };

  ~SecureCpu();
  SecureCpu(const SecureCpu&) = delete;
  SecureCpu& operator=(const SecureCpu&) = delete;

  // Goes on: first with what is left of the last intercept, given the host's answer to it
  // (ignored when none is outstanding). kIntercept: intercept() holds what the host sees now.
  // kValidity: the host broke a rule (program interruption that does not fit, CPU not in a state
  // to run, configuration not verified).
  Next Enter(const HostAnswer& answer);

  // Takes an instruction the CPU stopped for. What the Ultravisor does alone (its own calls,
  // program interruptions, instructions that need no host) is done when this returns; otherwise the
  // next Enter() returns kIntercept.
  void Take(const Exit& exit);
  // The guest's operation exceptions are no business of the host's.
  void TakeOperationException(const Exit& exit) { Interrupt(ProgramCode::kOperation, exit.length); }

  const SecureIntercept& intercept() const { return intercept_; }
  // Is an intercept outstanding that the host has not answered?
  bool answer_due() const { return state_ == State::kShown; }
  std::array<std::uint8_t, kSidaSize>& sida() { return sida_; }

  // The PSW as the host sees it: interruption masks, wait bit, condition code; the address only in
  // a disabled wait.
  Psw VisiblePsw() const;

  // Another CPU of the guest has restarted this one (SIGP) while it was stopped: the Ultravisor
  // exchanges the PSWs when the CPU runs again. True: do it now, before anything else; once.
  bool TakeRestart() { return restart_orders_.CarryOut(); }

  // The parameter of a service-signal interruption as the guest gets it: the host's event bits,
  // and instead of the host's SCCB address the outstanding one.
  std::uint32_t ServiceParameter(std::uint32_t from_host);

  // Makes both pages of the prefix area secure (before an interruption is presented; intercept
  // 112).
  UvcResult SecurePrefix();

  Cpu& cpu() { return cpu_; }
  SecureConfiguration& configuration() { return *configuration_; }
  std::uint16_t address() const { return cpu_.address(); }

 private:
  friend class Ultravisor;
  friend class SecureConfiguration;

  enum class State : std::uint8_t {
    kIdle,
    kReady,  // an intercept is prepared
    kShown,  // the host has it
  };
  enum class RunState : std::uint8_t { kStopped, kOperating, kCheckStopped };

  // The instruction outstanding: how the host's answer becomes the guest's result.
  struct Outstanding {
    std::uint16_t opcode = 0;
    std::uint16_t function = 0;  // DIAGNOSE code, SIGP order
    std::uint8_t length = 0;     // of the instruction
    bool sets_cc = false;
    bool takes_program = false;      // a program interruption may be its result
    std::int8_t from_register = -1;  // the host's register that holds a result ...
    std::int8_t to_register = -1;    // ... and the guest's that gets it
    bool low_half = false;           // bits 32-63 only
    std::uint8_t results = 0;        // condition codes with which there are results: bit 1 << cc
    bool to_real = false;            // the storage operand's address is real
    LogicalAddress target;           // gets `size` bytes of the SIDA
    std::size_t size = 0;
    std::uint16_t other_cpu = 0;  // SIGP
    std::uint64_t parameter = 0;
    std::optional<RestartOrders::Round> restart;  // the other CPU has this order already
  };
  static constexpr std::uint8_t kAnyCc = 0xf;
  static constexpr std::uint64_t kNoPrefix = ~std::uint64_t{0};

  // Instructions that only need registers and one storage operand.
  struct Form;
  static const Form* FindForm(std::uint16_t number);

  SecureCpu(Ultravisor& ultravisor, std::shared_ptr<SecureConfiguration> configuration, Cpu& cpu);

  // For the Ultravisor.
  void Load(const Psw& psw);
  void Forget();    // what is outstanding
  void GiveBack();  // to the host: as the CPU was, or cleared if the guest has used it

  bool Runnable() const;
  Next Complete(const HostAnswer& answer);
  bool StoreResult();
  // Calls `order` with the CPU of this configuration that has the address, if there is one.
  template <typename Order>
  void Signal(std::uint16_t address, Order order);
  void AnnounceSignal();
  void CompleteSignal(std::uint8_t cc);
  void TakeSignalBack();
  void CompleteServiceCall();

  void TakeForm(const Form& form, const Exit& exit);
  void TakeDiagnose(const Exit& exit);
  void TakeDiagnoseIpl(const Exit& exit);
  void TakeServiceCall(const Exit& exit);
  void TakeSignal(const Exit& exit);
  void TakeChannelSubsystemCall(const Exit& exit);
  void TakeHypervisorInformation(const Exit& exit);
  void TakeSystemInformation(const Exit& exit);
  void TakeUltravisorCall(const Exit& exit);
  UvcResult CallUltravisor(absl::Span<std::uint8_t> block, bool& pinned);

  // An intercept with this text; SIDA and registers are zero, to be filled in.
  Outstanding& Prepare(SecureIntercept::Code code, std::uint16_t ipa, std::uint32_t ipb,
                       const Exit& exit);
  // Guest storage into the SIDA / is it there to be stored into later? False: the guest has got its
  // program interruption.
  bool Fetch(LogicalAddress from, absl::Span<std::uint8_t> to, const Exit& exit);
  bool Probe(LogicalAddress at, std::size_t size, const Exit& exit);
  void Interrupt(ProgramCode code, std::uint8_t length);
  void Interrupt(const ProgramInterruption& interruption, std::uint8_t length);
  void SetCc(std::uint8_t cc);
  std::uint64_t OperandAddress(std::uint32_t ipb) const;  // base and displacement, wrapped
  std::uint64_t Wrap(std::uint64_t address) const;
  std::uint64_t& gr(int number) { return cpu_.registers().general[number]; }

  Ultravisor& ultravisor_;
  const std::shared_ptr<SecureConfiguration> configuration_;
  Cpu& cpu_;

  State state_ = State::kIdle;
  SecureIntercept intercept_;
  Outstanding outstanding_;
  std::array<std::uint8_t, kSidaSize> sida_{};

  std::atomic<RunState> run_state_{RunState::kStopped};
  std::atomic<bool> reset_due_{
      false};  // a reset was prepared: this CPU must be reset before it runs
  // From other CPUs' SIGP orders: the new prefix; status is to be stored when this CPU stops; the
  // restart PSW is to be loaded when it runs.
  std::atomic<std::uint64_t> new_prefix_{kNoPrefix};
  std::atomic<bool> store_status_{false};
  RestartOrders restart_orders_;

  // Of the time before the CPU was given to the configuration.
  Registers before_;
  std::int64_t timer_before_ = 0;
  bool used_ = false;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_
