#include "vmm/exit_handler.h"

#include <string>
#include <variant>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "vmm/channel_subsystem.h"
#include "vmm/intercept_table.h"
#include "vmm/store_system_information.h"

namespace lethe::vmm {
namespace {

constexpr unsigned kConditionCodeShift = 44;
constexpr std::uint64_t kConditionCode = std::uint64_t{3} << kConditionCodeShift;

// A disabled wait with this address is how a guest says that it has ended in good order.
constexpr std::uint64_t kQuiescedAddress = 0xfff;

void SetConditionCode(kvm::Vcpu& vcpu, unsigned condition_code) {
  kvm::Psw psw = vcpu.psw();
  psw.mask = (psw.mask & ~kConditionCode) | (std::uint64_t{condition_code} << kConditionCodeShift);
  vcpu.set_psw(psw);
}

// The Ultravisor takes only two kinds of program interruption from us.
ProgramCode Injectable(ProgramCode code, bool protected_guest) {
  if (!protected_guest || code == ProgramCode::kOperand) return code;
  return ProgramCode::kSpecification;
}

absl::StatusOr<Next> Complete(const Instruction& instruction, const Completion& completion) {
  kvm::Vcpu& vcpu = instruction.cpu.vcpu();
  if (completion.interruption != ProgramCode::kNone) {
    const ProgramCode code = Injectable(completion.interruption, instruction.protected_guest());
    LETHE_RETURN_IF_ERROR(vcpu.InjectProgram(static_cast<std::uint16_t>(code)));
  }
  if (completion.condition_code) SetConditionCode(vcpu, *completion.condition_code);
  return completion.park ? Next::kPark : Next::kContinue;
}

absl::StatusOr<Next> ExecuteInstruction(const Instruction& instruction) {
  const InterceptedInstruction* const row = FindIntercepted(instruction.text);
  if (row == nullptr)
    return Complete(instruction, Completion::Interrupted(ProgramCode::kOperation));
  LETHE_ASSIGN_OR_RETURN(const Completion completion, row->handler(instruction));
  return Complete(instruction, completion);
}

// A notification tells of something the Ultravisor has done: nothing may be injected.
absl::StatusOr<Next> HandleNotification(const Instruction& instruction) {
  const InterceptedInstruction* const row = FindIntercepted(instruction.text);
  if (row == nullptr) return Next::kContinue;
  LETHE_ASSIGN_OR_RETURN(Completion completion, row->handler(instruction));
  completion.interruption = ProgramCode::kNone;
  return Complete(instruction, completion);
}

absl::StatusOr<Next> Stop(VcpuThread& cpu, Platform& platform) {
  LETHE_RETURN_IF_ERROR(cpu.SetActivity(Activity::kStopped));
  if (platform.cpus.operating() > 0) return Next::kContinue;
  platform.requests.Post(PowerOff{});
  return Next::kPark;
}

// The CPU cannot go on by itself. If it was the last one, neither can the guest.
absl::StatusOr<Next> Halt(VcpuThread& cpu, Platform& platform, absl::string_view reason) {
  LETHE_RETURN_IF_ERROR(cpu.SetActivity(Activity::kDisabledWait));
  if (platform.cpus.operating() > 0) return Next::kContinue;
  const Psw psw = cpu.vcpu().psw();
  if (psw.address == kQuiescedAddress) {
    platform.requests.Post(PowerOff{});
  } else {
    platform.requests.Post(Crash{cpu.address(), psw, std::string(reason)});
  }
  return Next::kPark;
}

struct ExitVisitor {
  VcpuThread& cpu;
  Platform& platform;

  Instruction Decode(std::uint16_t ipa, std::uint32_t ipb) const {
    return Instruction{cpu, InstructionText{ipa, ipb}, platform};
  }

  absl::StatusOr<Next> operator()(const kvm::Intercept& exit) const {
    switch (exit.code) {
      case abi::ICPT_INST:
      case abi::ICPT_PV_INSTR:
        return ExecuteInstruction(Decode(exit.ipa, exit.ipb));
      case abi::ICPT_PV_NOTIFY:
        return HandleNotification(Decode(exit.ipa, exit.ipb));
      case abi::ICPT_STOP:
        return Stop(cpu, platform);
      case abi::ICPT_WAIT:
        return Halt(cpu, platform, "disabled wait");
      case abi::ICPT_PROGI:
        return Halt(cpu, platform, "program interruption loop");
      case abi::ICPT_EXTINT:
        return Halt(cpu, platform, "external interruption loop");
      case abi::ICPT_OPEREXC:
        return Halt(cpu, platform, "operation exception loop");
      default:
        break;
    }
    const Psw psw = cpu.vcpu().psw();
    return absl::UnimplementedError(
        absl::StrFormat("CPU %u: intercept %#x of instruction %04x %08x at PSW %016x %016x",
                        cpu.address(), exit.code, exit.ipa, exit.ipb, psw.mask, psw.address));
  }

  absl::StatusOr<Next> operator()(const kvm::ResetRequest&) const {
    platform.requests.Post(ReIpl{cpu.address()});
    return Next::kPark;
  }

  absl::StatusOr<Next> operator()(const kvm::TestSubchannel& exit) const {
    // Without subchannels there is no interruption that KVM could have taken off its queue.
    const Instruction instruction = Decode(0xb235, exit.ipb);
    LETHE_ASSIGN_OR_RETURN(const Completion completion, SubchannelOperand(instruction));
    return Complete(instruction, completion);
  }

  absl::StatusOr<Next> operator()(const kvm::StoreSystemInformation& exit) const {
    LETHE_RETURN_IF_ERROR(AmendSystemInformation(cpu, exit, platform));
    return Next::kContinue;
  }

  absl::StatusOr<Next> operator()(const kvm::Interrupted&) const { return Next::kContinue; }

  absl::StatusOr<Next> operator()(const kvm::DebugStop&) const {
    return absl::UnimplementedError("debug exit though nobody debugs");
  }

  absl::StatusOr<Next> operator()(const kvm::UnknownExit& exit) const {
    return absl::UnimplementedError(
        absl::StrFormat("CPU %u: unknown exit reason %u", cpu.address(), exit.reason));
  }
};

}  // namespace

absl::StatusOr<Next> HandleExit(VcpuThread& cpu, const kvm::VcpuExit& exit, Platform& platform) {
  return std::visit(ExitVisitor{cpu, platform}, exit);
}

}  // namespace lethe::vmm
