#include "emulated-host/cpu/property_case.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/big_endian.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kMode24 = 0;
constexpr std::uint64_t kMode31 = Psw::kBasicAddressing;
constexpr std::uint64_t kMode64 = Psw::kExtendedAddressing | Psw::kBasicAddressing;

// Each level of tables has a boundary, and each addressing mode an end.
constexpr Window kWindows[] = {
    {"pages", PropertyMachine::kFrames + 4 * kPageSize, kMode64},
    {"segments", std::uint64_t{1} << 20, kMode31},
    {"regions", std::uint64_t{1} << 31, kMode64},
    {"second-table regions", std::uint64_t{1} << 42, kMode64},
    {"first-table regions", std::uint64_t{1} << 53, kMode64},
    {"end of 24 bits", std::uint64_t{1} << 24, kMode24},
    {"end of 31 bits", std::uint64_t{1} << 31, kMode31},
    {"end of 64 bits", 0, kMode64},
};

constexpr std::uint64_t kProgramMaskShift = 40;
constexpr std::uint64_t kSpaceShift = 46;

bool IsDecimal(const Instruction& row) {
  return (row.opcode >= 0xde && row.opcode <= 0xdf) || (row.opcode >= 0xf0 && row.opcode <= 0xfd) ||
         row.opcode == 0xebc0 || row.mnemonic.substr(0, 3) == "CVB";
}

// Where the window's byte at an address comes from; nullptr: not in the window.
std::uint8_t* ByteAt(PropertyCase& one, std::uint64_t address) {
  constexpr std::uint64_t kWindowBytes = PropertyMachine::kWindowPages * kPageSize;
  constexpr std::uint64_t kAddressBits = 0xff'ffff;  // those of the smallest mode are enough
  const std::uint64_t offset = (address - (one.window.middle - kWindowBytes / 2)) & kAddressBits;
  return offset < kWindowBytes ? &one.start.frames[offset] : nullptr;
}

void SetByte(PropertyCase& one, std::uint64_t address, std::uint64_t value) {
  std::uint8_t* const byte = ByteAt(one, address);
  if (byte != nullptr) *byte = static_cast<std::uint8_t>(value);
}

template <std::size_t kSize>
bool IsOneOf(const absl::string_view (&names)[kSize], const Instruction& row) {
  return std::ranges::find(names, row.mnemonic) != std::end(names);
}

}  // namespace

bool ProcessesLongOperands(const Instruction& row) {
  static constexpr absl::string_view kNames[] = {
      "MVCL", "CLCL", "MVCLE", "CLCLE", "MVCLU", "CLCLU", "CKSM", "SRST", "SRSTU",
      "CLST", "MVST", "CUSE",  "TRE",   "TRTE",  "TRTRE", "TROO", "TROT", "TRTO",
      "TRTT", "CU12", "CU14",  "CU21",  "CU24",  "CU41",  "CU42", "CMPSC"};
  return IsOneOf(kNames, row);
}

std::string PropertyCase::Describe() const {
  static constexpr const char* kPlaces[] = {"", ", across pages", ", by EX", ", by EXRL"};
  char line[120];
  std::snprintf(line, sizeof(line), "%016llx (%s%s, PSW %016llx)",
                static_cast<unsigned long long>(text), std::string(window.name).c_str(),
                kPlaces[static_cast<int>(place)], static_cast<unsigned long long>(psw_mask));
  return line;
}

const Window& CaseGenerator::AnyWindow() { return kWindows[Below(std::size(kWindows))]; }

// Near the end of a page, half of them on any operand's boundary.
std::uint64_t CaseGenerator::Address(const Window& window) {
  const std::uint64_t end = window.middle + (Below(5) - 2) * kPageSize;
  std::uint64_t address = end - 40 + Below(64);
  if (!OneIn(3)) address &= ~std::uint64_t{15};
  // What the addressing mode ignores.
  if (window.mode != kMode64 && OneIn(2)) address ^= random_() << (window.mode == 0 ? 24 : 31);
  return address;
}

std::uint64_t CaseGenerator::Length() { return OneIn(4) ? Below(6000) : Below(80); }

InstructionText CaseGenerator::Text(const Instruction& row, const InstructionFields& fields) {
  InstructionText text = fields.opcode() | (random_() & fields.operand_bits());
  for (const Field field : {Field::kR1, Field::kR2, Field::kR3}) {
    const std::int64_t any = fields.Of(text, field);
    if (any < 16 && !OneIn(4)) text = fields.With(text, field, any & ~1);
  }
  for (const Field base : {Field::kB1, Field::kB2}) {
    text = fields.With(text, base, static_cast<std::int64_t>(2 + 2 * Below(7)));
  }
  if (row.format == Format::kSS_a || row.format == Format::kSS_f) {
    if (OneIn(2)) text = fields.With(text, Field::kX2, static_cast<std::int64_t>(Below(32)));
  }
  text = fields.With(text, Field::kIndex, OneIn(4) ? 15 : 0);
  const bool is_long =
      row.format == Format::kRXY_a || row.format == Format::kRSY_a || row.format == Format::kSIY;
  for (const Field field : {Field::kD1, Field::kD2}) {
    const auto distance = static_cast<std::int64_t>(OneIn(2) ? Below(4) * 8 : Below(32));
    text = fields.With(text, field, is_long && OneIn(4) ? -distance : distance);
  }
  return text;
}

void CaseGenerator::FillRegisters(PropertyCase& one) {
  MachineState& start = one.start;
  for (int i = 0; i < 16; ++i) {
    start.general[i] = i % 2 == 0 ? Address(one.window) : Length();
    start.access[i] = OneIn(8) ? static_cast<std::uint32_t>(random_()) : Below(2);
    start.floating_point[i] = random_();
  }
  // Function codes and characters; the address of a table or a parameter list.
  start.general[0] = OneIn(3) ? 0 : Below(OneIn(2) ? 256 : 28);
  if (OneIn(2)) start.general[1] = Address(one.window) & ~std::uint64_t{7};
  start.general[kTargetBase] = PropertyMachine::kTarget;
  start.general[kModifier] =
      (start.general[kModifier] & ~std::uint64_t{0xff}) | (one.text >> 48 & 0xff);
  if (OneIn(4)) start.floating_point_control = static_cast<std::uint32_t>(random_()) & 0xf800'0000;
}

// What becomes of operands in the same registers, or of a padding byte that changes on the way, is
// unpredictable.
void CaseGenerator::KeepApart(const InstructionFields& fields, InstructionText& text) {
  const auto perhaps_odd = [this](std::uint64_t even) {
    return static_cast<std::int64_t>(OneIn(8) ? even + 1 : even);
  };
  text = fields.With(text, Field::kR1, perhaps_odd(2 + 2 * Below(3)));
  const bool third_is_mask = (text >> 56) == 0xb9 || (text >> 56) == 0xb2;
  for (const Field field : {Field::kR2, Field::kR3}) {
    if (field == Field::kR3 && third_is_mask) continue;
    text = fields.With(text, field, perhaps_odd(OneIn(2) ? 8 : 14));  // EXECUTE uses the others
  }
  text = fields.With(text, Field::kB2, 0);
}

// So is what comes of operands that overlap.
void CaseGenerator::KeepApart(const InstructionFields& fields, PropertyCase& one) {
  const auto place = [&](int number, int boundary) {
    const std::uint64_t end = one.window.middle + static_cast<std::uint64_t>(boundary) * kPageSize;
    std::uint64_t& address = one.start.general[number];
    address = end - 40 + Below(64);
    if (OneIn(2)) address &= ~std::uint64_t{7};
    std::uint64_t& length = one.start.general[(number + 1) % 16];
    length = OneIn(2) ? Below(80) : Below(3900);
    if (OneIn(2)) length &= ~std::uint64_t{3};
  };
  if (one.start.general[1] > 0xffff) one.start.general[1] = one.window.middle + 2 * kPageSize + 128;
  place(static_cast<int>(fields.Of(one.text, Field::kR1)), -3);
  const Field second = fields.Has(Field::kR2) ? Field::kR2 : Field::kR3;
  place(static_cast<int>(fields.Of(one.text, second)), 0);
}

void CaseGenerator::FillStorage(const Instruction& row, const InstructionFields& fields,
                                PropertyCase& one) {
  std::vector<std::uint8_t>& frames = one.start.frames;
  frames.resize(PropertyMachine::kFrameBytes);
  for (std::size_t i = 0; i < frames.size(); i += 8) {
    StoreBigEndian<std::uint64_t>(&frames[i], random_());
  }
  if (!IsDecimal(row) || OneIn(4)) return;
  // Decimal numbers: digits everywhere, and signs where the operands end.
  for (std::uint8_t& byte : frames) {
    byte = static_cast<std::uint8_t>((byte >> 4) % 10 << 4 | (byte & 0xf) % 10);
  }
  const auto sign = [&](Field base, Field distance, std::int64_t length) {
    if (!fields.Has(base)) return;
    const std::uint64_t address =
        one.start.general[fields.Of(one.text, base)] + fields.Of(one.text, distance) + length;
    std::uint8_t* const byte = ByteAt(one, address);
    if (byte != nullptr) *byte = static_cast<std::uint8_t>((*byte & 0xf0) | (10 + Below(6)));
  };
  const bool two_lengths = row.format == Format::kSS_b;
  const std::int64_t conversion = row.mnemonic == "CVBG" ? 15 : 7;
  sign(Field::kB2, Field::kD2,
       fields.Has(Field::kX2) && two_lengths ? fields.Of(one.text, Field::kR3) : conversion);
  sign(Field::kB1, Field::kD1, fields.Of(one.text, Field::kX2));
}

// An entry of the linkage stack to begin behind, or to take off; around the end of a page.
void CaseGenerator::FillLinkageStack(PropertyCase& one) {
  constexpr std::uint64_t kStateEntry = 296;
  constexpr std::uint64_t kDescriptor = 8;
  constexpr std::uint8_t kHeader = 0x09;
  constexpr std::uint8_t kBranchState = 0x0c;
  const std::uint64_t current = one.window.middle + kPageSize - 8 * Below(40);
  one.start.control[15] = current;
  const auto describe = [&](std::uint64_t at, std::uint64_t type) {
    for (std::uint64_t i = 0; i < kDescriptor; ++i) SetByte(one, at + i, 0);
    SetByte(one, at, type);
    SetByte(one, at + 2, OneIn(4) ? 0 : 2);  // remaining free space, left byte
    SetByte(one, at + 5, kStateEntry & 0xff);
    SetByte(one, at + 4, kStateEntry >> 8);
  };
  describe(current, kBranchState + Below(2));
  describe(current - kStateEntry, OneIn(2) ? kHeader : kBranchState);
}

// A dictionary of characters without children, and of symbols that stand for a few characters.
void CaseGenerator::FillDictionary(PropertyCase& one) {
  constexpr std::uint64_t kNineBitSymbols = 0x1000;
  constexpr std::uint64_t kExpands = 0x100;
  const bool expands = OneIn(2);
  const std::uint64_t dictionary = one.window.middle + 2 * kPageSize;
  one.start.general[0] = kNineBitSymbols | (expands ? kExpands : 0);
  one.start.general[1] = dictionary | Below(8);
  for (std::uint64_t entry = 0; entry < kPageSize; entry += 8) {
    SetByte(one, dictionary + entry, expands ? 1 + Below(7) : 0);
    if (!expands) SetByte(one, dictionary + entry + 1, 0);
  }
}

// Two equal operands but for perhaps a byte.
void CaseGenerator::FillEqually(PropertyCase& one) {
  const std::uint64_t first = one.window.middle - 2 * kPageSize - Below(64) * 2;
  const std::uint64_t third = one.window.middle + 2 * kPageSize - Below(64) * 2;
  one.start.general[1] = first;
  one.start.general[2] = 2 * Below(16);
  one.start.general[3] = third;
  const std::uint64_t different = OneIn(2) ? Below(300) : ~std::uint64_t{0};
  for (std::uint64_t i = 0; i < 2 * kPageSize; ++i) {
    const std::uint8_t* const byte = ByteAt(one, first + i);
    if (byte != nullptr && i != different) SetByte(one, third + i, *byte);
  }
}

// Something for EXECUTE that does the same each time.
void CaseGenerator::FillTarget(const InstructionFields& fields, PropertyCase& one) {
  static constexpr InstructionText kTargets[] = {
      0x5a80'2000'0000'0000,  // A 8,0(2)
      0x9455'2000'0000'0000,  // NI 0(2),x'55'
      0xd20f'4000'6000'0000,  // MVC 0(16,4),0(6)
      0xeb8c'2000'0004'0000,  // LMG 8,12,0(2)
      0xeb8c'2000'0024'0000,  // STMG 8,12,0(2)
      0x1a80'0000'0000'0000,  // AR 8,0
  };
  std::uint64_t address = one.operand;
  if (!one.is_relative) {
    address = one.start.general[fields.Of(one.text, Field::kB2)] + fields.Of(one.text, Field::kD2);
    const std::int64_t index = fields.Of(one.text, Field::kIndex);
    if (index != 0) address += one.start.general[index];
  }
  const InstructionText target = kTargets[Below(std::size(kTargets))];
  for (int i = 0; i < LengthOfText(target); ++i) SetByte(one, address + i, target >> (56 - 8 * i));
}

void CaseGenerator::FillSpecial(const Instruction& row, const InstructionFields& fields,
                                PropertyCase& one) {
  static constexpr absl::string_view kLinkage[] = {"BAKR", "PR", "EREG", "EREGG", "ESTA", "MSTA"};
  static constexpr absl::string_view kTraces[] = {"TRACE", "TRACG"};
  if (IsOneOf(kLinkage, row)) FillLinkageStack(one);
  if (row.mnemonic == "ESTA") one.start.general[fields.Of(one.text, Field::kR2)] = Below(6);
  if (IsOneOf(kTraces, row)) {
    constexpr std::uint64_t kExplicit = 1;
    one.start.control[12] =
        (PropertyMachine::FrameOf(PropertyMachine::kWindowPages) - 4 * Below(100)) | kExplicit;
    SetByte(one, one.start.general[2], Below(128));
  }
  if (row.mnemonic == "CMPSC") FillDictionary(one);
  if (row.mnemonic == "CFC") {
    one.text = fields.With(one.text, Field::kB2, 6);  // the others change on the way
    FillEqually(one);
  }
  if (row.mnemonic == "EX" || row.mnemonic == "EXRL") FillTarget(fields, one);
  if (row.mnemonic == "UPT") {
    one.start.general[4] = one.window.middle - 3 * kPageSize;  // the tree
    one.start.general[5] = Below(kPageSize) * 8;               // a node in it
  }
}

PropertyCase CaseGenerator::Make(const Instruction& row, const InstructionFields& fields,
                                 const std::array<std::uint64_t, 16>& control) {
  // Real addresses lead to the frames where the window has the same ones.
  static constexpr absl::string_view kReal[] = {"STURA", "STURG", "LURA", "LURAG", "TB",
                                                "ISKE",  "SSKE",  "RRBE", "IPTE",  "IDTE"};
  PropertyCase one;
  one.window = IsOneOf(kReal, row) ? kWindows[0] : AnyWindow();
  one.place = static_cast<Place>(Below(4));
  if (fields.length() == 2 && one.place == Place::kAcrossPages) one.place = Place::kInline;
  one.text = Text(row, fields);
  if (ProcessesLongOperands(row)) KeepApart(fields, one.text);
  one.is_relative = IsRelative(row.format);
  one.operand = one.window.middle - 16 + (OneIn(2) ? Below(4) * 8 : Below(16) * 2);
  constexpr AddressSpace kSpaces[] = {AddressSpace::kPrimary, AddressSpace::kPrimary,
                                      AddressSpace::kAccessRegister, AddressSpace::kSecondary,
                                      AddressSpace::kHome};
  const auto space = static_cast<std::uint64_t>(kSpaces[Below(std::size(kSpaces))]);
  one.psw_mask = one.window.mode | Psw::kDat | std::uint64_t{PropertyMachine::kKey} << 52 |
                 space << kSpaceShift | Below(64) << kProgramMaskShift;
  if (OneIn(8)) one.psw_mask |= Psw::kProblemState;
  one.start.control = control;
  const std::int64_t second = fields.Of(one.text, Field::kR2);
  if (IsOneOf(kReal, row) && (second % 2 != 0 || second == 0)) {
    one.text = fields.With(one.text, Field::kR2, 2);  // not the program, nor page 0
  }
  FillRegisters(one);
  if (ProcessesLongOperands(row)) KeepApart(fields, one);
  FillStorage(row, fields, one);
  FillSpecial(row, fields, one);
  one.start.keys.assign(PropertyMachine::kStorage / kPageSize, PropertyMachine::kKey << 4);
  return one;
}

PlacedProgram Put(PropertyMachine& machine, const InstructionFields& fields,
                  const PropertyCase& one, Place place, bool loops) {
  constexpr InstructionText kExecute = std::uint64_t{0x44} << 56 |
                                       std::uint64_t{CaseGenerator::kModifier} << 52 |
                                       std::uint64_t{CaseGenerator::kTargetBase} << 44;
  constexpr std::uint64_t kDistance = (PropertyMachine::kTarget - PropertyMachine::kProgram) / 2;
  constexpr InstructionText kExecuteRelative = std::uint64_t{0xc600} << 48 | kDistance << 16;
  constexpr InstructionText kSupervisorCall = std::uint64_t{0x0a00} << 48;
  constexpr InstructionText kBranchOnThree = std::uint64_t{0xa714} << 48;
  const int length = fields.length();
  PlacedProgram program{PropertyMachine::kProgram, 0, length};
  std::uint64_t at = program.address;
  InstructionText text = one.text;
  switch (place) {
    case Place::kInline:
      break;
    case Place::kAcrossPages:
      at = program.address = PropertyMachine::kCrossing - 2;
      break;
    case Place::kExecute:
      at = PropertyMachine::kTarget;
      program.length = 4;
      machine.PutText(program.address, kExecute, 4);
      text &= ~(std::uint64_t{0xff} << 48 & fields.operand_bits());
      break;
    case Place::kExecuteRelative:
      at = PropertyMachine::kTarget;
      program.length = 6;
      machine.PutText(program.address, kExecuteRelative, 6);
      break;
  }
  if (one.is_relative) {
    text = fields.With(text, Field::kI2, static_cast<std::int64_t>(one.operand - at));
  }
  machine.PutText(at, text, length);
  program.end = program.address + program.length;
  if (loops) {
    const auto back = static_cast<std::uint16_t>(-program.length / 2);
    machine.PutText(program.end, kBranchOnThree | std::uint64_t{back} << 32, 4);
    program.end += 4;
  }
  machine.PutText(program.end, kSupervisorCall, 2);
  return program;
}

}  // namespace lethe::emulated
