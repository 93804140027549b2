#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/big_endian.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// These instructions end with condition code 3 after a CPU-determined number of bytes; the program
// then branches back to them. Their registers change only at the end, so an access exception
// nullifies them.
constexpr U8 kMoreToDo = 3;

// The search or ending character: bits 56-63 of register 0; bits 32-55 must be zeros.
U8 EndingCharacter(Cpu& cpu) {
  cpu.SpecificationUnless((cpu.Low(0) & 0xffffff00u) == 0);
  return static_cast<U8>(cpu.Low(0));
}

// The index of the first byte that differs or, in both operands, ends the string; size if none.
std::size_t CommonPrefix(const FetchPair& spans, U8 end) {
  const U8* const a = spans.first.data();
  const U8* const b = spans.second.data();
  const std::size_t size = spans.first.size();
  constexpr U64 kOnes = 0x0101010101010101;
  const U64 pattern = kOnes * end;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    U64 first;
    U64 second;
    std::memcpy(&first, a + i, 8);
    std::memcpy(&second, b + i, 8);
    const U64 ended = first ^ pattern;
    if (first != second || ((ended - kOnes) & ~ended & (kOnes << 7)) != 0) break;
  }
  while (i < size && a[i] == b[i] && a[i] != end) ++i;
  return i;
}

// CLST.
void CompareStrings(Cpu& cpu, const Op& op) {
  const U8 end = EndingCharacter(cpu);
  LogicalAddress first = cpu.AddressInRegister(op.r1);
  LogicalAddress second = cpu.AddressInRegister(op.r2);
  for (std::size_t done = 0; done < kUnitOfOperation;) {
    const FetchPair spans = CommonFetchSpans(cpu, first, second, kUnitOfOperation);
    const std::size_t size = spans.first.size();
    const std::size_t at = CommonPrefix(spans, end);
    first = Advance(cpu, first, at);
    second = Advance(cpu, second, at);
    done += at;
    if (at == size) continue;
    const U8 a = spans.first[at];
    const U8 b = spans.second[at];
    if (a == b) return cpu.SetCc(0);
    // The string that ends here is the lower one, whatever its ending character is.
    const bool first_is_low = a == end || (b != end && a < b);
    cpu.SetAddressInRegister(op.r1, first.address);
    cpu.SetAddressInRegister(op.r2, second.address);
    return cpu.SetCc(first_is_low ? 1 : 2);
  }
  cpu.SetAddressInRegister(op.r1, first.address);
  cpu.SetAddressInRegister(op.r2, second.address);
  cpu.SetCc(kMoreToDo);
}

// SRST: R2 is the start of the search, R1 the end of the string.
void SearchString(Cpu& cpu, const Op& op) {
  const U8 wanted = EndingCharacter(cpu);
  const U64 end = cpu.AddressInRegister(op.r1).address;
  LogicalAddress at = cpu.AddressInRegister(op.r2);
  for (std::size_t done = 0; done < kUnitOfOperation;) {
    const U64 left = cpu.WrapAddress(end - at.address);
    if (left == 0) return cpu.SetCc(2);
    const std::size_t most = static_cast<std::size_t>(std::min<U64>(left, kUnitOfOperation));
    const absl::Span<const U8> span = cpu.FetchSpan(at, most);
    if (const void* found = std::memchr(span.data(), wanted, span.size())) {
      at = Advance(cpu, at, static_cast<U64>(static_cast<const U8*>(found) - span.data()));
      cpu.SetAddressInRegister(op.r1, at.address);
      return cpu.SetCc(1);
    }
    at = Advance(cpu, at, span.size());
    done += span.size();
  }
  if (at.address == end) return cpu.SetCc(2);
  cpu.SetAddressInRegister(op.r2, at.address);
  cpu.SetCc(kMoreToDo);
}

// SRSTU: the same for two-byte characters. The end may be passed over if it is odd off the start.
void SearchStringUnicode(Cpu& cpu, const Op& op) {
  cpu.SpecificationUnless((cpu.Low(0) & 0xffff0000u) == 0);
  const U16 wanted = static_cast<U16>(cpu.Low(0));
  const U64 end = cpu.AddressInRegister(op.r1).address;
  LogicalAddress at = cpu.AddressInRegister(op.r2);
  for (std::size_t done = 0; done < kUnitOfOperation; done += 2) {
    if (at.address == end || at.address == cpu.WrapAddress(end + 1)) return cpu.SetCc(2);
    if (cpu.Load<U16>(at) == wanted) {
      cpu.SetAddressInRegister(op.r1, at.address);
      return cpu.SetCc(1);
    }
    at = Advance(cpu, at, 2);
  }
  cpu.SetAddressInRegister(op.r2, at.address);
  cpu.SetCc(kMoreToDo);
}

// MVST.
void MoveString(Cpu& cpu, const Op& op) {
  const U8 end = EndingCharacter(cpu);
  LogicalAddress to = cpu.AddressInRegister(op.r1);
  LogicalAddress from = cpu.AddressInRegister(op.r2);
  const absl::Span<const U8> source = cpu.FetchSpan(from, kUnitOfOperation);
  const void* const found = std::memchr(source.data(), end, source.size());
  const std::size_t wanted =
      found != nullptr ? static_cast<std::size_t>(static_cast<const U8*>(found) - source.data()) + 1
                       : source.size();
  const SpanPair spans = CommonSpans(cpu, to, from, wanted);
  const std::size_t moved = spans.to.size();
  CopyForward(spans.to, spans.from);
  if (found != nullptr && moved == wanted) {
    cpu.SetAddressInRegister(op.r1, Advance(cpu, to, moved - 1).address);
    return cpu.SetCc(1);
  }
  cpu.SetAddressInRegister(op.r1, Advance(cpu, to, moved).address);
  cpu.SetAddressInRegister(op.r2, Advance(cpu, from, moved).address);
  cpu.SetCc(kMoreToDo);
}

// CKSM: adds words with end-around carry, the last one padded with zeros on the right.
U32 AddWithEndAroundCarry(U32 sum, absl::Span<const U8> bytes) {
  U64 total = sum;
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) total += LoadBigEndian<U32>(bytes.data() + i);
  for (unsigned shift = 24; i < bytes.size(); ++i, shift -= 8) total += U64{bytes[i]} << shift;
  total = (total & 0xffffffff) + (total >> 32);
  return static_cast<U32>((total & 0xffffffff) + (total >> 32));
}

void Checksum(Cpu& cpu, const Op& op) {
  const int length_register = PairOf(cpu, op.r2);
  LogicalAddress at = cpu.AddressInRegister(op.r2);
  U64 length = LengthInRegister(cpu, length_register);
  U32 sum = cpu.Low(op.r1);
  for (std::size_t done = 0; done < kUnitOfOperation && length != 0;) {
    const std::size_t most = static_cast<std::size_t>(std::min<U64>(length, kUnitOfOperation));
    std::size_t size = cpu.FetchSpan(at, most).size();
    if (size >= 4 && size < length) size &= ~std::size_t{3};
    if (size >= 4 || size == length) {
      sum = AddWithEndAroundCarry(sum, cpu.FetchSpan(at, size));
    } else {  // a word across two pages, or the last bytes of the operand across them
      std::array<U8, 4> word;
      size = static_cast<std::size_t>(std::min<U64>(length, 4));
      cpu.LoadBytes(at, absl::MakeSpan(word).first(size));
      sum = AddWithEndAroundCarry(sum, absl::MakeConstSpan(word).first(size));
    }
    at = Advance(cpu, at, size);
    length -= size;
    done += size;
  }
  cpu.SetLow(op.r1, sum);
  cpu.SetAddressInRegister(op.r2, at.address);
  SetLengthInRegister(cpu, length_register, length);
  cpu.SetCc(length == 0 ? 0 : kMoreToDo);
}

// CUSE: looks for a substring of equal bytes of the length in register 0 (bits 56-63), at equal
// places in both operands. Register 1 holds the padding byte. A unit of operation is one byte.
struct Operand {
  int number;
  LogicalAddress at;
  U64 length;

  Operand(Cpu& cpu, int register_number)
      : number(register_number),
        at(cpu.AddressInRegister(register_number)),
        length(LengthInRegister(cpu, register_number + 1)) {}
  U8 Byte(Cpu& cpu, U8 pad) const { return length == 0 ? pad : cpu.Load<U8>(at); }
  void Step(Cpu& cpu) {
    if (length == 0) return;
    at = Advance(cpu, at, 1);
    --length;
  }
  void Save(Cpu& cpu) const {
    cpu.SetAddressInRegister(number, at.address);
    SetLengthInRegister(cpu, number + 1, length);
  }
};

void CompareUntilSubstringEqual(Cpu& cpu, const Op& op) {
  PairOf(cpu, op.r1);
  PairOf(cpu, op.r2);
  const U8 pad = static_cast<U8>(cpu.gr(1));
  const unsigned wanted = cpu.gr(0) & 0xff;
  Operand first(cpu, op.r1);
  Operand second(cpu, op.r2);
  Operand first_start = first;  // of the present run of equal bytes
  Operand second_start = second;
  unsigned run = 0;
  U8 cc = kMoreToDo;
  // Goes back to the start of a run when it stops at a limit: the run is found anew next time.
  for (std::size_t done = 0; done < kUnitOfOperation; ++done) {
    if (run == wanted) {
      cc = 0;
      break;
    }
    if (first.length == 0 && second.length == 0) {
      cc = run != 0 ? 1 : 2;
      break;
    }
    if (first.Byte(cpu, pad) == second.Byte(cpu, pad)) {
      if (run++ == 0) {
        first_start = first;
        second_start = second;
      }
    } else {
      run = 0;
    }
    first.Step(cpu);
    second.Step(cpu);
  }
  if (run != 0) {
    first = first_start;
    second = second_start;
  }
  first.Save(cpu);
  second.Save(cpu);
  cpu.SetCc(cc);
}

constexpr Instruction kTable[] = {
    {0xb25d, "CLST", Format::kRRE, kBase, Straight<&CompareStrings>},
    {0xb25e, "SRST", Format::kRRE, kBase, Straight<&SearchString>},
    {0xb9be, "SRSTU", Format::kRRE, 22, Straight<&SearchStringUnicode>},
    {0xb255, "MVST", Format::kRRE, kBase, Straight<&MoveString>},
    {0xb241, "CKSM", Format::kRRE, kBase, Straight<&Checksum>},
    {0xb257, "CUSE", Format::kRRE, kBase, Straight<&CompareUntilSubstringEqual>},
};

}  // namespace

absl::Span<const Instruction> StringInstructions() { return kTable; }

}  // namespace lethe::emulated
