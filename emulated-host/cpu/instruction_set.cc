#include "emulated-host/cpu/instruction_set.h"

#include "base/check.h"

namespace lethe::emulated {
namespace {

// Where the rest of the opcode stands behind the first byte.
enum class OpcodeTail : std::uint8_t { kNone, kSecondByte, kFourthNibble, kLastByte };

constexpr OpcodeTail TailOf(std::uint8_t first_byte) {
  switch (first_byte) {
    case 0x01:
    case 0xb2:
    case 0xb3:
    case 0xb9:
    case 0xe5:
      return OpcodeTail::kSecondByte;
    case 0xa5:
    case 0xa7:
    case 0xc0:
    case 0xc2:
    case 0xc4:
    case 0xc6:
    case 0xc8:
    case 0xcc:
      return OpcodeTail::kFourthNibble;
    case 0xe3:
    case 0xe6:
    case 0xe7:
    case 0xeb:
    case 0xec:
    case 0xed:
      return OpcodeTail::kLastByte;
    default:
      return OpcodeTail::kNone;
  }
}

constexpr std::uint8_t Byte(InstructionText text, int index) {
  return static_cast<std::uint8_t>(text >> (56 - 8 * index));
}

// Four bits; number 0 is the left half of byte 0.
constexpr std::uint8_t Nibble(InstructionText text, int index) {
  return text >> (60 - 4 * index) & 0xf;
}

// A base or index register.
constexpr std::uint8_t AddressRegister(InstructionText text, int index) {
  const std::uint8_t number = Nibble(text, index);
  return number == 0 ? kZeroRegister : number;
}

// `length` bits from bit `start` on, as a signed number.
constexpr std::int64_t Signed(InstructionText text, int start, int length) {
  return static_cast<std::int64_t>(text << start) >> (64 - length);
}

constexpr std::int32_t Displacement12(InstructionText text, int nibble) {
  return static_cast<std::int32_t>(text >> (64 - 4 * nibble - 12) & 0xfff);
}

// Long displacement: the low 12 bits at nibble 5, the high 8 bits (signed) behind them.
constexpr std::int32_t Displacement20(InstructionText text) {
  return static_cast<std::int32_t>(Signed(text, 32, 8) * 4096) + Displacement12(text, 5);
}

struct OpcodeParts {
  std::uint8_t first;
  std::uint8_t tail;
};

OpcodeParts PartsOf(std::uint16_t opcode) {
  if (opcode < 0x100) return {static_cast<std::uint8_t>(opcode), 0};
  const auto by_nibble = static_cast<std::uint8_t>(opcode >> 4);
  if (opcode < 0x1000 && TailOf(by_nibble) == OpcodeTail::kFourthNibble) {
    return {by_nibble, static_cast<std::uint8_t>(opcode & 0xf)};
  }
  return {static_cast<std::uint8_t>(opcode >> 8), static_cast<std::uint8_t>(opcode)};
}

void DecodeIndexed(InstructionText text, std::int32_t displacement, Op& op) {
  op.x2 = Nibble(text, 3);
  op.i5 = AddressRegister(text, 3);
  op.b2 = AddressRegister(text, 4);
  op.d2 = displacement;
}

void DecodeFirstStorage(InstructionText text, Op& op) {
  op.b1 = AddressRegister(text, 4);
  op.d1 = Displacement12(text, 5);
}

void DecodeTwoStorages(InstructionText text, Op& op) {
  DecodeFirstStorage(text, op);
  op.b2 = AddressRegister(text, 8);
  op.d2 = Displacement12(text, 9);
}

}  // namespace

std::uint16_t OpcodeOf(InstructionText text) {
  const std::uint8_t first = Byte(text, 0);
  switch (TailOf(first)) {
    case OpcodeTail::kNone:
      return first;
    case OpcodeTail::kSecondByte:
      return static_cast<std::uint16_t>(first << 8 | Byte(text, 1));
    case OpcodeTail::kFourthNibble:
      return static_cast<std::uint16_t>(first << 4 | Nibble(text, 3));
    case OpcodeTail::kLastByte:
      return static_cast<std::uint16_t>(first << 8 | Byte(text, 5));
  }
  return first;
}

bool IsRelative(Format format) {
  switch (format) {
    case Format::kRI_b:
    case Format::kRI_c:
    case Format::kRIL_b:
    case Format::kRIL_c:
    case Format::kRIE_b:
    case Format::kRIE_c:
    case Format::kRIE_e:
    case Format::kRSI:
      return true;
    default:
      return false;
  }
}

void DecodeOperands(InstructionText text, const Instruction& instruction, Op& op) {
  op.length = LengthOfText(text);
  op.opcode = instruction.opcode;
  switch (instruction.format) {
    case Format::kE:
      break;
    case Format::kI:
      op.i2 = Byte(text, 1);
      break;
    case Format::kIE:
      op.r1 = Nibble(text, 6);
      op.r2 = Nibble(text, 7);
      break;
    case Format::kRR:
    case Format::kRR_c:
      op.r1 = Nibble(text, 2);
      op.r2 = Nibble(text, 3);
      break;
    case Format::kRRE:
      op.r1 = Nibble(text, 6);
      op.r2 = Nibble(text, 7);
      break;
    case Format::kRRD:
      op.r1 = Nibble(text, 4);
      op.r3 = Nibble(text, 6);
      op.r2 = Nibble(text, 7);
      break;
    case Format::kRRF_a:
    case Format::kRRF_b:
    case Format::kRRF_c:
    case Format::kRRF_d:
    case Format::kRRF_e:
      op.r3 = Nibble(text, 4);
      op.x2 = Nibble(text, 5);
      op.r1 = Nibble(text, 6);
      op.r2 = Nibble(text, 7);
      break;
    case Format::kRI_a:
      op.r1 = Nibble(text, 2);
      op.i2 = Signed(text, 16, 16);
      break;
    case Format::kRI_b:
    case Format::kRI_c:
      op.r1 = Nibble(text, 2);
      op.i2 = Signed(text, 16, 16) * 2;
      break;
    case Format::kRIL_a:
      op.r1 = Nibble(text, 2);
      op.i2 = Signed(text, 16, 32);
      break;
    case Format::kRIL_b:
    case Format::kRIL_c:
      op.r1 = Nibble(text, 2);
      op.i2 = Signed(text, 16, 32) * 2;
      break;
    case Format::kRIE_a:
      op.r1 = Nibble(text, 2);
      op.i2 = Signed(text, 16, 16);
      op.r3 = Nibble(text, 8);
      break;
    case Format::kRIE_b:
      op.r1 = Nibble(text, 2);
      op.r2 = Nibble(text, 3);
      op.i2 = Signed(text, 16, 16) * 2;
      op.r3 = Nibble(text, 8);
      break;
    case Format::kRIE_c:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.i2 = Signed(text, 16, 16) * 2;
      op.i5 = Byte(text, 4);
      break;
    case Format::kRIE_d:
    case Format::kRIE_g:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.i2 = Signed(text, 16, 16);
      break;
    case Format::kRIE_e:
    case Format::kRSI:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.i2 = Signed(text, 16, 16) * 2;
      break;
    case Format::kRIE_f:
      op.r1 = Nibble(text, 2);
      op.r2 = Nibble(text, 3);
      op.r3 = Byte(text, 2);
      op.x2 = Byte(text, 3);
      op.i5 = Byte(text, 4);
      break;
    case Format::kRIS:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement12(text, 5);
      op.i2 = Signed(text, 32, 8);
      break;
    case Format::kRRS:
      op.r1 = Nibble(text, 2);
      op.r2 = Nibble(text, 3);
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement12(text, 5);
      op.r3 = Nibble(text, 8);
      break;
    case Format::kRS_a:
    case Format::kRS_b:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement12(text, 5);
      break;
    case Format::kRSY_a:
    case Format::kRSY_b:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement20(text);
      break;
    case Format::kRSL:
      op.x2 = Nibble(text, 2);
      DecodeFirstStorage(text, op);
      break;
    case Format::kRX_a:
    case Format::kRX_b:
      op.r1 = Nibble(text, 2);
      DecodeIndexed(text, Displacement12(text, 5), op);
      break;
    case Format::kRXE:
      op.r1 = Nibble(text, 2);
      DecodeIndexed(text, Displacement12(text, 5), op);
      op.r3 = Nibble(text, 8);
      break;
    case Format::kRXF:
      op.r3 = Nibble(text, 2);
      DecodeIndexed(text, Displacement12(text, 5), op);
      op.r1 = Nibble(text, 8);
      break;
    case Format::kRXY_a:
    case Format::kRXY_b:
      op.r1 = Nibble(text, 2);
      DecodeIndexed(text, Displacement20(text), op);
      break;
    case Format::kS:
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement12(text, 5);
      break;
    case Format::kSI:
      op.i2 = Signed(text, 8, 8);
      DecodeFirstStorage(text, op);
      break;
    case Format::kSIY:
      op.i2 = Signed(text, 8, 8);
      op.b1 = AddressRegister(text, 4);
      op.d1 = Displacement20(text);
      break;
    case Format::kSIL:
      DecodeFirstStorage(text, op);
      op.i2 = Signed(text, 32, 16);
      break;
    case Format::kSMI:
      op.r1 = Nibble(text, 2);
      DecodeFirstStorage(text, op);
      op.i2 = Signed(text, 32, 16) * 2;
      break;
    case Format::kMII:
      op.r1 = Nibble(text, 2);
      op.d2 = static_cast<std::int32_t>(Signed(text, 12, 12) * 2);
      op.i2 = Signed(text, 24, 24) * 2;
      break;
    case Format::kSS_a:
    case Format::kSS_f:
      op.x2 = Byte(text, 1);
      DecodeTwoStorages(text, op);
      break;
    case Format::kSS_b:
    case Format::kSS_c:
      op.x2 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      DecodeTwoStorages(text, op);
      break;
    case Format::kSS_d:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      DecodeTwoStorages(text, op);
      break;
    case Format::kSS_e:
      op.r1 = Nibble(text, 2);
      op.r3 = Nibble(text, 3);
      op.b2 = AddressRegister(text, 4);
      op.d2 = Displacement12(text, 5);
      op.b1 = AddressRegister(text, 8);
      op.d1 = Displacement12(text, 9);
      break;
    case Format::kSSE:
      DecodeTwoStorages(text, op);
      break;
    case Format::kSSF:
      op.r3 = Nibble(text, 2);
      DecodeTwoStorages(text, op);
      break;
  }
}

InstructionSet::InstructionSet(const CpuModel& model,
                               absl::Span<const absl::Span<const Instruction>> chapters) {
  for (const absl::Span<const Instruction> chapter : chapters) {
    for (const Instruction& row : chapter) {
      if (!model.Has(row.facility)) continue;
      const OpcodeParts parts = PartsOf(row.opcode);
      const Instruction** slot = &single_[parts.first];
      if (TailOf(parts.first) != OpcodeTail::kNone) {
        std::uint8_t& number = extension_of_[parts.first];
        if (number == 0) {
          extensions_.push_back({});
          number = static_cast<std::uint8_t>(extensions_.size());
        }
        slot = &extensions_[number - 1][parts.tail];
      }
      LETHE_CHECK(*slot == nullptr);
      *slot = &row;
    }
  }
}

const Instruction* InstructionSet::Find(InstructionText text) const {
  const std::uint8_t first = Byte(text, 0);
  const std::uint8_t number = extension_of_[first];
  if (number == 0) return single_[first];
  const Extension& extension = extensions_[number - 1];
  switch (TailOf(first)) {
    case OpcodeTail::kNone:
      return nullptr;
    case OpcodeTail::kSecondByte:
      return extension[Byte(text, 1)];
    case OpcodeTail::kFourthNibble:
      return extension[Nibble(text, 3)];
    case OpcodeTail::kLastByte:
      return extension[Byte(text, 5)];
  }
  return nullptr;
}

}  // namespace lethe::emulated
