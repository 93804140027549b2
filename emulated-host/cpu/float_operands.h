#ifndef LETHE_EMULATED_HOST_CPU_FLOAT_OPERANDS_H_
#define LETHE_EMULATED_HOST_CPU_FLOAT_OPERANDS_H_

// Floating-point registers as operands, and the FPC register's say in results.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/float_arithmetic.h"
#include "emulated-host/cpu/float_number.h"

namespace lethe::emulated {

inline constexpr Facility kLongDisplacement = 18;
inline constexpr Facility kFloatExtension = 37;
inline constexpr Facility kFloatSupport = 41;  // FPR-GR transfer, sign handling, simulation

// Data-exception codes of the AFP-register control (CR0 bit 45).
inline constexpr std::uint8_t kDxcAfpRegister = 1;
inline constexpr std::uint8_t kDxcBfpInstruction = 2;

inline bool AfpRegisters(Cpu& cpu) { return (cpu.cr(0) & Psw::Bit(45)) != 0; }

// First thing in every instruction that needs BFP or the FPC register.
inline void RequireBfp(Cpu& cpu) {
  if (!AfpRegisters(cpu)) [[unlikely]]
    cpu.DataException(kDxcBfpInstruction);
}

// For instructions of all radices: without AFP there are registers 0, 2, 4 and 6 only.
inline void RequireFpr(Cpu& cpu, int number) {
  if ((number & 9) != 0 && !AfpRegisters(cpu)) [[unlikely]]
    cpu.DataException(kDxcAfpRegister);
}

// An extended operand is in registers n and n + 2.
inline void RequireFprPair(Cpu& cpu, int number) { cpu.SpecificationUnless((number & 2) == 0); }
template <typename Format>
void RequireOperandRegister(Cpu& cpu, int number) {
  if constexpr (std::is_same_v<Format, ExtendedFormat>) RequireFprPair(cpu, number);
}

template <typename Format>
typename Format::Bits FprBits(Cpu& cpu, int number) {
  if constexpr (std::is_same_v<Format, ShortFormat>) {
    return static_cast<std::uint32_t>(cpu.fpr(number) >> 32);
  } else if constexpr (std::is_same_v<Format, LongFormat>) {
    return cpu.fpr(number);
  } else {
    return FloatBits{cpu.fpr(number)} << 64 | cpu.fpr(number + 2);
  }
}

// A short operand leaves the right half of the register as it is.
template <typename Format>
void SetFprBits(Cpu& cpu, int number, typename Format::Bits bits) {
  if constexpr (std::is_same_v<Format, ShortFormat>) {
    cpu.fpr(number) = (cpu.fpr(number) & 0xffff'ffff) | std::uint64_t{bits} << 32;
  } else if constexpr (std::is_same_v<Format, LongFormat>) {
    cpu.fpr(number) = bits;
  } else {
    cpu.fpr(number) = static_cast<std::uint64_t>(bits >> 64);
    cpu.fpr(number + 2) = static_cast<std::uint64_t>(bits);
  }
}

template <typename Format>
FloatNumber FprNumber(Cpu& cpu, int number) {
  return Decode<Format>(FprBits<Format>(cpu, number));
}

// Second operands.
template <typename Format>
typename Format::Bits BitsOfR2(Cpu& cpu, const Op& op) {
  RequireOperandRegister<Format>(cpu, op.r2);
  return FprBits<Format>(cpu, op.r2);
}
template <typename Format>
typename Format::Bits BitsOfStorage(Cpu& cpu, const Op& op) {
  return cpu.Load<typename Format::Bits>(cpu.Operand2(op));
}
template <typename Format>
FloatNumber FromR2(Cpu& cpu, const Op& op) {
  return Decode<Format>(BitsOfR2<Format>(cpu, op));
}

// The FPC register: masks in byte 0, flags in byte 1, rounding mode in bits 29-31.
inline std::uint8_t IeeeMasks(Cpu& cpu) { return static_cast<std::uint8_t>(cpu.fpc() >> 24); }
inline void SetIeeeFlags(Cpu& cpu, std::uint8_t conditions) {
  cpu.fpc() |= std::uint32_t{conditions} << 16;
}
RoundingMode FpcRounding(Cpu& cpu);
// The rounding method of a modifier field (M3, M4), 0 being the FPC register's; specification
// exception if there is none.
RoundingMode ModifierRounding(Cpu& cpu, std::uint8_t modifier);
// M3 and M4 of instructions that have them only with the floating-point-extension facility.
RoundingMode ExtensionRounding(Cpu& cpu, const Op& op);
bool SuppressesInexact(Cpu& cpu, const Op& op);

// Notes invalid operation and division by zero in the flags; throws (suppressing) if masked to.
inline void RaiseConditions(Cpu& cpu, std::uint8_t conditions) {
  if (conditions == 0) return;
  if ((conditions & IeeeMasks(cpu)) != 0) cpu.DataException(conditions);
  SetIeeeFlags(cpu, conditions);
}

// What is left to do when result and condition code are in place.
class [[nodiscard]] Completion {
 public:
  explicit Completion(std::uint8_t data_exception = 0) : data_exception_(data_exception) {}
  // Throws the data exception of a trapped overflow, underflow or inexactness.
  void Finish(Cpu& cpu) const {
    if (data_exception_ != 0) cpu.DataException(data_exception_);
  }

 private:
  std::uint8_t data_exception_;
};

// Notes overflow, underflow and inexactness of a rounded result in the flags or in a trap to come.
Completion NoteRounding(Cpu& cpu, const Rounded& rounded, bool suppress_inexact);

// Rounds a result to the format and puts it into register `r1`. Throws for invalid operation and
// division by zero that trap. `delivered` (optional): the number as stored, for condition codes.
template <typename Format>
Completion Deliver(Cpu& cpu, int r1, const FloatResult& result, RoundingMode mode,
                   bool suppress_inexact = false, FloatNumber* delivered = nullptr) {
  RaiseConditions(cpu, result.conditions);
  if (!result.number.IsFinite()) {
    SetFprBits<Format>(cpu, r1, Encode<Format>(result.number));
    if (delivered != nullptr) *delivered = result.number;
    return Completion();
  }
  const Rounded rounded = RoundTo(result.number, kLimitsOf<Format>, mode, IeeeMasks(cpu));
  SetFprBits<Format>(cpu, r1, Encode<Format>(rounded.number));
  if (delivered != nullptr) *delivered = rounded.number;
  return NoteRounding(cpu, rounded, suppress_inexact);
}

// 0 zero, 1 less than zero, 2 greater than zero, 3 NaN.
inline void SetCcOfNumber(Cpu& cpu, const FloatNumber& number) {
  cpu.SetCc(number.IsNan() ? 3 : number.IsZero() ? 0 : number.negative ? 1 : 2);
}

// --- the host's arithmetic, for the common case --------------------------------------------------
//
// With rounding to nearest, nothing that traps, and inexactness noted already, a result that is
// neither infinite nor a NaN nor near the underflow threshold is all that there is to an operation:
// the host's single-rounding IEEE arithmetic gives it. (Nobody changes the rounding mode of our
// threads.)

template <typename Format>
inline constexpr bool HasHost = !std::is_same_v<Format, ExtendedFormat>;
template <typename Format>
using HostOf = std::conditional_t<std::is_same_v<Format, ShortFormat>, float, double>;
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

inline bool HostArithmeticDoes(Cpu& cpu) {
  constexpr std::uint32_t kMasksInexactFlagAndMode = 0xf808'0007;
  constexpr std::uint32_t kInexactFlag = 0x0008'0000;
  return (cpu.fpc() & kMasksInexactFlagAndMode) == kInexactFlag;
}

template <typename Format>
HostOf<Format> ToHost(typename Format::Bits bits) {
  return std::bit_cast<HostOf<Format>>(bits);
}
template <typename Format>
typename Format::Bits FromHost(HostOf<Format> value) {
  return std::bit_cast<typename Format::Bits>(value);
}

// Normal, and so far from the smallest normal number that it was no less before rounding.
template <typename Format>
bool IsPlain(HostOf<Format> value) {
  const auto magnitude = std::fabs(value);
  return magnitude >= 4 * std::numeric_limits<HostOf<Format>>::min() &&
         magnitude <= std::numeric_limits<HostOf<Format>>::max();
}
// Enough for sums: a tiny one is exact.
template <typename Format>
bool IsBelowInfinity(HostOf<Format> value) {
  return std::fabs(value) <= std::numeric_limits<HostOf<Format>>::max();
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_FLOAT_OPERANDS_H_
