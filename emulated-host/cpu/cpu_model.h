#ifndef LETHE_EMULATED_HOST_CPU_CPU_MODEL_H_
#define LETHE_EMULATED_HOST_CPU_CPU_MODEL_H_

#include <cstdint>

#include "emulated-host/cpu/facility_list.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

// What the CPUs of one machine offer. A value; fixed before the first CPU is made.
struct CpuModel {
  FacilityList facilities;
  std::uint64_t cpu_id = 0;  // as STORE CPU ID stores it
  // An instruction that the CPU does not know leaves Cpu::Run (Exit::kOperation) instead of being
  // presented to the program.
  bool intercept_operation = false;

  bool Has(Facility facility) const { return facility == kBase || facilities.Has(facility); }

  // The level that Linux distributions for z196 need: no vector facility, no cryptographic assist,
  // no PCI, no enhanced DAT.
  static CpuModel Default();
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_MODEL_H_
