#include <algorithm>
#include <iterator>
#include <vector>

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/float_tables.h"

namespace lethe::emulated {

absl::Span<const Instruction> FloatInstructions() {
  static const auto& instructions = *new std::vector<Instruction>([] {
    std::vector<Instruction> all;
    for (const auto part : {BinaryFloatInstructions(), FloatControlInstructions(),
                            FloatConversionInstructions(), FloatMoveInstructions()}) {
      std::ranges::copy(part, std::back_inserter(all));
    }
    return all;
  }());
  return instructions;
}

}  // namespace lethe::emulated
