#ifndef LETHE_TESTS_SYSTEM_MODE_MACHINE_COMPARISON_H_
#define LETHE_TESTS_SYSTEM_MODE_MACHINE_COMPARISON_H_

#include <string>

#include "tests/differential/generator.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {

// What differs, for people; empty if nothing does.
std::string Differences(const differential::Sample& sample, const MachineResult& ours,
                        const MachineResult& theirs);

// The witness does not know the instruction.
bool IsUnknown(const MachineResult& ours, const MachineResult& theirs);

std::string Describe(const MachineCase& request);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_MACHINE_COMPARISON_H_
