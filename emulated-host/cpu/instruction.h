#ifndef LETHE_EMULATED_HOST_CPU_INSTRUCTION_H_
#define LETHE_EMULATED_HOST_CPU_INSTRUCTION_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace lethe::emulated {

class Cpu;
struct Op;

// Runs one decoded instruction and what follows it; returns the op to continue with, or nullptr
// when the run loop must look at the PSW again.
using Handler = const Op* (*)(Cpu&, const Op*);

// A decoded instruction. Which fields are set depends on the format; names are those of the manual
// (R1, X2, B1, D1, M3, L1, I2).
struct Op {
  Handler handler = nullptr;
  union {
    std::int64_t i2 = 0;       // immediate, sign-extended (RI, RIL, SI, SIL, RIE ...); for relative
                               // operands the byte offset from the instruction
    mutable const Op* target;  // reserved for the run loop's branch linking
  };
  std::int32_t d2 = 0;   // displacement, sign-extended where the format is long (20 bit)
  std::int32_t d1 = 0;
  std::uint8_t r1 = 0;   // also M1
  std::uint8_t r2 = 0;   // RIS/RRS/RIE: see the format
  std::uint8_t r3 = 0;   // also M3, L2 - 1, I3 (RIE-f: start bit)
  std::uint8_t x2 = 0;   // index register number, 0 = none; also M4, I4, L1 - 1 / L - 1
  std::uint8_t b1 = 0;   // base register number, 0 = none
  std::uint8_t b2 = 0;
  std::uint8_t i5 = 0;   // RIE-f third immediate, RIS/RRS I2 byte does not use it
  std::uint8_t length = 0;     // 2, 4 or 6
  std::uint16_t offset = 0;    // of the instruction inside its page
  std::uint16_t opcode = 0;    // as in the table, for intercepts and diagnosis
  std::uint32_t flags = 0;     // reserved for the run loop (kExecuted ...)
};
static_assert(sizeof(Op) <= 48);

// Instruction formats, as the manual prints them.
enum class Format : std::uint8_t {
  kE, kI, kIE, kMII, kRI_a, kRI_b, kRI_c, kRIE_a, kRIE_b, kRIE_c, kRIE_d, kRIE_e, kRIE_f, kRIE_g,
  kRIL_a, kRIL_b, kRIL_c, kRIS, kRR, kRR_c /* M1,R2 */, kRRD, kRRE, kRRF_a, kRRF_b, kRRF_c, kRRF_d,
  kRRF_e, kRRS, kRS_a, kRS_b, kRSI, kRSL, kRSY_a, kRSY_b, kRX_a, kRX_b, kRXE, kRXF, kRXY_a, kRXY_b,
  kS, kSI, kSIL, kSIY, kSMI, kSS_a, kSS_b, kSS_c, kSS_d, kSS_e, kSS_f, kSSE, kSSF,
};

// Facility bit numbers of STFLE; kBase is always there.
using Facility = std::uint16_t;
inline constexpr Facility kBase = 0xffff;

// One row of the instruction table. `opcode` is written as the manual prints it: 1a, a70a (RI: two
// bytes with the 4-bit extension in the low nibble: a7.a -> 0xa7a), c0f-type RIL (0xc0f), two-byte
// opcodes 0xb904, and for RXY, RSY, SIY, RIE, RXE... first and last byte: e3..04 -> 0xe304.
struct Instruction {
  std::uint16_t opcode;
  absl::string_view mnemonic;
  Format format;
  Facility facility;
  Handler handler;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_INSTRUCTION_H_
