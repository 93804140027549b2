#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/program_interruption.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/storage/page_state.h"
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
// Used by the thread that runs the CPU; what other threads may call says so.
class SecureCpu {
 public:
  static constexpr std::size_t kSidaSize = 4096;

  enum class Next : std::uint8_t { kRun, kIntercept, kValidity };

  ~SecureCpu();

  // Goes on: first with what is left of the last intercept, given the host's answer to it
  // (ignored when none is outstanding). kIntercept: intercept() holds what the host sees now.
  // kValidity: the host broke a rule (program interruption that does not fit, CPU not in a state
  // to run, configuration not verified).
  Next Enter(const HostAnswer& answer);

  // Takes an instruction the CPU stopped for. What the Ultravisor does alone (its own calls,
  // program interruptions, instructions that need no host) is done when this returns; otherwise the
  // next Enter() returns kIntercept.
  void Take(const Exit& exit);

  const SecureIntercept& intercept() const { return intercept_; }
  // Is an intercept outstanding that the host has not answered?
  bool answer_due() const { return state_ == State::kShown; }
  std::array<std::uint8_t, kSidaSize>& sida() { return sida_; }

  // The PSW as the host sees it: interruption masks, wait bit, condition code; the address only in
  // a disabled wait.
  Psw VisiblePsw() const;

  // The parameter of a service-signal interruption as the guest gets it: the host's event bits,
  // and instead of the host's SCCB address the outstanding one.
  std::uint32_t ServiceParameter(std::uint32_t from_host);

  // Makes both pages of the prefix area secure (before an interruption is presented; intercept
  // 112).
  UvcResult SecurePrefix();

  Cpu& cpu() { return cpu_; }
  SecureConfiguration& configuration() { return *configuration_; }
  std::uint16_t address() const { return address_; }

 private:
  friend class Ultravisor;
  friend class SecureConfiguration;
  struct Form;     // row of the table of instructions
  struct Operand;  // storage operand of the instruction outstanding

  enum class State : std::uint8_t { kIdle, kReady, kShown };
  enum class RunState : std::uint8_t { kStopped, kOperating, kCheckStopped };

  SecureCpu(Ultravisor& ultravisor, std::shared_ptr<SecureConfiguration> configuration, Cpu& cpu);

  Ultravisor& ultravisor_;
  const std::shared_ptr<SecureConfiguration> configuration_;
  Cpu& cpu_;
  const std::uint16_t address_;

  State state_ = State::kIdle;
  SecureIntercept intercept_;
  std::array<std::uint8_t, kSidaSize> sida_{};
  std::atomic<RunState> run_state_{RunState::kStopped};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_SECURE_CPU_H_
