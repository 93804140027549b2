#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/instruction_set.h"

namespace lethe::emulated {

std::vector<absl::Span<const Instruction>> AllChapters() {
  return {
      GeneralInstructions(), ControlInstructions(),  FloatInstructions(),
      DecimalInstructions(), HexFloatInstructions(), ExecuteInstructions(),
  };
}

}  // namespace lethe::emulated
