#ifndef LETHE_EMULATED_HOST_CPU_INSTRUCTION_FIELDS_H_
#define LETHE_EMULATED_HOST_CPU_INSTRUCTION_FIELDS_H_

#include <array>
#include <cstdint>

#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/instruction_set.h"

namespace lethe::emulated {

// Operand fields by the names of Op; a base or index of 0 means none.
enum class Field : std::uint8_t { kR1, kR2, kR3, kX2, kB1, kB2, kIndex, kD1, kD2, kI2, kI5 };
inline constexpr int kFields = 11;

// For tests: where the operand fields of a row are in its text. Asks the decoder what each bit
// does, so that a test needs no second description of the formats.
class InstructionFields {
 public:
  explicit InstructionFields(const Instruction& row);

  InstructionText opcode() const { return opcode_; }              // all operand bits zero
  InstructionText operand_bits() const { return operand_bits_; }  // whatever is not opcode
  std::uint8_t length() const { return LengthOfText(opcode_); }

  bool Has(Field field) const { return Bits(field) != 0; }
  // The bits of a field, 0: the format has none.
  InstructionText Bits(Field field) const { return bits_[static_cast<int>(field)]; }
  // A value that does not fit loses its leftmost bits.
  InstructionText With(InstructionText text, Field field, std::int64_t value) const;
  std::int64_t Of(InstructionText text, Field field) const;

 private:
  Op Decode(InstructionText text) const;

  const Instruction row_;
  InstructionText opcode_ = 0;
  InstructionText operand_bits_ = 0;
  std::array<InstructionText, kFields> bits_{};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_INSTRUCTION_FIELDS_H_
