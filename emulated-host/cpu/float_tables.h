#ifndef LETHE_EMULATED_HOST_CPU_FLOAT_TABLES_H_
#define LETHE_EMULATED_HOST_CPU_FLOAT_TABLES_H_

// The parts of the chapters "Floating-Point Support" and "Binary-Floating-Point Instructions";
// FloatInstructions() joins them.

#include "absl/types/span.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

absl::Span<const Instruction> BinaryFloatInstructions();
absl::Span<const Instruction> FloatControlInstructions();
absl::Span<const Instruction> FloatConversionInstructions();
absl::Span<const Instruction> FloatMoveInstructions();

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_FLOAT_TABLES_H_
