#ifndef LETHE_VMM_INTERCEPT_TABLE_H_
#define LETHE_VMM_INTERCEPT_TABLE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vmm/instruction.h"

namespace lethe::vmm {

// Where an instruction's operand in storage lies. Of a protected guest the Ultravisor brings it
// into the secure instruction data area, whatever the row says.
enum class OperandPlace { kNone, kAbsoluteStorage, kLogicalStorage };

// An instruction that the machine executes: what KVM does not keep for itself.
struct InterceptedInstruction {
  std::uint16_t opcode;  // two bytes, or one with zero behind
  absl::string_view mnemonic;
  OperandPlace operand;
  InstructionHandler handler;
};

// All rows, in order of their opcodes.
absl::Span<const InterceptedInstruction> InterceptTable();

// The row for an instruction text, or null: an operation exception.
const InterceptedInstruction* FindIntercepted(InstructionText text);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_INTERCEPT_TABLE_H_
