#ifndef LETHE_EMULATED_HOST_CPU_INSTRUCTION_SET_H_
#define LETHE_EMULATED_HOST_CPU_INSTRUCTION_SET_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu_model.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::emulated {

// The bytes of an instruction, the first one leftmost; what lies behind it is zero.
using InstructionText = std::uint64_t;

// 2, 4 or 6: the first two bits of an instruction say it.
constexpr std::uint8_t LengthOfInstruction(std::uint8_t first_byte) {
  if (first_byte < 0x40) return 2;
  return first_byte < 0xc0 ? 4 : 6;
}
constexpr std::uint8_t LengthOfText(InstructionText text) {
  return LengthOfInstruction(static_cast<std::uint8_t>(text >> 56));
}

// The opcode as Instruction::opcode writes it.
std::uint16_t OpcodeOf(InstructionText text);

// Is the `i2` of this format a distance in bytes from the instruction?
bool IsRelative(Format format);

// Fills in everything but handler, offset, executed and link.
void DecodeOperands(InstructionText text, const Instruction& instruction, Op& op);

// All instructions of the chapters of this folder, in no particular order.
std::vector<absl::Span<const Instruction>> AllChapters();

// The instructions that a CPU model offers.
class InstructionSet {
 public:
  // `chapters` outlives the set. No two rows may have the same opcode.
  InstructionSet(const CpuModel& model, absl::Span<const absl::Span<const Instruction>> chapters);

  // The row for an instruction, or nullptr: operation exception.
  const Instruction* Find(InstructionText text) const;

 private:
  // Rows by the part of the opcode behind the first byte.
  using Extension = std::array<const Instruction*, 256>;

  std::array<const Instruction*, 256> single_{};  // opcodes of one byte
  std::array<std::uint8_t, 256> extension_of_{};  // first byte -> number in extensions_ plus 1
  std::vector<Extension> extensions_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_INSTRUCTION_SET_H_
