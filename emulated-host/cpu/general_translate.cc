#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

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

constexpr U8 kMoreToDo = 3;

// A 256-byte table in storage. Only the bytes that arguments select are accessed: a table that lies
// across two pages is looked up byte by byte.
class ByteTable {
 public:
  ByteTable(Cpu& cpu, LogicalAddress at) : cpu_(cpu), at_(at) {
    if (at.address % kPageSize <= kPageSize - 256) bytes_ = cpu.FetchSpan(at, 256).data();
  }
  U8 operator[](U8 argument) const {
    return bytes_ != nullptr ? bytes_[argument] : cpu_.Load<U8>(Advance(cpu_, at_, argument));
  }

 private:
  Cpu& cpu_;
  const LogicalAddress at_;
  const U8* bytes_ = nullptr;
};

// TR.
void Translate(Cpu& cpu, const Op& op) {
  std::size_t length = std::size_t{op.x2} + 1;
  LogicalAddress at = cpu.Operand1(op);
  cpu.CheckAccess(at, length, Access::kFetch);
  cpu.CheckAccess(at, length, Access::kStore);
  const ByteTable table(cpu, cpu.Operand2(op));
  // Translating a copy first meets every exception of the table before anything is stored. Where
  // table and operand overlap, the stores come too late to be seen: then byte by byte, in place.
  const U64 distance = cpu.WrapAddress(cpu.Operand2(op).address - at.address);
  const bool may_overlap = distance < length || cpu.WrapAddress(~distance + 1) < 256;
  std::array<U8, 256> copy;
  cpu.LoadBytes(at, absl::MakeSpan(copy).first(length));
  for (std::size_t i = 0; i < length; ++i) copy[i] = table[copy[i]];
  if (!may_overlap) return cpu.StoreBytes(at, absl::MakeConstSpan(copy).first(length));
  for (; length != 0; --length, at = Advance(cpu, at, 1)) {
    cpu.Store<U8>(at, table[cpu.Load<U8>(at)]);
  }
}

// TRT, TRTR: R1 gets the address of the argument found (in the 24-bit mode its left byte stays),
// R2's right byte the function byte.
template <bool kForward>
void TranslateAndTest(Cpu& cpu, const Op& op) {
  const std::size_t length = std::size_t{op.x2} + 1;
  LogicalAddress at = cpu.Operand1(op);
  const ByteTable table(cpu, cpu.Operand2(op));
  for (std::size_t i = 0; i < length; ++i) {
    const U8 function = table[cpu.Load<U8>(at)];
    if (function != 0) {
      const U32 kept = cpu.AddressingBits() == 24 ? cpu.Low(1) & 0xff000000u : 0;
      cpu.SetAddressInRegister(1, at.address);
      if (kept != 0) cpu.SetLow(1, cpu.Low(1) | kept);
      cpu.gr(2) = (cpu.gr(2) & ~U64{0xff}) | function;
      return cpu.SetCc(i + 1 == length ? 2 : 1);
    }
    at = Advance(cpu, at, kForward ? 1 : ~U64{0});
  }
  cpu.SetCc(0);
}

// TRE: stops at the test byte of register 0.
void TranslateExtended(Cpu& cpu, const Op& op) {
  const int length_register = PairOf(cpu, op.r1);
  const U8 stop = static_cast<U8>(cpu.gr(0));
  LogicalAddress at = cpu.AddressInRegister(op.r1);
  U64 length = LengthInRegister(cpu, length_register);
  const ByteTable table(cpu, cpu.AddressInRegister(op.r2));
  U8 cc = 0;
  for (std::size_t done = 0; length != 0; ++done) {
    cc = done == kUnitOfOperation ? kMoreToDo : 0;
    if (cc != 0) break;
    cpu.CheckAccess(at, 1, Access::kStore);
    const U8 argument = cpu.Load<U8>(at);
    if (argument == stop) {
      cc = 1;
      break;
    }
    cpu.Store<U8>(at, table[argument]);
    at = Advance(cpu, at, 1);
    --length;
    cpu.SetAddressInRegister(op.r1, at.address);
    SetLengthInRegister(cpu, length_register, length);
  }
  cpu.SetAddressInRegister(op.r1, at.address);
  SetLengthInRegister(cpu, length_register, length);
  cpu.SetCc(cc);
}

constexpr Facility kEnhancement2 = 24;

// A table indexed by From characters that yields To characters.
template <typename From, typename To>
LogicalAddress TableAddress(Cpu& cpu, int number) {
  LogicalAddress table = cpu.AddressInRegister(number);
  const bool on_page = sizeof(From) == 2 && !cpu.HasFacility(kEnhancement2);
  table.address &= on_page ? ~U64{4095} : ~U64{7};
  return table;
}

template <typename To, typename From>
To LookUp(Cpu& cpu, LogicalAddress table, From argument) {
  return cpu.Load<To>(Advance(cpu, table, U64{argument} * sizeof(To)));
}

// TROO, TROT, TRTO, TRTT: from R2 to R1 until the function character is the test character of
// register 0 (unless M3 says not to test). The length is the source's.
template <typename From, typename To>
void TranslateCharacters(Cpu& cpu, const Op& op) {
  const int length_register = PairOf(cpu, op.r1);
  LogicalAddress to = cpu.AddressInRegister(op.r1);
  LogicalAddress from = cpu.AddressInRegister(op.r2);
  U64 length = LengthInRegister(cpu, length_register);
  cpu.SpecificationUnless(length % sizeof(From) == 0);
  const LogicalAddress table = TableAddress<From, To>(cpu, 1);
  const To stop = static_cast<To>(cpu.gr(0));
  const bool tests = (op.r3 & 1) == 0 || !cpu.HasFacility(kEnhancement2);
  for (std::size_t done = 0; length != 0; done += sizeof(From)) {
    if (done >= kUnitOfOperation) return cpu.SetCc(kMoreToDo);
    const To function = LookUp<To>(cpu, table, cpu.Load<From>(from));
    if (tests && function == stop) return cpu.SetCc(1);
    cpu.Store<To>(to, function);
    to = Advance(cpu, to, sizeof(To));
    from = Advance(cpu, from, sizeof(From));
    length -= sizeof(From);
    cpu.SetAddressInRegister(op.r1, to.address);
    cpu.SetAddressInRegister(op.r2, from.address);
    SetLengthInRegister(cpu, length_register, length);
  }
  cpu.SetCc(0);
}

// TRTE, TRTRE. M3: 8 two-byte arguments, 4 two-byte function codes, 2 argument limit.
template <bool kForward>
void TranslateAndTestExtended(Cpu& cpu, const Op& op) {
  const int length_register = PairOf(cpu, op.r1);
  const std::size_t size = (op.r3 & 8) != 0 ? 2 : 1;
  const bool wide_function = (op.r3 & 4) != 0;
  const bool limited = (op.r3 & 2) != 0;
  LogicalAddress at = cpu.AddressInRegister(op.r1);
  U64 length = LengthInRegister(cpu, length_register);
  cpu.SpecificationUnless(length % size == 0);
  LogicalAddress table = cpu.AddressInRegister(1);
  table.address &= ~U64{7};
  U16 function = 0;
  U8 cc = 0;
  for (std::size_t done = 0; length != 0 && cc == 0; done += size) {
    if (done >= kUnitOfOperation) {
      cc = kMoreToDo;
      break;
    }
    const U16 argument = size == 2 ? cpu.Load<U16>(at) : cpu.Load<U8>(at);
    if (limited && argument > 255) {
      function = 0;
    } else {
      function =
          wide_function ? LookUp<U16>(cpu, table, argument) : LookUp<U8>(cpu, table, argument);
    }
    if (function != 0) {
      cc = 1;
      break;
    }
    at = Advance(cpu, at, kForward ? size : ~U64{size} + 1);
    length -= size;
  }
  cpu.SetAddressInRegister(op.r1, at.address);
  SetLengthInRegister(cpu, length_register, length);
  // As much of the register as an address or a length has.
  if (cc != kMoreToDo) SetLengthInRegister(cpu, op.r2, function);
  cpu.SetCc(cc);
}

constexpr Instruction kTable[] = {
    {0xdc, "TR", Format::kSS_a, kBase, Straight<&Translate>},
    {0xdd, "TRT", Format::kSS_a, kBase, Straight<&TranslateAndTest<true>>},
    {0xd0, "TRTR", Format::kSS_a, 22, Straight<&TranslateAndTest<false>>},
    {0xb2a5, "TRE", Format::kRRE, kBase, Straight<&TranslateExtended>},
    {0xb993, "TROO", Format::kRRF_c, 16, Straight<&TranslateCharacters<U8, U8>>},
    {0xb992, "TROT", Format::kRRF_c, 16, Straight<&TranslateCharacters<U8, U16>>},
    {0xb991, "TRTO", Format::kRRF_c, 16, Straight<&TranslateCharacters<U16, U8>>},
    {0xb990, "TRTT", Format::kRRF_c, 16, Straight<&TranslateCharacters<U16, U16>>},
    {0xb9bf, "TRTE", Format::kRRF_c, 26, Straight<&TranslateAndTestExtended<true>>},
    {0xb9bd, "TRTRE", Format::kRRF_c, 26, Straight<&TranslateAndTestExtended<false>>},
};

}  // namespace

absl::Span<const Instruction> TranslateInstructions() { return kTable; }

}  // namespace lethe::emulated
