#include "emulated-host/kvm/intercepts.h"

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Instruction = InterceptedInstruction;

// Channel-subsystem instructions belong to the user as soon as he has said that he provides one.
Disposition InputOutput(VirtualCpu& cpu, const Instruction&) {
  if (cpu.machine().settings().channel_subsystem) return Disposition::Forward();
  cpu.SetConditionCode(3);
  return Disposition::Resume();
}

Disposition ToUser(VirtualCpu&, const Instruction&) { return Disposition::Forward(); }

struct Row {
  std::uint16_t opcode;  // one byte (8300) or two
  absl::string_view mnemonic;
  Disposition (*handler)(VirtualCpu&, const Instruction&);
  bool judges_problem_state = false;  // by itself
};

constexpr Row kRows[] = {
    {0x8300, "DIAG", &Diagnose},
    {0xae00, "SIGP", &SignalProcessor},
    {0xb220, "SERVC", &ToUser},
    {0xb230, "CSCH", &InputOutput},
    {0xb231, "HSCH", &InputOutput},
    {0xb232, "MSCH", &InputOutput},
    {0xb233, "SSCH", &InputOutput},
    {0xb234, "STSCH", &InputOutput},
    {0xb235, "TSCH", &TestSubchannel},
    {0xb236, "TPI", &TestPendingInterruption},
    {0xb237, "SAL", &InputOutput},
    {0xb238, "RSCH", &InputOutput},
    {0xb239, "STCRW", &InputOutput},
    {0xb23a, "STCPS", &InputOutput},
    {0xb23b, "RCHP", &InputOutput},
    {0xb23c, "SCHM", &InputOutput},
    {0xb256, "STHYI", &StoreHypervisorInformation, true},
    {0xb25f, "CHSC", &InputOutput},
    {0xb274, "SIGA", &InputOutput},
    {0xb276, "XSCH", &InputOutput},
    {0xb27d, "STSI", &StoreSystemInformation},
};

const Row* FindRow(std::uint16_t ipa) {
  for (const Row& row : kRows) {
    if (row.opcode == ipa) return &row;
    if ((row.opcode & 0xff) == 0 && row.opcode == (ipa & 0xff00)) return &row;
  }
  return nullptr;
}

// Instructions that a secure CPU has completed already; the host keeps its own state in step.
constexpr std::uint16_t kServiceCallText = 0xb220;
constexpr std::uint16_t kSetPrefixText = 0xb210;
constexpr std::uint16_t kUltravisorCallText = 0xb9a4;
constexpr std::uint8_t kSignalProcessorText = 0xae;

// The guest takes back a page that the host has pinned as shared: the block is in the SIDA.
Disposition UnpinPage(VirtualCpu& cpu) {
  constexpr std::uint16_t kUnshare = 0x1001;
  const auto& block = cpu.secure()->sida();
  const auto command = LoadBigEndian<std::uint16_t>(block.data() + 2);
  if (command != kUnshare) {
    cpu.machine().host().log().Warning(absl::StrFormat(
        "vCPU %u: notification of Ultravisor call %#06x ignored", cpu.address(), command));
    return Disposition::Resume();
  }
  const auto page = LoadBigEndian<std::uint64_t>(block.data() + 0x20);
  // A refusal is swallowed: the guest tries again.
  cpu.machine().host().ultravisor().UnpinShared(cpu.secure()->configuration(), page);
  return Disposition::Resume();
}

}  // namespace

std::uint64_t InterceptedInstruction::Address(VirtualCpu& cpu) const {
  const std::uint64_t displacement = ipb >> 16 & 0xfff;
  return displacement + (base() != 0 ? cpu.general()[base()] : 0);
}

Disposition HandleInstruction(VirtualCpu& cpu, std::uint16_t ipa, std::uint32_t ipb) {
  const Row* row = FindRow(ipa);
  if (row == nullptr) return Disposition::Forward();
  if (!row->judges_problem_state && cpu.ProblemState()) {
    return cpu.Interrupt(ProgramCode::kPrivilegedOperation);
  }
  return row->handler(cpu, {ipa, ipb});
}

Disposition HandleSecureIntercept(VirtualCpu& cpu, SecureIntercept::Code code, std::uint16_t ipa,
                                  std::uint32_t ipb) {
  if (code == SecureIntercept::Code::kNotification) {
    if (ipa == kServiceCallText) {
      cpu.machine().floating().AcknowledgeServiceCall();
      cpu.machine().NotifyCpus();
      return Disposition::Resume();
    }
    // The CPU has its new prefix.
    if (ipa == kSetPrefixText) return Disposition::Resume();
    if (ipa == kUltravisorCallText) return UnpinPage(cpu);
    if (ipa >> 8 == kSignalProcessorText) return SignalProcessor(cpu, {ipa, ipb});
  }
  return HandleInstruction(cpu, ipa, ipb);
}

Disposition TestSubchannel(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  if (!cpu.machine().settings().channel_subsystem) {
    cpu.SetConditionCode(3);
    return Disposition::Resume();
  }
  const auto subchannel = static_cast<std::uint32_t>(cpu.general()[1]);
  const std::optional<abi::kvm_s390_irq> irq =
      cpu.machine().floating().TakeInputOutput(0xff, subchannel);
  abi::kvm_run& run = cpu.run_page();
  run.exit_reason = abi::KVM_EXIT_S390_TSCH;
  run.s390_tsch.dequeued = irq.has_value();
  if (irq) {
    run.s390_tsch.subchannel_id = irq->u.io.subchannel_id;
    run.s390_tsch.subchannel_nr = irq->u.io.subchannel_nr;
    run.s390_tsch.io_int_parm = irq->u.io.io_int_parm;
    run.s390_tsch.io_int_word = irq->u.io.io_int_word;
  }
  run.s390_tsch.ipb = instruction.ipb;
  return Disposition::Exit();
}

namespace {

struct InterruptionCode {
  Be16 subchannel_id;
  Be16 subchannel_number;
  Be32 parameter;
  Be32 word;
};
static_assert(sizeof(InterruptionCode) == 12);

constexpr std::uint64_t kInterruptionCodeInLowcore = 184;

// To the operand (two words), or to the prefix area (three).
ProgramInterruption StoreInterruptionCode(VirtualCpu& cpu, LogicalAddress operand,
                                          const InterruptionCode& code) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&code);
  if (operand.address != 0) return cpu.cpu().WriteLogical(operand, {bytes, 8});
  ProgramInterruption interruption;
  if (!cpu.cpu().WriteReal(kInterruptionCodeInLowcore, {bytes, sizeof(code)})) {
    interruption.code = ProgramCode::kAddressing;
  }
  return interruption;
}

}  // namespace

Disposition TestPendingInterruption(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  VirtualMachine& machine = cpu.machine();
  if (!machine.settings().channel_subsystem || cpu.secure()) {
    cpu.SetConditionCode(3);
    return Disposition::Resume();
  }
  const LogicalAddress operand{cpu.Wrap(instruction.Address(cpu)),
                               static_cast<std::uint8_t>(instruction.base())};
  if (operand.address % 4 != 0) return cpu.Interrupt(ProgramCode::kSpecification);
  const auto subclasses = static_cast<std::uint8_t>(cpu.cpu().registers().control[6] >> 24);
  const std::optional<abi::kvm_s390_irq> irq =
      machine.floating().TakeInputOutput(subclasses, std::nullopt);
  if (!irq) {
    cpu.SetConditionCode(0);
    return Disposition::Resume();
  }
  const InterruptionCode code{irq->u.io.subchannel_id, irq->u.io.subchannel_nr,
                              irq->u.io.io_int_parm, irq->u.io.io_int_word};
  const ProgramInterruption failure = StoreInterruptionCode(cpu, operand, code);
  if (failure.code != ProgramCode::kNone) {
    machine.InjectFloating(*irq);
    return cpu.Interrupt(failure);
  }
  cpu.SetConditionCode(1);
  return Disposition::Resume();
}

}  // namespace lethe::emulated
