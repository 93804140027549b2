#include <cstddef>
#include <cstdint>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

constexpr U8 kAllDone = 0;
constexpr U8 kTargetFull = 1;
constexpr U8 kInvalid = 2;
constexpr U8 kMoreToDo = 3;

struct Operand {
  int number;
  LogicalAddress at;
  U64 length;

  Operand(Cpu& cpu, int even)
      : number(even), at(cpu.AddressInRegister(even)), length(LengthInRegister(cpu, even + 1)) {}
  void Step(Cpu& cpu, std::size_t bytes) {
    at = Advance(cpu, at, bytes);
    length -= bytes;
    cpu.SetAddressInRegister(number, at.address);
    SetLengthInRegister(cpu, number + 1, length);
  }
};

// One character out of the source: how many bytes it is long, or why there is none.
struct Decoded {
  enum class State { kCharacter, kIncomplete, kInvalid };
  State state = State::kIncomplete;
  U32 character = 0;
  std::size_t length = 0;
};
constexpr Decoded kIncompleteCharacter{};
constexpr Decoded kInvalidCharacter{.state = Decoded::State::kInvalid};

constexpr Decoded Character(U32 character, std::size_t length) {
  return {.state = Decoded::State::kCharacter, .character = character, .length = length};
}

struct Utf8 {
  // How long the character is that begins with `lead`; 0: none does.
  static std::size_t LengthOf(unsigned lead, bool check) {
    if (lead < 0x80) return 1;
    if (lead < (check ? 0xc2u : 0xc0u)) return 0;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < (check ? 0xf5u : 0xf8u) ? 4 : 0;
  }

  // Well-formedness of the byte behind the lead, where that narrows it beyond 80-bf.
  static bool SecondFits(unsigned lead, unsigned second) {
    switch (lead) {
      case 0xe0:
        return second >= 0xa0;
      case 0xed:
        return second < 0xa0;
      case 0xf0:
        return second >= 0x90;
      case 0xf4:
        return second < 0x90;
      default:
        return true;
    }
  }

  static Decoded Decode(Cpu& cpu, const Operand& from, bool check) {
    if (from.length == 0) return kIncompleteCharacter;
    const unsigned lead = cpu.Load<U8>(from.at);
    const std::size_t length = LengthOf(lead, check);
    if (length == 0) return kInvalidCharacter;
    if (length > from.length) return kIncompleteCharacter;
    if (length == 1) return Character(lead, 1);
    U32 character = lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const unsigned byte = cpu.Load<U8>(Advance(cpu, from.at, i));
      if (check && ((byte & 0xc0) != 0x80 || (i == 1 && !SecondFits(lead, byte)))) {
        return kInvalidCharacter;
      }
      character = character << 6 | (byte & 0x3f);
    }
    return Character(character, length);
  }

  static bool Encode(Cpu& cpu, Operand& to, U32 character) {
    const std::size_t length = character < 0x80      ? 1
                               : character < 0x800   ? 2
                               : character < 0x10000 ? 3
                                                     : 4;
    if (to.length < length) return false;
    if (length == 1) {
      cpu.Store<U8>(to.at, static_cast<U8>(character));
      to.Step(cpu, 1);
      return true;
    }
    U8 bytes[4];
    for (std::size_t i = length; --i > 0; character >>= 6) {
      bytes[i] = static_cast<U8>(0x80 | (character & 0x3f));
    }
    bytes[0] = static_cast<U8>(0xf00u >> length | character);
    cpu.StoreBytes(to.at, absl::MakeConstSpan(bytes, length));
    to.Step(cpu, length);
    return true;
  }
};

struct Utf16 {
  static Decoded Decode(Cpu& cpu, const Operand& from, bool check) {
    if (from.length < 2) return kIncompleteCharacter;
    const U32 high = cpu.Load<U16>(from.at);
    if ((high & 0xfc00) != 0xd800) return Character(high, 2);
    if (from.length < 4) return kIncompleteCharacter;
    const U32 low = cpu.Load<U16>(Advance(cpu, from.at, 2));
    if (check && (low & 0xfc00) != 0xdc00) return kInvalidCharacter;
    const U32 plane = (high >> 6 & 0xf) + 1;
    return Character(plane << 16 | (high & 0x3f) << 10 | (low & 0x3ff), 4);
  }

  static bool Encode(Cpu& cpu, Operand& to, U32 character) {
    if (character < 0x10000) {
      if (to.length < 2) return false;
      cpu.Store<U16>(to.at, static_cast<U16>(character));
      to.Step(cpu, 2);
      return true;
    }
    if (to.length < 4) return false;
    const U32 plane = ((character >> 16) - 1) & 0xf;
    const U32 high = 0xd800 | plane << 6 | (character >> 10 & 0x3f);
    const U32 low = 0xdc00 | (character & 0x3ff);
    cpu.Store<U32>(to.at, high << 16 | low);
    to.Step(cpu, 4);
    return true;
  }
};

struct Utf32 {
  static Decoded Decode(Cpu& cpu, const Operand& from, bool) {
    if (from.length < 4) return kIncompleteCharacter;
    const U32 character = cpu.Load<U32>(from.at);
    const bool high_surrogate = character >= 0xd800 && character < 0xdc00;
    if (high_surrogate || character > 0x10ffff) return kInvalidCharacter;
    return Character(character, 4);
  }

  static bool Encode(Cpu& cpu, Operand& to, U32 character) {
    if (to.length < 4) return false;
    cpu.Store<U32>(to.at, character);
    to.Step(cpu, 4);
    return true;
  }
};

// CU12 ... CU42. M3 bit 1 asks for a check of well-formedness (ETF3-enhancement facility).
template <typename From, typename To>
void ConvertUnicode(Cpu& cpu, const Op& op) {
  constexpr Facility kEnhancement3 = 30;
  PairOf(cpu, op.r1);
  PairOf(cpu, op.r2);
  const bool check = (op.r3 & 1) != 0 && cpu.HasFacility(kEnhancement3);
  Operand to(cpu, op.r1);
  Operand from(cpu, op.r2);
  for (std::size_t done = 0; done < kUnitOfOperation;) {
    const Decoded decoded = From::Decode(cpu, from, check);
    if (decoded.state == Decoded::State::kIncomplete) return cpu.SetCc(kAllDone);
    if (decoded.state == Decoded::State::kInvalid) return cpu.SetCc(kInvalid);
    if (!To::Encode(cpu, to, decoded.character)) return cpu.SetCc(kTargetFull);
    from.Step(cpu, decoded.length);
    done += decoded.length;
  }
  cpu.SetCc(kMoreToDo);
}

constexpr Instruction kTable[] = {
    {0xb2a7, "CU12", Format::kRRF_c, kBase, Straight<&ConvertUnicode<Utf8, Utf16>>},
    {0xb9b0, "CU14", Format::kRRF_c, 22, Straight<&ConvertUnicode<Utf8, Utf32>>},
    {0xb2a6, "CU21", Format::kRRF_c, kBase, Straight<&ConvertUnicode<Utf16, Utf8>>},
    {0xb9b1, "CU24", Format::kRRF_c, 22, Straight<&ConvertUnicode<Utf16, Utf32>>},
    {0xb9b2, "CU41", Format::kRRE, 22, Straight<&ConvertUnicode<Utf32, Utf8>>},
    {0xb9b3, "CU42", Format::kRRE, 22, Straight<&ConvertUnicode<Utf32, Utf16>>},
};

}  // namespace

absl::Span<const Instruction> UnicodeInstructions() { return kTable; }

}  // namespace lethe::emulated
