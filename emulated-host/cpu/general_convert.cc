#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

constexpr U8 kDecimalOperand = 0;  // data-exception code
constexpr unsigned kPlus = 0xc;
constexpr unsigned kMinus = 0xd;

constexpr bool IsNegativeSign(unsigned sign) { return sign == 0xb || sign == 0xd; }

// --- Binary and decimal ------------------------------------------------------------------------

// The value of a packed number held in an integer: digits, then the sign in the right nibble.
template <typename Packed>
Int128 FromPacked(Cpu& cpu, Packed packed) {
  const unsigned sign = static_cast<unsigned>(packed & 0xf);
  if (sign < 10) cpu.DataException(kDecimalOperand);
  Int128 value = 0;
  for (int shift = 8 * static_cast<int>(sizeof(Packed)) - 4; shift > 0; shift -= 4) {
    const unsigned digit = static_cast<unsigned>(packed >> shift & 0xf);
    if (digit > 9) cpu.DataException(kDecimalOperand);
    value = value * 10 + digit;
  }
  return IsNegativeSign(sign) ? -value : value;
}

template <typename Packed>
Packed ToPacked(S64 value) {
  Packed packed = value < 0 ? kMinus : kPlus;
  U64 magnitude = value < 0 ? U64{0} - static_cast<U64>(value) : static_cast<U64>(value);
  for (int shift = 4; magnitude != 0; shift += 4, magnitude /= 10) {
    packed |= static_cast<Packed>(magnitude % 10) << shift;
  }
  return packed;
}

// CVB: a result that does not fit is stored truncated before the exception.
void ConvertToBinary(Cpu& cpu, const Op& op) {
  const Int128 value = FromPacked(cpu, cpu.Load<U64>(cpu.Operand2(op)));
  cpu.SetLow(op.r1, static_cast<U32>(value));
  if (value != static_cast<S32>(value)) cpu.Interrupt(ProgramCode::kFixedPointDivide);
}

// CVBG: the exception suppresses the operation.
void ConvertToBinaryLong(Cpu& cpu, const Op& op) {
  const Int128 value = FromPacked(cpu, cpu.Load<Uint128>(cpu.Operand2(op)));
  if (value != static_cast<S64>(value)) cpu.Interrupt(ProgramCode::kFixedPointDivide);
  cpu.gr(op.r1) = static_cast<U64>(value);
}

void ConvertToDecimal(Cpu& cpu, const Op& op) {
  cpu.Store<U64>(cpu.Operand2(op), ToPacked<U64>(static_cast<S32>(cpu.Low(op.r1))));
}

void ConvertToDecimalLong(Cpu& cpu, const Op& op) {
  cpu.Store<Uint128>(cpu.Operand2(op), ToPacked<Uint128>(static_cast<S64>(cpu.gr(op.r1))));
}

// --- Packed and zoned --------------------------------------------------------------------------

// Two storage operands walked from their right ends, a byte at a time, so that overlapping operands
// give what the manual defines. All accesses are checked at the start.
class RightToLeft {
 public:
  RightToLeft(Cpu& cpu, const Op& op)
      : cpu_(cpu), first_(cpu.Operand1(op)), second_(cpu.Operand2(op)), to_(op.x2), from_(op.r3) {
    cpu.CheckAccess(second_, std::size_t{op.r3} + 1, Access::kFetch);
    cpu.CheckAccess(first_, std::size_t{op.x2} + 1, Access::kStore);
  }
  bool MoreTarget() const { return to_ >= 0; }
  // The next byte to the left; zero when the source is exhausted.
  unsigned Fetch() {
    if (from_ < 0) return 0;
    return cpu_.Load<U8>(Advance(cpu_, second_, static_cast<unsigned>(from_--)));
  }
  void Store(unsigned byte) {
    if (to_ < 0) return;
    cpu_.Store<U8>(Advance(cpu_, first_, static_cast<unsigned>(to_--)), static_cast<U8>(byte));
  }

 private:
  Cpu& cpu_;
  const LogicalAddress first_;
  const LogicalAddress second_;
  int to_;
  int from_;
};

constexpr unsigned SwapNibbles(unsigned byte) { return byte >> 4 | (byte << 4 & 0xf0); }

void Pack(Cpu& cpu, const Op& op) {
  RightToLeft operands(cpu, op);
  operands.Store(SwapNibbles(operands.Fetch()));
  while (operands.MoreTarget()) {
    const unsigned right = operands.Fetch() & 0xf;
    const unsigned left = operands.Fetch() & 0xf;
    operands.Store(left << 4 | right);
  }
}

void Unpack(Cpu& cpu, const Op& op) {
  constexpr unsigned kZone = 0xf0;
  RightToLeft operands(cpu, op);
  operands.Store(SwapNibbles(operands.Fetch()));
  while (operands.MoreTarget()) {
    const unsigned byte = operands.Fetch();
    operands.Store(kZone | (byte & 0xf));
    operands.Store(kZone | byte >> 4);
  }
}

constexpr std::size_t kPackedLength = 16;  // of PKA ... UNPKU: 31 digits and a sign
constexpr std::size_t kMostDigits = 32;

// PKA, PKU: the digits are the right nibbles of the source's characters; the sign becomes plus.
template <std::size_t kCharacter>
void PackCharacters(Cpu& cpu, const Op& op) {
  const std::size_t length = std::size_t{op.x2} + 1;
  cpu.SpecificationUnless(length % kCharacter == 0 && length <= kMostDigits * kCharacter);
  std::array<U8, kMostDigits * kCharacter> source;
  cpu.LoadBytes(cpu.Operand2(op), absl::MakeSpan(source).first(length));
  std::array<U8, kPackedLength> packed{};
  packed[kPackedLength - 1] = kPlus;
  const std::size_t digits = std::min(length / kCharacter, kMostDigits - 1);
  for (std::size_t i = 0; i < digits; ++i) {  // from the right
    const unsigned digit = source[length - 1 - i * kCharacter] & 0xfu;
    const std::size_t nibble = i + 1;
    packed[kPackedLength - 1 - nibble / 2] |= static_cast<U8>(nibble % 2 == 0 ? digit : digit << 4);
  }
  cpu.StoreBytes(cpu.Operand1(op), packed);
}

// UNPKA, UNPKU: the condition code tells the sign: 0 plus, 1 minus, 3 not a sign.
template <std::size_t kCharacter>
void UnpackCharacters(Cpu& cpu, const Op& op) {
  constexpr U8 kAsciiZero = 0x30;
  const std::size_t length = std::size_t{op.x2} + 1;
  cpu.SpecificationUnless(length % kCharacter == 0 && length <= kMostDigits * kCharacter);
  std::array<U8, kPackedLength> packed;
  cpu.LoadBytes(cpu.Operand2(op), absl::MakeSpan(packed));
  std::array<U8, kMostDigits * kCharacter> characters{};
  for (std::size_t i = 0; i < length / kCharacter; ++i) {  // from the right
    const std::size_t nibble = i + 1;
    const unsigned byte = nibble < kMostDigits ? packed[kPackedLength - 1 - nibble / 2] : 0u;
    const unsigned digit = nibble % 2 == 0 ? byte & 0xf : byte >> 4;
    characters[length - 1 - i * kCharacter] = static_cast<U8>(kAsciiZero | digit);
  }
  cpu.StoreBytes(cpu.Operand1(op), absl::MakeConstSpan(characters).first(length));
  const unsigned sign = packed[kPackedLength - 1] & 0xfu;
  cpu.SetCc(sign < 10 ? 3 : IsNegativeSign(sign) ? 1 : 0);
}

constexpr Instruction kTable[] = {
    {0x4f, "CVB", Format::kRX_a, kBase, Straight<&ConvertToBinary>},
    {0xe306, "CVBY", Format::kRXY_a, 18, Straight<&ConvertToBinary>},
    {0xe30e, "CVBG", Format::kRXY_a, kBase, Straight<&ConvertToBinaryLong>},
    {0x4e, "CVD", Format::kRX_a, kBase, Straight<&ConvertToDecimal>},
    {0xe326, "CVDY", Format::kRXY_a, 18, Straight<&ConvertToDecimal>},
    {0xe32e, "CVDG", Format::kRXY_a, kBase, Straight<&ConvertToDecimalLong>},
    {0xf2, "PACK", Format::kSS_b, kBase, Straight<&Pack>},
    {0xf3, "UNPK", Format::kSS_b, kBase, Straight<&Unpack>},
    {0xe9, "PKA", Format::kSS_f, 16, Straight<&PackCharacters<1>>},
    {0xe1, "PKU", Format::kSS_f, 16, Straight<&PackCharacters<2>>},
    {0xea, "UNPKA", Format::kSS_a, 16, Straight<&UnpackCharacters<1>>},
    {0xe2, "UNPKU", Format::kSS_a, 16, Straight<&UnpackCharacters<2>>},
};

}  // namespace

absl::Span<const Instruction> ConvertInstructions() { return kTable; }

}  // namespace lethe::emulated
