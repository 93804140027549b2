#ifndef LETHE_EMULATED_HOST_CPU_INSTRUCTION_H_
#define LETHE_EMULATED_HOST_CPU_INSTRUCTION_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "emulated-host/cpu/registers.h"

namespace lethe::emulated {

class Cpu;
struct Op;

// Runs one decoded instruction and what follows it; returns the op to continue with, or nullptr
// when the run loop must look at the PSW again. Made by Straight<>, Branching<> ... (handlers.h).
using Handler = const Op* (*)(Cpu&, const Op*);

// A decoded instruction. Names are those of the manual (R1, X2, B1, D1, M3, L1, I2). Which fields
// are set depends on the format:
//
// clang-format off
//   RR, RRE         r1 r2                          RR_c   r1 = M1, r2
//   RRD             r1, r3, r2
//   RRF_a RRF_b     r1 r2 r3, x2 = M4
//   RRF_c           r1 r2, r3 = M3                 RRF_d  r1 r2, x2 = M4
//   RRF_e           r1 r2, r3 = M3, x2 = M4
//   RI_a RI_b       r1, i2                         RI_c   r1 = M1, i2
//   RIL_a RIL_b     r1, i2                         RIL_c  r1 = M1, i2
//   RIE_a           r1, r3 = M3, i2
//   RIE_b           r1 r2, r3 = M3, i2 = RI4 (relative)
//   RIE_c           r1, r3 = M3, i2 = RI4 (relative), i5 = I2 (8 bits; sign is the function's)
//   RIE_d RIE_e     r1 r3, i2
//   RIE_f           r1 r2, r3 = I3, x2 = I4, i5 = I5
//   RIE_g           r1, r3 = M3, i2
//   RIS             r1, r3 = M3, d2(b2) = D4(B4), i2 = I2 (sign-extended)
//   RRS             r1 r2, r3 = M3, d2(b2) = D4(B4)
//   RS_a RSY_a      r1 r3 d2(b2)                   RS_b RSY_b  r1, r3 = M3, d2(b2)
//   RSI             r1 r3, i2 (relative)           RSL    x2 = L1 (4 bits), d1(b1)
//   RX_a RXY_a      r1 d2(x2,b2)                   RX_b RXY_b  r1 = M1, d2(x2,b2)
//   RXE             r1 d2(x2,b2), r3 = M3          RXF    r1 r3 d2(x2,b2)
//   S               d2(b2)                         SI SIY d1(b1), i2 = I2 (8 bits, sign-extended)
//   SIL             d1(b1), i2                     I      i2 (8 bits, zero-extended)
//   IE              r1 = I1, r2 = I2               E      nothing
//   SS_a            x2 = L, d1(b1) d2(b2)          SS_b   x2 = L1, r3 = L2, d1(b1) d2(b2)
//   SS_c            x2 = L1, r3 = I3, d1(b1) d2(b2)
//   SS_d            r1, r3, d1(b1) d2(b2)          SS_e   r1, r3, d2(b2) and d1(b1) = D4(B4)
//   SS_f            x2 = L2, d1(b1) d2(b2)         SSE    d1(b1) d2(b2)
//   SSF             r3, d1(b1) d2(b2)
//   MII             r1 = M1, i2 = RI3 (relative), d2 = RI2
//   SMI             r1 = M1, i2 (relative), d1(b1)
// clang-format on
//
// Lengths are as coded (bytes - 1). "relative": in bytes, from the instruction's address; that goes
// for i2 of RI_b, RI_c, RIL_b, RIL_c, RIE_b, RIE_c, RIE_e and RSI (RIE_d: a plain immediate).
struct Op {
  mutable Handler handler = nullptr;
  std::int64_t i2 = 0;  // immediate, sign-extended; relative operands: bytes from the instruction
  std::int32_t d2 = 0;  // displacement, sign-extended where the format is long (20 bit)
  std::int32_t d1 = 0;
  std::uint8_t r1 = 0;
  std::uint8_t r2 = 0;
  std::uint8_t r3 = 0;
  std::uint8_t x2 = 0;              // index register number, 0 = none; also M4, L
  std::uint8_t b1 = kZeroRegister;  // base register number, kZeroRegister = none
  std::uint8_t b2 = kZeroRegister;
  std::uint8_t i5 = kZeroRegister;  // I5; the index register of formats with a D2, as b2
  std::uint8_t length = 0;          // 2, 4 or 6
  std::uint16_t offset : 13 = 0;    // of the instruction inside its page
  std::uint16_t executed : 1 = 0;   // target of EXECUTE, or an instruction across two pages
  std::uint16_t opcode = 0;         // as in the table, for intercepts and diagnosis
  // Distance to the op that a relative branch inside the page leads to, in bytes; odd: none known.
  // Belongs to the run loop.
  mutable std::int32_t link = 1;
};
static_assert(sizeof(Op) == 40);

// Instruction formats, as the manual prints them.
enum class Format : std::uint8_t {
  kE,
  kI,
  kIE,
  kMII,
  kRI_a,
  kRI_b,
  kRI_c,
  kRIE_a,
  kRIE_b,
  kRIE_c,
  kRIE_d,
  kRIE_e,
  kRIE_f,
  kRIE_g,
  kRIL_a,
  kRIL_b,
  kRIL_c,
  kRIS,
  kRR,
  kRR_c /* M1,R2 */,
  kRRD,
  kRRE,
  kRRF_a,
  kRRF_b,
  kRRF_c,
  kRRF_d,
  kRRF_e,
  kRRS,
  kRS_a,
  kRS_b,
  kRSI,
  kRSL,
  kRSY_a,
  kRSY_b,
  kRX_a,
  kRX_b,
  kRXE,
  kRXF,
  kRXY_a,
  kRXY_b,
  kS,
  kSI,
  kSIL,
  kSIY,
  kSMI,
  kSS_a,
  kSS_b,
  kSS_c,
  kSS_d,
  kSS_e,
  kSS_f,
  kSSE,
  kSSF,
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
