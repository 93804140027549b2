#ifndef LETHE_TESTS_DIFFERENTIAL_ENCODING_H_
#define LETHE_TESTS_DIFFERENTIAL_ENCODING_H_

#include <array>
#include <cstdint>

#include "emulated-host/cpu/instruction.h"

namespace lethe::differential {

// The operand fields of an instruction, by the manual's names. What a format lacks is ignored.
struct Fields {
  unsigned r1 = 0;  // also M1, I1 of IE
  unsigned r2 = 0;
  unsigned r3 = 0;      // also M3, L2, I3
  unsigned x2 = 0;      // also M4
  unsigned length = 0;  // L, L1
  unsigned b1 = 0;
  unsigned b2 = 0;  // also B4 of RIS, RRS
  std::int64_t d1 = 0;
  std::int64_t d2 = 0;
  std::int64_t i2 = 0;  // relative operands in halfwords
  unsigned i3 = 0;      // RIE-f
  unsigned i4 = 0;
  unsigned i5 = 0;  // also I2 of RIE-c
};

// Written from the formats in the manual and not from the decoder under test.
std::array<std::uint8_t, 8> Encode(const emulated::Instruction& instruction, const Fields& fields);

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_ENCODING_H_
