// COMPARE AND FORM CODEWORD and UPDATE TREE, which sort and merge. Registers and codewords are as
// wide as the addressing mode makes them.

#include <cstddef>
#include <cstdint>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// The widths of one addressing mode.
struct Widths {
  bool is_long;
  std::size_t key;   // bytes compared at a time
  std::size_t word;  // of a codeword
  U64 leftmost;      // bit of a codeword
};

Widths WidthsOf(Cpu& cpu) {
  if (cpu.AddressingBits() == 64) return {true, 6, 8, U64{1} << 63};
  return {false, 2, 4, 0x80000000};
}

U64 LoadWord(Cpu& cpu, const Widths& widths, LogicalAddress at) {
  return widths.is_long ? cpu.Load<U64>(at) : cpu.Load<U32>(at);
}

// `key` bytes of a sort key as a number.
U64 LoadKey(Cpu& cpu, const Widths& widths, LogicalAddress at) {
  std::uint8_t bytes[6];
  cpu.LoadBytes(at, absl::MakeSpan(bytes, widths.key));
  U64 value = 0;
  for (std::size_t i = 0; i < widths.key; ++i) value = value << 8 | bytes[i];
  return value;
}

// CFC: the keys at the addresses in registers 1 and 3 are compared from the index in register 2 up
// to the limit in the operand address, whose rightmost bit chooses the descending order. The
// codeword in register 2 tells where they differ and how. Interruptible after each part that is
// equal.
const Op* CompareAndFormCodeword(Cpu& cpu, const Op& op) {
  const Widths widths = WidthsOf(cpu);
  const U64 operand = cpu.Address2(op);
  const U64 limit = operand & 0x7ffe;
  const bool descending = (operand & 1) != 0;
  cpu.SpecificationUnless(((cpu.gr(1) | cpu.gr(2) | cpu.gr(3)) & 1) == 0);
  const U64 mask = widths.key == 6 ? (U64{1} << 48) - 1 : 0xffff;
  for (std::size_t done = 0;; done += widths.key) {
    if (done >= kUnitOfOperation) return cpu.Again(op);
    const U64 index = cpu.gr(2) & 0xffff;
    if (index > limit) {
      SetLengthInRegister(cpu, 2, LengthInRegister(cpu, 3) | widths.leftmost);
      cpu.SetCc(0);
      return cpu.Next(op);
    }
    const LogicalAddress first{cpu.WrapAddress(cpu.gr(1) + index), 1};
    const LogicalAddress third{cpu.WrapAddress(cpu.gr(3) + index), 1};
    const U64 a = LoadKey(cpu, widths, first);
    const U64 b = LoadKey(cpu, widths, third);
    const U64 advanced = LengthInRegister(cpu, 2) + widths.key;
    if (a == b) {
      SetLengthInRegister(cpu, 2, advanced);
      continue;
    }
    const bool in_sequence = (a < b) != descending;
    // The key that comes second makes the codeword; ascending: inverted, so that codewords of lower
    // keys are higher.
    const U64 later = in_sequence ? b : a;
    SetLengthInRegister(cpu, 2, advanced << 8 * widths.key | (descending ? later : ~later & mask));
    if (!in_sequence) {
      const U64 swapped = LengthInRegister(cpu, 1);
      SetLengthInRegister(cpu, 1, LengthInRegister(cpu, 3));
      SetLengthInRegister(cpu, 3, swapped);
    }
    cpu.SetCc(in_sequence ? 1 : 2);
    return cpu.Next(op);
  }
}

// UPT: from the node at the index in register 5 (from the base in register 4) towards the root of
// the tree, the pair in registers 0 and 1 is exchanged for that of each node whose codeword is
// higher.
void UpdateTree(Cpu& cpu, const Op&) {
  const Widths widths = WidthsOf(cpu);
  const U64 node = 2 * widths.word;
  cpu.SpecificationUnless(((cpu.gr(4) | cpu.gr(5)) & (node - 1)) == 0);
  for (;;) {
    const U64 index = LengthInRegister(cpu, 5) >> 1 & ~(node - 1);
    const U64 codeword = LengthInRegister(cpu, 0);
    if (index == 0 || (codeword & widths.leftmost) != 0) {
      SetLengthInRegister(cpu, 5, index);
      return cpu.SetCc(index == 0 ? 1 : 3);
    }
    const LogicalAddress at{cpu.WrapAddress(cpu.gr(4) + index), 4};
    const LogicalAddress behind = Advance(cpu, at, widths.word);
    const U64 found = LoadWord(cpu, widths, at);
    const U64 data = LoadWord(cpu, widths, behind);
    if (found == codeword) {
      SetLengthInRegister(cpu, 5, index);
      SetLengthInRegister(cpu, 2, found);
      SetLengthInRegister(cpu, 3, data);
      return cpu.SetCc(0);
    }
    if (found > codeword) {
      if (widths.is_long) {
        cpu.Store<U64>(at, codeword);
        cpu.Store<U64>(behind, cpu.gr(1));
      } else {
        cpu.Store<U32>(at, static_cast<U32>(codeword));
        cpu.Store<U32>(behind, cpu.Low(1));
      }
      SetLengthInRegister(cpu, 0, found);
      SetLengthInRegister(cpu, 1, data);
    }
    SetLengthInRegister(cpu, 5, index);
  }
}

constexpr Instruction kTable[] = {
    {0x0102, "UPT", Format::kE, kBase, Straight<&UpdateTree>},
    {0xb21a, "CFC", Format::kS, kBase, Branching<&CompareAndFormCodeword>},
};

}  // namespace

absl::Span<const Instruction> SortInstructions() { return kTable; }

}  // namespace lethe::emulated
