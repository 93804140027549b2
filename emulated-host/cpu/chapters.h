#ifndef LETHE_EMULATED_HOST_CPU_CHAPTERS_H_
#define LETHE_EMULATED_HOST_CPU_CHAPTERS_H_

// The instruction chapters of Principles of Operation. Each table is constant and lives for ever.

#include "absl/types/span.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

absl::Span<const Instruction> GeneralInstructions();
absl::Span<const Instruction> ControlInstructions();
absl::Span<const Instruction> FloatInstructions();
absl::Span<const Instruction> DecimalInstructions();
absl::Span<const Instruction> HexFloatInstructions();
// EXECUTE, EXECUTE RELATIVE LONG and SUPERVISOR CALL: they belong to the run loop.
absl::Span<const Instruction> ExecuteInstructions();

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CHAPTERS_H_
