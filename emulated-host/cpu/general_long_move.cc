#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

constexpr U8 kMoreToDo = 3;

// MOVE LONG and COMPARE LOGICAL LONG keep 24-bit lengths in bits 40-63 whatever the mode is.
struct ShortLength {
  static U64 Get(Cpu& cpu, int number) { return cpu.gr(number) & 0xffffff; }
  static void Set(Cpu& cpu, int number, U64 length) {
    cpu.SetLow(number, (cpu.Low(number) & 0xff000000u) | static_cast<U32>(length));
  }
};
struct FullLength {
  static U64 Get(Cpu& cpu, int number) { return LengthInRegister(cpu, number); }
  static void Set(Cpu& cpu, int number, U64 length) { SetLengthInRegister(cpu, number, length); }
};

// An operand in an even-odd pair: address and length. What a step has done is at once put into the
// registers, so an access exception in the next step finds them as the manual wants them.
template <typename Length>
struct LongOperand {
  int number;
  LogicalAddress at;
  U64 length;

  LongOperand(Cpu& cpu, int even)
      : number(even), at(cpu.AddressInRegister(even)), length(Length::Get(cpu, even + 1)) {}
  void Save(Cpu& cpu) const {
    cpu.SetAddressInRegister(number, at.address);
    Length::Set(cpu, number + 1, length);
  }
  void Step(Cpu& cpu, std::size_t done) {
    at = Advance(cpu, at, done);
    length -= done;
    Save(cpu);
  }
};

std::size_t AtMostUnit(U64 length) {
  return static_cast<std::size_t>(std::min<U64>(length, kUnitOfOperation));
}

U8 CcOfLengths(U64 first, U64 second) { return first == second ? 0 : first < second ? 1 : 2; }

// Fills with one- or two-byte characters; an odd number of bytes is possible with the former only.
template <typename Character>
void Fill(absl::Span<U8> to, U16 pad) {
  if constexpr (sizeof(Character) == 1) {
    std::memset(to.data(), pad & 0xff, to.size());
  } else {
    for (std::size_t i = 0; i + 1 < to.size(); i += 2) {
      to[i] = static_cast<U8>(pad >> 8);
      to[i + 1] = static_cast<U8>(pad);
    }
  }
}

template <typename Character>
std::size_t WholeCharacters(std::size_t bytes) {
  return bytes & ~(sizeof(Character) - 1);
}

// Moves or pads within one page; returns the number of bytes done. Two-byte characters that lie
// across two pages go one by one.
template <typename Character, typename Operand>
std::size_t PadSome(Cpu& cpu, Operand& to, U16 pad) {
  absl::Span<U8> span = cpu.StoreSpan(to.at, AtMostUnit(to.length));
  const std::size_t size = WholeCharacters<Character>(span.size());
  if (size == 0) {
    cpu.Store<Character>(to.at, static_cast<Character>(pad));
    to.Step(cpu, sizeof(Character));
    return sizeof(Character);
  }
  Fill<Character>(span.first(size), pad);
  to.Step(cpu, size);
  return size;
}

template <typename Character, typename Operand>
std::size_t MoveSome(Cpu& cpu, Operand& to, Operand& from, U16 pad) {
  if (from.length == 0) return PadSome<Character>(cpu, to, pad);
  const std::size_t most = AtMostUnit(std::min(to.length, from.length));
  const SpanPair spans = CommonSpans(cpu, to.at, from.at, most);
  std::size_t size = WholeCharacters<Character>(spans.to.size());
  if (size == 0) {
    size = sizeof(Character);
    cpu.Store<Character>(to.at, cpu.Load<Character>(from.at));
  } else {
    CopyForward(spans.to.first(size), spans.from.first(size));
  }
  to.Step(cpu, size);
  from.Step(cpu, size);
  return size;
}

// Compares within one page, the shorter operand extended by `pad`. Advances both to the first
// unequal character and returns true if there is one; `order` tells which is low.
template <typename Character, typename Operand>
bool DiffersAt(Cpu& cpu, Operand& first, Operand& second, U16 pad, int* order) {
  const auto at_or_pad = [&cpu, pad](const Operand& operand) {
    return operand.length == 0 ? static_cast<Character>(pad) : cpu.Load<Character>(operand.at);
  };
  const Character a = at_or_pad(first);
  const Character b = at_or_pad(second);
  *order = a == b ? 0 : a < b ? -1 : 1;
  return a != b;
}

template <typename Character, typename Operand>
std::size_t CompareSome(Cpu& cpu, Operand& first, Operand& second, U16 pad, int* order) {
  std::size_t equal = 0;
  if (first.length != 0 && second.length != 0) {
    const std::size_t most = AtMostUnit(std::min(first.length, second.length));
    const FetchPair spans = CommonFetchSpans(cpu, first.at, second.at, most);
    const auto mismatch =
        std::mismatch(spans.first.begin(), spans.first.end(), spans.second.begin());
    equal =
        WholeCharacters<Character>(static_cast<std::size_t>(mismatch.first - spans.first.begin()));
  } else {
    const Operand& longer = first.length != 0 ? first : second;
    const absl::Span<const U8> span = cpu.FetchSpan(longer.at, AtMostUnit(longer.length));
    while (equal + sizeof(Character) <= span.size() &&
           LoadBigEndian<Character>(&span[equal]) == static_cast<Character>(pad)) {
      equal += sizeof(Character);
    }
  }
  if (equal == 0) {
    if (DiffersAt<Character>(cpu, first, second, pad, order)) return 0;
    equal = sizeof(Character);
  }
  if (first.length != 0) first.Step(cpu, equal);
  if (second.length != 0) second.Step(cpu, equal);
  return equal;
}

// The padding character of the extended forms is the right end of the second-operand address.
U16 PadOf(Cpu& cpu, const Op& op) { return static_cast<U16>(cpu.Address2(op)); }

// MVCL: interruptible.
const Op* MoveLong(Cpu& cpu, const Op& op) {
  PairOf(cpu, op.r1);
  const U16 pad = static_cast<U8>(cpu.Low(PairOf(cpu, op.r2)) >> 24);
  LongOperand<ShortLength> to(cpu, op.r1);
  LongOperand<ShortLength> from(cpu, op.r2);
  const U8 cc = CcOfLengths(to.length, from.length);
  // Destructive overlap: a byte would be read after it was written. Nothing is moved then.
  const U64 distance = cpu.WrapAddress(to.at.address - from.at.address);
  if (distance != 0 && distance < std::min(to.length, from.length)) {
    cpu.SetCc(3);
    return cpu.Next(op);
  }
  to.Save(cpu);
  from.Save(cpu);
  for (std::size_t done = 0; to.length != 0;) {
    if (done >= kUnitOfOperation) return cpu.Again(op);
    done += MoveSome<U8>(cpu, to, from, pad);
  }
  cpu.SetCc(cc);
  return cpu.Next(op);
}

// CLCL: interruptible.
const Op* CompareLong(Cpu& cpu, const Op& op) {
  PairOf(cpu, op.r1);
  const U16 pad = static_cast<U8>(cpu.Low(PairOf(cpu, op.r2)) >> 24);
  LongOperand<ShortLength> first(cpu, op.r1);
  LongOperand<ShortLength> second(cpu, op.r2);
  first.Save(cpu);
  second.Save(cpu);
  int order = 0;
  for (std::size_t done = 0; order == 0 && (first.length != 0 || second.length != 0);) {
    if (done >= kUnitOfOperation) return cpu.Again(op);
    done += CompareSome<U8>(cpu, first, second, pad, &order);
  }
  cpu.SetCc(order == 0 ? 0 : order < 0 ? 1 : 2);
  return cpu.Next(op);
}

// MVCLE, MVCLU: end with condition code 3 after a CPU-determined number of bytes.
template <typename Character>
void MoveLongExtended(Cpu& cpu, const Op& op) {
  PairOf(cpu, op.r1);
  PairOf(cpu, op.r3);
  const U16 pad = PadOf(cpu, op);
  LongOperand<FullLength> to(cpu, op.r1);
  LongOperand<FullLength> from(cpu, op.r3);
  cpu.SpecificationUnless((to.length | from.length) % sizeof(Character) == 0);
  const U8 cc = CcOfLengths(to.length, from.length);
  to.Save(cpu);
  from.Save(cpu);
  for (std::size_t done = 0; to.length != 0 && done < kUnitOfOperation;) {
    done += MoveSome<Character>(cpu, to, from, pad);
  }
  cpu.SetCc(to.length == 0 ? cc : kMoreToDo);
}

// CLCLE, CLCLU.
template <typename Character>
void CompareLongExtended(Cpu& cpu, const Op& op) {
  PairOf(cpu, op.r1);
  PairOf(cpu, op.r3);
  const U16 pad = PadOf(cpu, op);
  LongOperand<FullLength> first(cpu, op.r1);
  LongOperand<FullLength> second(cpu, op.r3);
  cpu.SpecificationUnless((first.length | second.length) % sizeof(Character) == 0);
  first.Save(cpu);
  second.Save(cpu);
  int order = 0;
  for (std::size_t done = 0; order == 0 && (first.length != 0 || second.length != 0);) {
    if (done >= kUnitOfOperation) return cpu.SetCc(kMoreToDo);
    done += CompareSome<Character>(cpu, first, second, pad, &order);
  }
  cpu.SetCc(order == 0 ? 0 : order < 0 ? 1 : 2);
}

constexpr Instruction kTable[] = {
    {0x0e, "MVCL", Format::kRR, kBase, Branching<&MoveLong>},
    {0x0f, "CLCL", Format::kRR, kBase, Branching<&CompareLong>},
    {0xa8, "MVCLE", Format::kRS_a, kBase, Straight<&MoveLongExtended<U8>>},
    {0xa9, "CLCLE", Format::kRS_a, kBase, Straight<&CompareLongExtended<U8>>},
    {0xeb8e, "MVCLU", Format::kRSY_a, 16, Straight<&MoveLongExtended<U16>>},
    {0xeb8f, "CLCLU", Format::kRSY_a, 16, Straight<&CompareLongExtended<U16>>},
};

}  // namespace

absl::Span<const Instruction> LongMoveInstructions() { return kTable; }

}  // namespace lethe::emulated
