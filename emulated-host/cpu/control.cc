#include <vector>

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/control_tables.h"

namespace lethe::emulated {

absl::Span<const Instruction> ControlInstructions() {
  static const auto* const all = [] {
    auto* joined = new std::vector<Instruction>;
    for (const absl::Span<const Instruction> part :
         {AddressSpaceInstructions(), BranchingControlInstructions(), ControlRegisterInstructions(),
          FacilityInstructions(), InterceptedInstructions(), LinkageInstructions(),
          MoveBetweenSpacesInstructions(), ProgramCallInstructions(), PswInstructions(),
          StorageKeyInstructions(), TimingInstructions(), TraceInstructions(),
          TranslationInstructions()}) {
      joined->insert(joined->end(), part.begin(), part.end());
    }
    return joined;
  }();
  return *all;
}

}  // namespace lethe::emulated
