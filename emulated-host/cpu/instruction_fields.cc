#include "emulated-host/cpu/instruction_fields.h"

#include "base/check.h"

namespace lethe::emulated {
namespace {

bool IsIndexed(Format format) {
  switch (format) {
    case Format::kRX_a:
    case Format::kRX_b:
    case Format::kRXE:
    case Format::kRXF:
    case Format::kRXY_a:
    case Format::kRXY_b:
      return true;
    default:
      return false;
  }
}

std::int64_t ValueOf(const Op& op, Format format, Field field) {
  switch (field) {
    case Field::kR1:
      return op.r1;
    case Field::kR2:
      return op.r2;
    case Field::kR3:
      return op.r3;
    case Field::kX2:
      return op.x2;
    case Field::kB1:
      return op.b1 % kZeroRegister;
    case Field::kB2:
      return op.b2 % kZeroRegister;
    case Field::kIndex:
      return IsIndexed(format) ? op.i5 % kZeroRegister : 0;
    case Field::kD1:
      return op.d1;
    case Field::kD2:
      return op.d2;
    case Field::kI2:
      return op.i2;
    case Field::kI5:
      return IsIndexed(format) ? 0 : op.i5;
  }
  return 0;
}

// The opcode in its place, all other bits zero.
InstructionText OpcodeText(std::uint16_t opcode) {
  const std::uint64_t wide = opcode;
  for (const InstructionText text :
       {wide < 0x100 ? wide << 56 : wide << 48, wide >> 8 << 56 | (wide & 0xff) << 16,
        wide >> 4 << 56 | (wide & 0xf) << 48}) {
    if (OpcodeOf(text) == opcode) return text;
  }
  LETHE_CHECK(false);
  return 0;
}

}  // namespace

InstructionFields::InstructionFields(const Instruction& row)
    : row_(row), opcode_(OpcodeText(row.opcode)) {
  for (int i = 63; i >= 64 - 8 * length(); --i) {
    const InstructionText bit = InstructionText{1} << i;
    if (OpcodeOf(opcode_ ^ bit) != row.opcode) continue;
    operand_bits_ |= bit;
    for (int field = 0; field < kFields; ++field) {
      const auto name = static_cast<Field>(field);
      if (Of(opcode_ | bit, name) != Of(opcode_, name)) bits_[field] |= bit;
    }
  }
}

Op InstructionFields::Decode(InstructionText text) const {
  Op op;
  DecodeOperands(text, row_, op);
  return op;
}

std::int64_t InstructionFields::Of(InstructionText text, Field field) const {
  return ValueOf(Decode(text), row_.format, field);
}

InstructionText InstructionFields::With(InstructionText text, Field field,
                                        std::int64_t value) const {
  const InstructionText bits = Bits(field);
  text &= ~bits;
  for (InstructionText rest = bits; rest != 0; rest &= rest - 1) {
    const InstructionText bit = rest & -rest;
    // What the bit is worth; the leftmost one of a signed field is worth less than nothing.
    const std::int64_t worth = Of(opcode_ | bit, field) - Of(opcode_, field);
    const auto weight = static_cast<std::uint64_t>(worth < 0 ? -worth : worth);
    if ((static_cast<std::uint64_t>(value) & weight) != 0) text |= bit;
  }
  return text;
}

}  // namespace lethe::emulated
