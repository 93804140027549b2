#include <cstdint>
#include <limits>
#include <type_traits>

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/float_operands.h"
#include "emulated-host/cpu/hexfloat_number.h"

namespace lethe::emulated {
namespace {

using S = HexShort;
using L = HexLong;
using X = HexExtended;

constexpr std::uint64_t kUnderflowMask = Psw::Bit(22);
constexpr std::uint64_t kSignificanceMask = Psw::Bit(23);

// The registers of an HFP format are those of the BFP format of its width.
template <typename Format>
using RegistersOf =
    std::conditional_t<std::is_same_v<Format, S>, ShortFormat,
                       std::conditional_t<std::is_same_v<Format, L>, LongFormat, ExtendedFormat>>;

template <typename Format>
void RequireRegister(Cpu& cpu, int number) {
  RequireFpr(cpu, number);
  RequireOperandRegister<RegistersOf<Format>>(cpu, number);
}

template <typename Format>
HexNumber Register(Cpu& cpu, int number) {
  return DecodeHex<Format>(FprBits<RegistersOf<Format>>(cpu, number));
}
template <typename Format>
void SetRegister(Cpu& cpu, int number, const HexNumber& value) {
  SetFprBits<RegistersOf<Format>>(cpu, number, EncodeHex<Format>(value));
}

// Second operands.
template <typename Format>
HexNumber HexFromR2(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r2);
  return Register<Format>(cpu, op.r2);
}
template <typename Format>
HexNumber HexFromStorage(Cpu& cpu, const Op& op) {
  return DecodeHex<Format>(cpu.Load<typename Format::Bits>(cpu.Operand2(op)));
}

void SetCcOfHex(Cpu& cpu, const HexNumber& number) {
  cpu.SetCc(number.IsZero() ? 0 : number.negative ? 1 : 2);
}

// Puts a result into a register: cut off to the format, with what its characteristic calls for.
// Overflow and underflow wrap the characteristic; an underflow that is not enabled gives zero.
// Returns the interruption to come; `stored` is for the condition code.
template <typename Format>
ProgramCode Deliver(Cpu& cpu, int r1, const HexNumber& result, HexNumber* stored) {
  *stored = result.Truncated(Format::kDigits);
  ProgramCode interruption = ProgramCode::kNone;
  if (result.exponent > 63) {
    interruption = ProgramCode::kHfpExponentOverflow;
  } else if (result.exponent < -64) {
    if ((cpu.psw_mask() & kUnderflowMask) != 0) {
      interruption = ProgramCode::kHfpExponentUnderflow;
    } else {
      *stored = HexNumber{};
    }
  }
  SetRegister<Format>(cpu, r1, *stored);
  return interruption;
}

template <typename Format>
void DeliverOnly(Cpu& cpu, int r1, const HexNumber& result) {
  HexNumber stored;
  const ProgramCode interruption = Deliver<Format>(cpu, r1, result, &stored);
  if (interruption != ProgramCode::kNone) cpu.Interrupt(interruption);
}

template <typename Format, auto Second, bool kSubtract, bool kNormalize>
void AddOrSubtract(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  HexNumber second = Second(cpu, op);
  if (kSubtract) second.negative = !second.negative;
  HexNumber sum = AddHex(Register<Format>(cpu, op.r1), second, Format::kDigits);
  // Without normalization the guard digit takes no part, not even in what counts as zero.
  if (!kNormalize) sum = sum.Truncated(Format::kDigits);
  if (sum.IsZero()) {
    // Significance: the characteristic survives if the program wants to know.
    const bool interrupts = (cpu.psw_mask() & kSignificanceMask) != 0;
    SetRegister<Format>(cpu, op.r1, interrupts ? HexNumber{.exponent = sum.exponent} : HexNumber{});
    cpu.SetCc(0);
    if (interrupts) cpu.Interrupt(ProgramCode::kHfpSignificance);
    return;
  }
  HexNumber stored;
  const ProgramCode interruption =
      Deliver<Format>(cpu, op.r1, kNormalize ? sum.Normalized() : sum, &stored);
  SetCcOfHex(cpu, stored);
  if (interruption != ProgramCode::kNone) cpu.Interrupt(interruption);
}

template <typename Format, auto Second>
void CompareHex(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  HexNumber second = Second(cpu, op);
  second.negative = !second.negative;
  SetCcOfHex(cpu, AddHex(Register<Format>(cpu, op.r1), second, Format::kDigits));
}

template <typename Format, typename Result, auto Second>
void MultiplyInto(Cpu& cpu, const Op& op) {
  RequireRegister<Result>(cpu, op.r1);
  const HexNumber second = Second(cpu, op);
  DeliverOnly<Result>(cpu, op.r1, MultiplyHex(Register<Format>(cpu, op.r1), second));
}

template <typename Format, auto Second>
void DivideBy(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  const HexNumber second = Second(cpu, op);
  if (second.IsZero()) cpu.Interrupt(ProgramCode::kHfpDivide);
  DeliverOnly<Format>(cpu, op.r1, DivideHex(Register<Format>(cpu, op.r1), second));
}

template <typename Format, auto Second>
void SquareRootOf(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  const HexNumber second = Second(cpu, op);
  if (second.negative && !second.IsZero()) cpu.Interrupt(ProgramCode::kHfpSquareRoot);
  DeliverOnly<Format>(cpu, op.r1, SquareRootHex(second, Format::kDigits));
}

template <typename Format>
void Halve(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  HexNumber number = HexFromR2<Format>(cpu, op);
  number.fraction >>= 1;
  DeliverOnly<Format>(cpu, op.r1, number.IsZero() ? HexNumber{} : number.Normalized());
}

enum class SignChange { kNone, kPositive, kNegative, kComplement };

// The fraction is not normalized. Only an extended zero loses its characteristic.
template <typename Format, SignChange kChange>
void LoadWithSign(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  HexNumber number = HexFromR2<Format>(cpu, op);
  if (kChange == SignChange::kPositive) number.negative = false;
  if (kChange == SignChange::kNegative) number.negative = true;
  if (kChange == SignChange::kComplement) number.negative = !number.negative;
  if (std::is_same_v<Format, X> && number.IsZero()) number = {.negative = number.negative};
  SetRegister<Format>(cpu, op.r1, number);
  SetCcOfHex(cpu, number);
}

template <typename From, typename To, auto Second>
void LoadLengthened(Cpu& cpu, const Op& op) {
  RequireRegister<To>(cpu, op.r1);
  HexNumber number = Second(cpu, op);
  if (std::is_same_v<To, X> && number.IsZero()) number = {.negative = number.negative};
  SetRegister<To>(cpu, op.r1, number);
}

template <typename From, typename To>
void LoadRounded(Cpu& cpu, const Op& op) {
  RequireRegister<To>(cpu, op.r1);
  DeliverOnly<To>(cpu, op.r1, RoundedHex(HexFromR2<From>(cpu, op), To::kDigits));
}

template <typename Format>
void LoadInteger(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  const HexNumber number = HexFromR2<Format>(cpu, op);
  HexNumber integer;
  if (number.exponent > 0) {
    integer = number.exponent < Format::kDigits ? number.Truncated(number.exponent) : number;
  }
  DeliverOnly<Format>(cpu, op.r1, integer.IsZero() ? HexNumber{} : integer.Normalized());
}

// Rounding methods of these conversions: M3 0 cuts off, and nothing depends on the FPC register.
RoundingMode ConversionRounding(Cpu& cpu, std::uint8_t modifier) {
  switch (modifier) {
    case 0:
    case 5:
      return RoundingMode::kTowardZero;
    case 1:
      return RoundingMode::kNearestAway;
    case 4:
      return RoundingMode::kNearestEven;
    case 6:
      return RoundingMode::kTowardPlus;
    case 7:
      return RoundingMode::kTowardMinus;
    default:
      cpu.Interrupt(ProgramCode::kSpecification);
  }
}

template <typename Integer, typename Format>
void ConvertFromInteger(Cpu& cpu, const Op& op) {
  RequireRegister<Format>(cpu, op.r1);
  const auto value = std::int64_t{static_cast<Integer>(cpu.gr(op.r2))};
  const auto bits = static_cast<std::uint64_t>(value);
  DeliverOnly<Format>(cpu, op.r1,
                      ToHex(FloatNumber::Of(value < 0, value < 0 ? 0 - bits : bits, 0)));
}

template <typename Integer, typename Format>
void ConvertToInteger(Cpu& cpu, const Op& op) {
  const HexNumber source = HexFromR2<Format>(cpu, op);
  const RoundingMode mode = ConversionRounding(cpu, op.r3);
  FloatNumber number = ToBinary(source);
  if (number.IsFinite()) number = RoundAt(number, 0, mode).number;
  using Limits = std::numeric_limits<Integer>;
  const FloatNumber beyond = FloatNumber::Of(false, 1, Limits::digits);
  const FloatNumber lowest = FloatNumber::Of(true, 1, Limits::digits);
  Integer value = 0;
  SetCcOfHex(cpu, source);
  if (Compare(number, beyond) != 1) {
    value = Limits::max();
    cpu.SetCc(3);
  } else if (Compare(number, lowest) == 1) {
    value = Limits::min();
    cpu.SetCc(3);
  } else if (number.IsFinite()) {
    const auto magnitude =
        static_cast<std::uint64_t>(number.significand >> (FloatNumber::kTopBit - number.exponent));
    value = static_cast<Integer>(number.negative ? 0 - magnitude : magnitude);
  }
  if constexpr (sizeof(Integer) == 8) {
    cpu.gr(op.r1) = static_cast<std::uint64_t>(value);
  } else {
    cpu.SetLow(op.r1, static_cast<std::uint32_t>(value));
  }
}

// HFP long to BFP. No IEEE exceptions; condition code 3: too large for the format.
template <typename Format>
void ConvertToBinary(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  const HexNumber source = HexFromR2<L>(cpu, op);
  const RoundingMode mode = ConversionRounding(cpu, op.r3);
  FloatNumber number = ToBinary(source);
  SetCcOfHex(cpu, source);
  if (number.IsFinite()) {
    const Rounded rounded = RoundTo(number, kLimitsOf<Format>, mode, 0);
    number = rounded.number;
    if (rounded.overflow) cpu.SetCc(3);
  }
  SetFprBits<Format>(cpu, op.r1, Encode<Format>(number));
}

// BFP to HFP long, cut off. What is too large, infinite or a NaN gives the largest number.
template <typename Format>
void ConvertFromBinary(Cpu& cpu, const Op& op) {
  RequireFpr(cpu, op.r1);
  RequireFpr(cpu, op.r2);
  const FloatNumber source = FprNumber<Format>(cpu, op.r2);
  HexNumber number = ToHex(source);
  cpu.SetCc(source.IsZero() ? 0 : source.negative ? 1 : 2);
  if (source.IsNan() || source.IsInfinity() || number.exponent > 63) {
    number = HexNumber{source.negative, 63, ~FloatBits{0} >> (128 - HexNumber::kFractionBits)};
    cpu.SetCc(3);
  } else if (number.exponent < -64) {
    number = HexNumber{.negative = source.negative};
  }
  SetRegister<L>(cpu, op.r1, number.Truncated(L::kDigits));
}

template <typename Format, auto Second>
constexpr Handler kAdd = Straight<&AddOrSubtract<Format, Second, false, true>>;
template <typename Format, auto Second>
constexpr Handler kSubtract = Straight<&AddOrSubtract<Format, Second, true, true>>;
template <typename Format, auto Second>
constexpr Handler kAddUnnormalized = Straight<&AddOrSubtract<Format, Second, false, false>>;
template <typename Format, auto Second>
constexpr Handler kSubtractUnnormalized = Straight<&AddOrSubtract<Format, Second, true, false>>;
template <typename Format>
constexpr Handler kLoadPositive = Straight<&LoadWithSign<Format, SignChange::kPositive>>;
template <typename Format>
constexpr Handler kLoadNegative = Straight<&LoadWithSign<Format, SignChange::kNegative>>;
template <typename Format>
constexpr Handler kLoadAndTest = Straight<&LoadWithSign<Format, SignChange::kNone>>;
template <typename Format>
constexpr Handler kLoadComplement = Straight<&LoadWithSign<Format, SignChange::kComplement>>;

using S32 = std::int32_t;
using S64 = std::int64_t;

constexpr Instruction kInstructions[] = {
    {0x20, "LPDR", Format::kRR, kBase, kLoadPositive<L>},
    {0x21, "LNDR", Format::kRR, kBase, kLoadNegative<L>},
    {0x22, "LTDR", Format::kRR, kBase, kLoadAndTest<L>},
    {0x23, "LCDR", Format::kRR, kBase, kLoadComplement<L>},
    {0x24, "HDR", Format::kRR, kBase, Straight<&Halve<L>>},
    {0x25, "LDXR", Format::kRR, kBase, Straight<&LoadRounded<X, L>>},
    {0x26, "MXR", Format::kRR, kBase, Straight<&MultiplyInto<X, X, &HexFromR2<X>>>},
    {0x27, "MXDR", Format::kRR, kBase, Straight<&MultiplyInto<L, X, &HexFromR2<L>>>},
    {0x29, "CDR", Format::kRR, kBase, Straight<&CompareHex<L, &HexFromR2<L>>>},
    {0x2a, "ADR", Format::kRR, kBase, kAdd<L, &HexFromR2<L>>},
    {0x2b, "SDR", Format::kRR, kBase, kSubtract<L, &HexFromR2<L>>},
    {0x2c, "MDR", Format::kRR, kBase, Straight<&MultiplyInto<L, L, &HexFromR2<L>>>},
    {0x2d, "DDR", Format::kRR, kBase, Straight<&DivideBy<L, &HexFromR2<L>>>},
    {0x2e, "AWR", Format::kRR, kBase, kAddUnnormalized<L, &HexFromR2<L>>},
    {0x2f, "SWR", Format::kRR, kBase, kSubtractUnnormalized<L, &HexFromR2<L>>},
    {0x30, "LPER", Format::kRR, kBase, kLoadPositive<S>},
    {0x31, "LNER", Format::kRR, kBase, kLoadNegative<S>},
    {0x32, "LTER", Format::kRR, kBase, kLoadAndTest<S>},
    {0x33, "LCER", Format::kRR, kBase, kLoadComplement<S>},
    {0x34, "HER", Format::kRR, kBase, Straight<&Halve<S>>},
    {0x35, "LEDR", Format::kRR, kBase, Straight<&LoadRounded<L, S>>},
    {0x36, "AXR", Format::kRR, kBase, kAdd<X, &HexFromR2<X>>},
    {0x37, "SXR", Format::kRR, kBase, kSubtract<X, &HexFromR2<X>>},
    {0x39, "CER", Format::kRR, kBase, Straight<&CompareHex<S, &HexFromR2<S>>>},
    {0x3a, "AER", Format::kRR, kBase, kAdd<S, &HexFromR2<S>>},
    {0x3b, "SER", Format::kRR, kBase, kSubtract<S, &HexFromR2<S>>},
    {0x3c, "MDER", Format::kRR, kBase, Straight<&MultiplyInto<S, L, &HexFromR2<S>>>},
    {0x3d, "DER", Format::kRR, kBase, Straight<&DivideBy<S, &HexFromR2<S>>>},
    {0x3e, "AUR", Format::kRR, kBase, kAddUnnormalized<S, &HexFromR2<S>>},
    {0x3f, "SUR", Format::kRR, kBase, kSubtractUnnormalized<S, &HexFromR2<S>>},
    {0x67, "MXD", Format::kRX_a, kBase, Straight<&MultiplyInto<L, X, &HexFromStorage<L>>>},
    {0x69, "CD", Format::kRX_a, kBase, Straight<&CompareHex<L, &HexFromStorage<L>>>},
    {0x6a, "AD", Format::kRX_a, kBase, kAdd<L, &HexFromStorage<L>>},
    {0x6b, "SD", Format::kRX_a, kBase, kSubtract<L, &HexFromStorage<L>>},
    {0x6c, "MD", Format::kRX_a, kBase, Straight<&MultiplyInto<L, L, &HexFromStorage<L>>>},
    {0x6d, "DD", Format::kRX_a, kBase, Straight<&DivideBy<L, &HexFromStorage<L>>>},
    {0x6e, "AW", Format::kRX_a, kBase, kAddUnnormalized<L, &HexFromStorage<L>>},
    {0x6f, "SW", Format::kRX_a, kBase, kSubtractUnnormalized<L, &HexFromStorage<L>>},
    {0x79, "CE", Format::kRX_a, kBase, Straight<&CompareHex<S, &HexFromStorage<S>>>},
    {0x7a, "AE", Format::kRX_a, kBase, kAdd<S, &HexFromStorage<S>>},
    {0x7b, "SE", Format::kRX_a, kBase, kSubtract<S, &HexFromStorage<S>>},
    {0x7c, "MDE", Format::kRX_a, kBase, Straight<&MultiplyInto<S, L, &HexFromStorage<S>>>},
    {0x7d, "DE", Format::kRX_a, kBase, Straight<&DivideBy<S, &HexFromStorage<S>>>},
    {0x7e, "AU", Format::kRX_a, kBase, kAddUnnormalized<S, &HexFromStorage<S>>},
    {0x7f, "SU", Format::kRX_a, kBase, kSubtractUnnormalized<S, &HexFromStorage<S>>},
    {0xb22d, "DXR", Format::kRRE, kBase, Straight<&DivideBy<X, &HexFromR2<X>>>},
    {0xb244, "SQDR", Format::kRRE, kBase, Straight<&SquareRootOf<L, &HexFromR2<L>>>},
    {0xb245, "SQER", Format::kRRE, kBase, Straight<&SquareRootOf<S, &HexFromR2<S>>>},
    {0xb324, "LDER", Format::kRRE, kBase, Straight<&LoadLengthened<S, L, &HexFromR2<S>>>},
    {0xb325, "LXDR", Format::kRRE, kBase, Straight<&LoadLengthened<L, X, &HexFromR2<L>>>},
    {0xb326, "LXER", Format::kRRE, kBase, Straight<&LoadLengthened<S, X, &HexFromR2<S>>>},
    {0xb336, "SQXR", Format::kRRE, kBase, Straight<&SquareRootOf<X, &HexFromR2<X>>>},
    {0xb337, "MEER", Format::kRRE, kBase, Straight<&MultiplyInto<S, S, &HexFromR2<S>>>},
    {0xb350, "TBEDR", Format::kRRF_e, kBase, Straight<&ConvertToBinary<ShortFormat>>},
    {0xb351, "TBDR", Format::kRRF_e, kBase, Straight<&ConvertToBinary<LongFormat>>},
    {0xb358, "THDER", Format::kRRE, kBase, Straight<&ConvertFromBinary<ShortFormat>>},
    {0xb359, "THDR", Format::kRRE, kBase, Straight<&ConvertFromBinary<LongFormat>>},
    {0xb360, "LPXR", Format::kRRE, kBase, kLoadPositive<X>},
    {0xb361, "LNXR", Format::kRRE, kBase, kLoadNegative<X>},
    {0xb362, "LTXR", Format::kRRE, kBase, kLoadAndTest<X>},
    {0xb363, "LCXR", Format::kRRE, kBase, kLoadComplement<X>},
    {0xb366, "LEXR", Format::kRRE, kBase, Straight<&LoadRounded<X, S>>},
    {0xb367, "FIXR", Format::kRRE, kBase, Straight<&LoadInteger<X>>},
    {0xb369, "CXR", Format::kRRE, kBase, Straight<&CompareHex<X, &HexFromR2<X>>>},
    {0xb377, "FIER", Format::kRRE, kBase, Straight<&LoadInteger<S>>},
    {0xb37f, "FIDR", Format::kRRE, kBase, Straight<&LoadInteger<L>>},
    {0xb3b4, "CEFR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S32, S>>},
    {0xb3b5, "CDFR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S32, L>>},
    {0xb3b6, "CXFR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S32, X>>},
    {0xb3b8, "CFER", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, S>>},
    {0xb3b9, "CFDR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, L>>},
    {0xb3ba, "CFXR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S32, X>>},
    {0xb3c4, "CEGR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S64, S>>},
    {0xb3c5, "CDGR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S64, L>>},
    {0xb3c6, "CXGR", Format::kRRE, kBase, Straight<&ConvertFromInteger<S64, X>>},
    {0xb3c8, "CGER", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, S>>},
    {0xb3c9, "CGDR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, L>>},
    {0xb3ca, "CGXR", Format::kRRF_e, kBase, Straight<&ConvertToInteger<S64, X>>},
    {0xed24, "LDE", Format::kRXE, kBase, Straight<&LoadLengthened<S, L, &HexFromStorage<S>>>},
    {0xed25, "LXD", Format::kRXE, kBase, Straight<&LoadLengthened<L, X, &HexFromStorage<L>>>},
    {0xed26, "LXE", Format::kRXE, kBase, Straight<&LoadLengthened<S, X, &HexFromStorage<S>>>},
    {0xed34, "SQE", Format::kRXE, kBase, Straight<&SquareRootOf<S, &HexFromStorage<S>>>},
    {0xed35, "SQD", Format::kRXE, kBase, Straight<&SquareRootOf<L, &HexFromStorage<L>>>},
    {0xed37, "MEE", Format::kRXE, kBase, Straight<&MultiplyInto<S, S, &HexFromStorage<S>>>},
};

}  // namespace

absl::Span<const Instruction> HexFloatInstructions() { return kInstructions; }

}  // namespace lethe::emulated
