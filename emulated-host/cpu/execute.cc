// Instructions that do not run where they stand: targets of EXECUTE, instructions across a page
// boundary. And SUPERVISOR CALL, which belongs to the run loop as they do.

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

const Op* ExecuteIndexed(Cpu& cpu, const Op& op) {
  const std::uint8_t modifier = op.r1 == 0 ? 0 : static_cast<std::uint8_t>(cpu.gr(op.r1));
  return cpu.Execute(op, cpu.Address2(op), modifier);
}

const Op* ExecuteRelativeLong(Cpu& cpu, const Op& op) {
  const std::uint8_t modifier = op.r1 == 0 ? 0 : static_cast<std::uint8_t>(cpu.gr(op.r1));
  return cpu.Execute(op, cpu.RelativeAddress(op), modifier);
}

const Op* CallSupervisor(Cpu& cpu, const Op& op) { return cpu.SupervisorCall(op); }

constexpr Instruction kInstructions[] = {
    {0x0a, "SVC", Format::kI, kBase, &Branching<&CallSupervisor>},
    {0x44, "EX", Format::kRX_a, kBase, &Branching<&ExecuteIndexed>},
    {0xc60, "EXRL", Format::kRIL_b, 35, &Branching<&ExecuteRelativeLong>},
};

const Op* RunEnd(Cpu& cpu, const Op*) { return cpu.EndExecuted(); }
const Op* RunUnknown(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  return cpu.UnknownOperation(*op);
}

bool IsExecute(InstructionText text) {
  return text >> 56 == 0x44 || (text >> 48 & 0xff0f) == 0xc600;
}

}  // namespace

absl::Span<const Instruction> ExecuteInstructions() { return kInstructions; }

InstructionText Cpu::FetchInstruction(std::uint64_t address) {
  const Operand operand{code_context_, CodeSpace(), false};
  const auto halfword = [&](std::uint64_t at) -> std::uint64_t {
    return ReadAligned<std::uint16_t>(
        Resolve(operand, {WrapAddress(at), 0}, Access::kInstructionFetch).bytes);
  };
  InstructionText text = halfword(address) << 48;
  const std::uint8_t length = LengthOfText(text);
  if (length >= 4) text |= halfword(address + 2) << 32;
  if (length == 6) text |= halfword(address + 4) << 16;
  return text;
}

const Op* Cpu::RunExecuted(InstructionText text, std::uint64_t target, std::uint64_t address,
                           std::uint8_t length) {
  executed_address_ = address;
  executed_target_ = target;
  executed_text_ = text;
  executed_length_ = length;
  ExecutedOp& slot = (*executed_)[(text * 0x9e37'79b9'7f4a'7c15) >> 58];
  static_assert(kExecutedOps == 64);
  if (slot.text != text || slot.ops[0].handler == nullptr) {
    slot.text = text;
    slot.ops[0] = Op{};
    slot.ops[1] = Op{};
    slot.ops[0].executed = 1;
    slot.ops[1].executed = 1;
    slot.ops[1].handler = &RunEnd;
    const Instruction* const row = instructions_->Find(text);
    if (row == nullptr) {
      slot.ops[0].length = LengthOfText(text);
      slot.ops[0].opcode = OpcodeOf(text);
      slot.ops[0].handler = &RunUnknown;
    } else {
      DecodeOperands(text, *row, slot.ops[0]);
      slot.ops[0].handler = row->handler;
    }
  }
  const Op* const next = slot.ops[0].handler(*this, &slot.ops[0]);
  // The address of an executed instruction is not kept for long.
  if (breaking_op_ == (reinterpret_cast<std::uintptr_t>(&slot.ops[0]) | kHasBase)) {
    SettleBreakingEvent();
  }
  return next;
}

const Op* Cpu::Execute(const Op& op, std::uint64_t target, std::uint8_t modifier) {
  SpecificationUnless(target % 2 == 0);
  const InstructionText text = FetchInstruction(target);
  if (step_.open) NoteFetch(target);
  if (IsExecute(text)) Interrupt(ProgramCode::kExecute);
  return RunExecuted(text | std::uint64_t{modifier} << 48, target, InstructionAddress(op),
                     InstructionLength(op));
}

const Op* Cpu::CrossPage(const Op& op) {
  const std::uint64_t address = code_base_ + op.offset;
  return RunExecuted(FetchInstruction(address), address, address, op.length);
}

const Op* Cpu::EndExecuted() { return ContinueAt(executed_address_ + executed_length_); }

}  // namespace lethe::emulated
