// Conversion between binary floating point and binary integers.

#include <cstdint>
#include <limits>
#include <type_traits>

#include "emulated-host/cpu/float_operands.h"
#include "emulated-host/cpu/float_tables.h"

namespace lethe::emulated {
namespace {

using S = ShortFormat;
using L = LongFormat;
using X = ExtendedFormat;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// Does the modifier ask for rounding to nearest, if the FPC register does?
bool RoundsToNearest(const Op& op) { return op.r3 == 0 || op.r3 == 4; }

template <typename Integer, typename Format>
[[gnu::noinline]] void ConvertFromIntegerExactly(Cpu& cpu, const Op& op) {
  const RoundingMode mode = ExtensionRounding(cpu, op);
  const auto value = static_cast<Integer>(cpu.gr(op.r2));
  const bool negative = std::is_signed_v<Integer> && value < 0;
  const auto bits = static_cast<U64>(value);
  const FloatNumber number = FloatNumber::Of(negative, negative ? 0 - bits : bits, 0);
  Deliver<Format>(cpu, op.r1, {number}, mode, SuppressesInexact(cpu, op)).Finish(cpu);
}

template <typename Integer, typename Format>
void ConvertFromInteger(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  RequireOperandRegister<Format>(cpu, op.r1);
  if constexpr (HasHost<Format>) {
    if (HostArithmeticDoes(cpu) && RoundsToNearest(op)) {
      const auto value = static_cast<Integer>(cpu.gr(op.r2));
      return SetFprBits<Format>(cpu, op.r1, FromHost<Format>(static_cast<HostOf<Format>>(value)));
    }
  }
  ConvertFromIntegerExactly<Integer, Format>(cpu, op);
}

template <typename Integer>
void PutInteger(Cpu& cpu, int r1, Integer value) {
  if constexpr (sizeof(Integer) == 8) {
    cpu.gr(r1) = static_cast<U64>(value);
  } else {
    cpu.SetLow(r1, static_cast<U32>(value));
  }
}

// The integer nearest to the number lies outside of the type, or there is none.
template <typename Integer>
void PutUnrepresentable(Cpu& cpu, const Op& op, const FloatNumber& number) {
  using Limits = std::numeric_limits<Integer>;
  RaiseConditions(cpu, kIeeeInvalid);
  const bool high = !number.IsNan() && !number.negative;
  PutInteger<Integer>(cpu, op.r1, high ? Limits::max() : Limits::min());
  cpu.SetCc(3);
  NoteRounding(cpu, {.number = {}, .inexact = true}, SuppressesInexact(cpu, op)).Finish(cpu);
}

template <typename Integer>
bool Represents(const FloatNumber& integral) {
  if (integral.IsZero()) return true;
  constexpr int kBits = std::numeric_limits<Integer>::digits;
  if (!integral.negative) return integral.exponent < kBits;
  if (!std::is_signed_v<Integer>) return false;
  return integral.exponent < kBits ||
         (integral.exponent == kBits && integral.significand == FloatBits{1}
                                                                    << FloatNumber::kTopBit);
}

template <typename Integer, typename Format>
[[gnu::noinline]] void ConvertToIntegerExactly(Cpu& cpu, const Op& op) {
  const FloatNumber source = FromR2<Format>(cpu, op);
  const RoundingMode mode = ModifierRounding(cpu, op.r3);
  Rounded rounded{.number = source};
  if (source.IsFinite()) rounded = RoundAt(source, 0, mode);
  const FloatNumber& integral = rounded.number;
  if (source.IsNan() || source.IsInfinity() || !Represents<Integer>(integral)) {
    return PutUnrepresentable<Integer>(cpu, op, source);
  }
  U64 magnitude = 0;
  if (integral.IsFinite()) {
    magnitude =
        static_cast<U64>(integral.significand >> (FloatNumber::kTopBit - integral.exponent));
  }
  PutInteger<Integer>(cpu, op.r1,
                      static_cast<Integer>(integral.negative ? 0 - magnitude : magnitude));
  SetCcOfNumber(cpu, source);
  NoteRounding(cpu, rounded, SuppressesInexact(cpu, op)).Finish(cpu);
}

template <typename Integer, typename Format>
void ConvertToInteger(Cpu& cpu, const Op& op) {
  RequireBfp(cpu);
  if constexpr (HasHost<Format>) {
    // What a cast in C is. Both limits are powers of two, or zero.
    constexpr std::uint8_t kTowardZero = 5;
    using Host = HostOf<Format>;
    constexpr Host kLimit = static_cast<Host>(U64{1} << (sizeof(Integer) * 8 - 2)) *
                            (std::is_signed_v<Integer> ? 2 : 4);
    const Host value = ToHost<Format>(FprBits<Format>(cpu, op.r2));
    if (op.r3 == kTowardZero && HostArithmeticDoes(cpu) && value < kLimit &&
        value >= (std::is_signed_v<Integer> ? -kLimit : Host{0})) {
      PutInteger<Integer>(cpu, op.r1, static_cast<Integer>(value));
      return cpu.SetCc(static_cast<std::uint8_t>((value > 0) << 1 | (value < 0)));
    }
  }
  ConvertToIntegerExactly<Integer, Format>(cpu, op);
}

constexpr Instruction kInstructions[] = {
    {0xb390, "CELFBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U32, S>>},
    {0xb391, "CDLFBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U32, L>>},
    {0xb392, "CXLFBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U32, X>>},
    {0xb394, "CEFBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S32, S>>},
    {0xb395, "CDFBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S32, L>>},
    {0xb396, "CXFBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S32, X>>},
    {0xb398, "CFEBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, S>>},
    {0xb399, "CFDBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, L>>},
    {0xb39a, "CFXBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, X>>},
    {0xb39c, "CLFEBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U32, S>>},
    {0xb39d, "CLFDBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U32, L>>},
    {0xb39e, "CLFXBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U32, X>>},
    {0xb3a0, "CELGBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U64, S>>},
    {0xb3a1, "CDLGBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U64, L>>},
    {0xb3a2, "CXLGBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertFromInteger<U64, X>>},
    {0xb3a4, "CEGBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S64, S>>},
    {0xb3a5, "CDGBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S64, L>>},
    {0xb3a6, "CXGBR", Format::kRRF_e, kBase, Straight<&ConvertFromInteger<S64, X>>},
    {0xb3a8, "CGEBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, S>>},
    {0xb3a9, "CGDBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, L>>},
    {0xb3aa, "CGXBR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, X>>},
    {0xb3ac, "CLGEBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U64, S>>},
    {0xb3ad, "CLGDBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U64, L>>},
    {0xb3ae, "CLGXBR", Format::kRRF_e, kFloatExtension, Straight<&ConvertToInteger<U64, X>>},
};

}  // namespace

absl::Span<const Instruction> FloatConversionInstructions() { return kInstructions; }

}  // namespace lethe::emulated
