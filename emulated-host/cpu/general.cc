#include <vector>

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {

absl::Span<const Instruction> GeneralInstructions() {
  static const std::vector<Instruction>* const joined = [] {
    auto* all = new std::vector<Instruction>;
    for (absl::Span<const Instruction> part :
         {ArithmeticInstructions(), AtomicInstructions(), BranchInstructions(),
          CompareInstructions(), CompressionInstructions(), ConvertInstructions(),
          LoadInstructions(), LockedOperationInstructions(), LogicalInstructions(),
          LongMoveInstructions(), ShiftInstructions(), SortInstructions(), StorageInstructions(),
          StringInstructions(), TranslateInstructions(), UnicodeInstructions()}) {
      all->insert(all->end(), part.begin(), part.end());
    }
    return all;
  }();
  return *joined;
}

}  // namespace lethe::emulated
