#ifndef LETHE_EMULATED_HOST_CPU_GENERAL_TABLES_H_
#define LETHE_EMULATED_HOST_CPU_GENERAL_TABLES_H_

// The parts of the chapter "General Instructions", one table per kind of instruction;
// GeneralInstructions() joins them.

#include "absl/types/span.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

absl::Span<const Instruction> ArithmeticInstructions();
absl::Span<const Instruction> AtomicInstructions();
absl::Span<const Instruction> BranchInstructions();
absl::Span<const Instruction> CompareInstructions();
absl::Span<const Instruction> CompressionInstructions();
absl::Span<const Instruction> ConvertInstructions();
absl::Span<const Instruction> LoadInstructions();
absl::Span<const Instruction> LockedOperationInstructions();
absl::Span<const Instruction> LogicalInstructions();
absl::Span<const Instruction> LongMoveInstructions();
absl::Span<const Instruction> ShiftInstructions();
absl::Span<const Instruction> SortInstructions();
absl::Span<const Instruction> StorageInstructions();
absl::Span<const Instruction> StringInstructions();
absl::Span<const Instruction> TranslateInstructions();
absl::Span<const Instruction> UnicodeInstructions();

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GENERAL_TABLES_H_
