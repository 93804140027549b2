#ifndef LETHE_EMULATED_HOST_CPU_GENERAL_COMPARE_H_
#define LETHE_EMULATED_HOST_CPU_GENERAL_COMPARE_H_

#include <cstdint>

namespace lethe::emulated {

// The M3 field of compare-and-branch and compare-and-trap: bit 8 selects equal, 4 first operand
// low, 2 first operand high; 1 is ignored.
template <typename T>
bool CompareSelects(std::uint8_t mask, T first, T second) {
  const unsigned outcome = first == second ? 8u : first < second ? 4u : 2u;
  return (mask & outcome) != 0;
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GENERAL_COMPARE_H_
