#include <bit>
#include <cstdint>
#include <type_traits>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S32 = std::int32_t;
using S64 = std::int64_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// The second-operand address is not used to address data: its rightmost six bits count.
unsigned ShiftCount(Cpu& cpu, const Op& op) { return cpu.Address2(op) & 63; }

struct Shifted {
  S64 value;
  bool overflow;
};

// The sign stays where it is; a bit unlike it that is shifted out of the next position is overflow.
Shifted ShiftLeftSigned(S64 value, unsigned count) {
  const U64 magnitude = (static_cast<U64>(value) << count) & ~(U64{1} << 63);
  const U64 sign = static_cast<U64>(value) & U64{1} << 63;
  const S64 lost = value >> (63 - count);  // the sign and the `count` bits behind it
  return {static_cast<S64>(sign | magnitude), lost != 0 && lost != -1};
}

template <typename T, auto From>
void ShiftLeftLogical(Cpu& cpu, const Op& op) {
  PutR1<T>(cpu, op, static_cast<T>(U64{From(cpu, op)} << ShiftCount(cpu, op)));
}

template <typename T, auto From>
void ShiftRightLogical(Cpu& cpu, const Op& op) {
  PutR1<T>(cpu, op, static_cast<T>(U64{From(cpu, op)} >> ShiftCount(cpu, op)));
}

template <typename T, auto From>
void ShiftLeft(Cpu& cpu, const Op& op) {
  constexpr unsigned kUnused = 64 - 8 * sizeof(T);
  const U64 aligned = static_cast<U64>(S64{From(cpu, op)}) << kUnused;
  const Shifted shifted = ShiftLeftSigned(static_cast<S64>(aligned), ShiftCount(cpu, op));
  const T result = static_cast<T>(shifted.value >> kUnused);
  PutR1<T>(cpu, op, result);
  SetCcSigned(cpu, result, shifted.overflow);
}

template <typename T, auto From>
void ShiftRight(Cpu& cpu, const Op& op) {
  const T result = static_cast<T>(S64{From(cpu, op)} >> ShiftCount(cpu, op));
  PutR1<T>(cpu, op, result);
  cpu.SetCcSign(result);
}

template <typename T, auto From>
void RotateLeft(Cpu& cpu, const Op& op) {
  PutR1<T>(cpu, op, std::rotl(T{From(cpu, op)}, static_cast<int>(ShiftCount(cpu, op))));
}

// 64 bits in the right halves of an even-odd pair.
U64 InPair(Cpu& cpu, const Op& op) {
  const int odd = PairOf(cpu, op.r1);
  return U64{cpu.Low(op.r1)} << 32 | cpu.Low(odd);
}

void PutPair(Cpu& cpu, const Op& op, U64 value) {
  cpu.SetLow(op.r1, static_cast<U32>(value >> 32));
  cpu.SetLow(op.r1 + 1, static_cast<U32>(value));
}

void ShiftLeftDoubleLogical(Cpu& cpu, const Op& op) {
  const U64 value = InPair(cpu, op);
  PutPair(cpu, op, value << ShiftCount(cpu, op));
}

void ShiftRightDoubleLogical(Cpu& cpu, const Op& op) {
  const U64 value = InPair(cpu, op);
  PutPair(cpu, op, value >> ShiftCount(cpu, op));
}

void ShiftLeftDouble(Cpu& cpu, const Op& op) {
  const S64 value = static_cast<S64>(InPair(cpu, op));
  const Shifted shifted = ShiftLeftSigned(value, ShiftCount(cpu, op));
  PutPair(cpu, op, static_cast<U64>(shifted.value));
  SetCcSigned(cpu, shifted.value, shifted.overflow);
}

void ShiftRightDouble(Cpu& cpu, const Op& op) {
  const S64 value = static_cast<S64>(InPair(cpu, op)) >> ShiftCount(cpu, op);
  PutPair(cpu, op, static_cast<U64>(value));
  cpu.SetCcSign(value);
}

constexpr Instruction kTable[] = {
    {0x89, "SLL", Format::kRS_a, kBase, Straight<&ShiftLeftLogical<U32, &InR1<U32>>>},
    {0xebdf, "SLLK", Format::kRSY_a, 45, Straight<&ShiftLeftLogical<U32, &InR3<U32>>>},
    {0xeb0d, "SLLG", Format::kRSY_a, kBase, Straight<&ShiftLeftLogical<U64, &InR3<U64>>>},
    {0x88, "SRL", Format::kRS_a, kBase, Straight<&ShiftRightLogical<U32, &InR1<U32>>>},
    {0xebde, "SRLK", Format::kRSY_a, 45, Straight<&ShiftRightLogical<U32, &InR3<U32>>>},
    {0xeb0c, "SRLG", Format::kRSY_a, kBase, Straight<&ShiftRightLogical<U64, &InR3<U64>>>},
    {0x8b, "SLA", Format::kRS_a, kBase, Straight<&ShiftLeft<S32, &InR1<S32>>>},
    {0xebdd, "SLAK", Format::kRSY_a, 45, Straight<&ShiftLeft<S32, &InR3<S32>>>},
    {0xeb0b, "SLAG", Format::kRSY_a, kBase, Straight<&ShiftLeft<S64, &InR3<S64>>>},
    {0x8a, "SRA", Format::kRS_a, kBase, Straight<&ShiftRight<S32, &InR1<S32>>>},
    {0xebdc, "SRAK", Format::kRSY_a, 45, Straight<&ShiftRight<S32, &InR3<S32>>>},
    {0xeb0a, "SRAG", Format::kRSY_a, kBase, Straight<&ShiftRight<S64, &InR3<S64>>>},
    {0x8d, "SLDL", Format::kRS_a, kBase, Straight<&ShiftLeftDoubleLogical>},
    {0x8c, "SRDL", Format::kRS_a, kBase, Straight<&ShiftRightDoubleLogical>},
    {0x8f, "SLDA", Format::kRS_a, kBase, Straight<&ShiftLeftDouble>},
    {0x8e, "SRDA", Format::kRS_a, kBase, Straight<&ShiftRightDouble>},
    {0xeb1d, "RLL", Format::kRSY_a, kBase, Straight<&RotateLeft<U32, &InR3<U32>>>},
    {0xeb1c, "RLLG", Format::kRSY_a, kBase, Straight<&RotateLeft<U64, &InR3<U64>>>},
};

}  // namespace

absl::Span<const Instruction> ShiftInstructions() { return kTable; }

}  // namespace lethe::emulated
