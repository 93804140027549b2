#ifndef LETHE_EMULATED_HOST_CPU_GENERAL_OPERANDS_H_
#define LETHE_EMULATED_HOST_CPU_GENERAL_OPERANDS_H_

// Typed operands for the general instructions. An instruction function is a template over where its
// operands come from (In...) and where its result goes (Put...), so that the register, storage,
// immediate, relative and distinct-operand forms of one operation share one body.

#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/big_endian.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

// The rightmost sizeof(T) bytes of a general register.
template <typename T>
T RegisterAs(Cpu& cpu, int number) {
  if constexpr (sizeof(T) == 8) {
    return static_cast<T>(cpu.gr(number));
  } else {
    return static_cast<T>(cpu.Low(number));
  }
}

// Replaces the rightmost sizeof(T) bytes of a general register, no others. 4 and 8 bytes only.
template <typename T>
void SetRegisterAs(Cpu& cpu, int number, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 8) {
    cpu.gr(number) = static_cast<std::uint64_t>(value);
  } else {
    cpu.SetLow(number, static_cast<std::uint32_t>(value));
  }
}

template <typename T>
[[gnu::always_inline]] inline T LoadAs(Cpu& cpu, LogicalAddress from) {
  return static_cast<T>(cpu.Load<std::make_unsigned_t<T>>(from));
}

template <typename T>
T InR1(Cpu& cpu, const Op& op) {
  return RegisterAs<T>(cpu, op.r1);
}
template <typename T>
T InR2(Cpu& cpu, const Op& op) {
  return RegisterAs<T>(cpu, op.r2);
}
template <typename T>
T InR3(Cpu& cpu, const Op& op) {
  return RegisterAs<T>(cpu, op.r3);
}
template <typename T>
T InHigh1(Cpu& cpu, const Op& op) {
  return static_cast<T>(cpu.High(op.r1));
}
template <typename T>
T InHigh2(Cpu& cpu, const Op& op) {
  return static_cast<T>(cpu.High(op.r2));
}
template <typename T>
T InHigh3(Cpu& cpu, const Op& op) {
  return static_cast<T>(cpu.High(op.r3));
}
// The storage operand that D2, X2, B2 (or D1, B1) designate.
template <typename T>
[[gnu::always_inline]] inline T InStorage(Cpu& cpu, const Op& op) {
  return LoadAs<T>(cpu, cpu.Operand2(op));
}
template <typename T>
[[gnu::always_inline]] inline T InStorage1(Cpu& cpu, const Op& op) {
  return LoadAs<T>(cpu, cpu.Operand1(op));
}
// T says how wide the immediate field is and whether it is signed.
template <typename T>
T InImmediate(Cpu&, const Op& op) {
  return static_cast<T>(op.i2);
}
inline LogicalAddress RelativeOperand(Cpu& cpu, const Op& op) {
  return {.address = cpu.RelativeAddress(op), .base = 0};
}
// Relative operands are where instructions are: in the primary address space also in the
// secondary-space mode and the access-register mode.
inline bool RelativeIsElsewhere(Cpu& cpu) {
  const std::uint64_t mask = cpu.psw_mask();
  const std::uint64_t space = (mask & Psw::kAddressSpaceMask) >> 46;
  return (mask & Psw::kDat) != 0 &&
         (space == static_cast<std::uint64_t>(AddressSpace::kSecondary) ||
          space == static_cast<std::uint64_t>(AddressSpace::kAccessRegister));
}
inline AccessMode RelativeMode(Cpu& cpu) {
  return {.space = AddressSpace::kPrimary, .key = cpu.CurrentMode().key};
}
// A relative-long operand; it must be on its natural boundary.
template <typename T>
T InRelative(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = RelativeOperand(cpu, op);
  if constexpr (sizeof(T) > 2) cpu.SpecificationUnless(operand.address % sizeof(T) == 0);
  if (!RelativeIsElsewhere(cpu)) [[likely]]
    return LoadAs<T>(cpu, operand);
  const auto bytes = cpu.FetchSpan(operand, sizeof(T), RelativeMode(cpu));
  return static_cast<T>(LoadBigEndian<std::make_unsigned_t<T>>(bytes.data()));
}

template <typename T>
void PutR1(Cpu& cpu, const Op& op, T value) {
  SetRegisterAs<T>(cpu, op.r1, value);
}
template <typename T>
void PutHigh1(Cpu& cpu, const Op& op, T value) {
  static_assert(sizeof(T) == 4);
  cpu.SetHigh(op.r1, static_cast<std::uint32_t>(value));
}

// Condition code of a signed result: 0 zero, 1 negative, 2 positive, 3 overflow. Throws on an
// enabled overflow: the last thing an instruction does.
template <typename T>
void SetCcSigned(Cpu& cpu, T result, bool overflow) {
  if (overflow) {
    cpu.SetCcOverflow();
  } else {
    cpu.SetCcSign(result);
  }
}

// The other register of an even-odd pair; `number` must be even.
inline int PairOf(Cpu& cpu, int number) {
  cpu.SpecificationUnless(number % 2 == 0);
  return number + 1;
}

// A length in a register is as wide as the addressing mode makes it.
inline std::uint64_t LengthInRegister(Cpu& cpu, int number) {
  return cpu.AddressingBits() == 64 ? cpu.gr(number) : cpu.Low(number);
}

inline void SetLengthInRegister(Cpu& cpu, int number, std::uint64_t length) {
  if (cpu.AddressingBits() == 64) {
    cpu.gr(number) = length;
  } else {
    cpu.SetLow(number, static_cast<std::uint32_t>(length));
  }
}

// Does the 4-bit mask of a branch or a conditional load select the condition code?
inline bool Selects(std::uint8_t mask, std::uint8_t cc) { return (mask & (8u >> cc)) != 0; }

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_GENERAL_OPERANDS_H_
