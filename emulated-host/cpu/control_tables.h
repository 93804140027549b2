#ifndef LETHE_EMULATED_HOST_CPU_CONTROL_TABLES_H_
#define LETHE_EMULATED_HOST_CPU_CONTROL_TABLES_H_

// The parts of the chapter "Control Instructions" (and of "Input/Output Instructions", which the
// host completes), one table per kind of instruction; ControlInstructions() joins them.

#include "absl/types/span.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

absl::Span<const Instruction> AddressSpaceInstructions();
absl::Span<const Instruction> BranchingControlInstructions();
absl::Span<const Instruction> ControlRegisterInstructions();
absl::Span<const Instruction> FacilityInstructions();
absl::Span<const Instruction> InterceptedInstructions();
absl::Span<const Instruction> LinkageInstructions();
absl::Span<const Instruction> MoveBetweenSpacesInstructions();
absl::Span<const Instruction> ProgramCallInstructions();
absl::Span<const Instruction> PswInstructions();
absl::Span<const Instruction> StorageKeyInstructions();
absl::Span<const Instruction> TimingInstructions();
absl::Span<const Instruction> TraceInstructions();
absl::Span<const Instruction> TranslationInstructions();

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CONTROL_TABLES_H_
