#include "tests/differential/generator.h"

#include <algorithm>
#include <array>

namespace lethe::differential {
namespace {

using emulated::Format;
using emulated::Instruction;

template <std::size_t kSize>
bool Contains(const std::array<absl::string_view, kSize>& names, absl::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

constexpr std::array<absl::string_view, 25> kNotInOracle = {
    "AP",  "SP",   "ZAP",  "CP",   "MP",    "DP",    "SRP",  "ED",  "EDMK",
    "TP",  "CUSE", "PLO",  "TRTE", "TRTRE", "LMD",   "CFC",  "UPT", "CVDG",
    "CVB", "CVBY", "CVBG", "CPYA", "DIEBR", "DIDBR", "CMPSC"};
constexpr std::array<absl::string_view, 5> kWrongInOracle = {"STMH", "MDEB", "MDEBR", "MXDB",
                                                             "MXDBR"};
constexpr std::array<absl::string_view, 5> kModeChanges = {"BSM", "BASSM", "SAM24", "SAM31", "TAM"};
constexpr std::array<absl::string_view, 3> kOwnEffects = {"SVC", "MC", "SAM64"};

constexpr std::array<absl::string_view, 6> kSignedDivisions = {"D",     "DR",   "DSG",
                                                               "DSGFR", "DSGR", "DSGF"};

// Branches to an address in a register or formed from a base register.
constexpr std::array<absl::string_view, 21> kRegisterBranches = {
    "BC",   "BCR",  "BAL",   "BALR", "BAS",  "BASR", "BCT",   "BCTR", "BCTG", "BCTGR", "BXH",
    "BXLE", "BXHG", "BXLEG", "CRB",  "CGRB", "CLRB", "CLGRB", "CIB",  "CGIB", "CLIB"};
bool IsRegisterBranch(absl::string_view mnemonic) {
  return mnemonic == "CLGIB" || Contains(kRegisterBranches, mnemonic);
}

// Relative operands that are branch targets; the others are in storage.
bool IsRelativeBranch(const Instruction& instruction) {
  switch (instruction.format) {
    case Format::kRI_b:
    case Format::kRI_c:
    case Format::kRIE_b:
    case Format::kRIE_c:
    case Format::kRIE_e:
    case Format::kRSI:
      return true;
    default:
      return instruction.mnemonic == "BRASL" || instruction.mnemonic == "BRCL" ||
             instruction.mnemonic == "BRCTH";
  }
}

// Instructions whose first operand is an access register (0 and 1 are not for us).
constexpr std::array<absl::string_view, 9> kAccessRegisters = {
    "SAR", "CPYA", "LAM", "LAMY", "STAM", "STAMY", "LAE", "LAEY", "EAR"};

// Overlapping operands have no defined result.
constexpr std::array<absl::string_view, 8> kNoOverlap = {"UNPK",  "MVCIN", "PKA", "PKU",
                                                         "UNPKA", "UNPKU", "ED",  "EDMK"};

// Long operands in registers.
struct PairUse {
  absl::string_view mnemonic;
  bool first;   // R1 and R1 + 1 are address and length
  bool second;  // R2 (R3 of RS and RSY) likewise
  Role length = Role::kLength;
};
constexpr PairUse kPairUses[] = {
    {"MVCL", true, true, Role::kPaddedLength},
    {"CLCL", true, true, Role::kPaddedLength},
    {"MVCLE", true, true},
    {"CLCLE", true, true},
    {"MVCLU", true, true, Role::kEvenLength},
    {"CLCLU", true, true, Role::kEvenLength},
    {"CKSM", false, true},
    {"TRE", true, false, Role::kNonzeroLength},
    {"TROO", true, false, Role::kNonzeroLength},
    {"TROT", true, false, Role::kNonzeroLength},
    {"TRTO", true, false, Role::kNonzeroLength},
    {"TRTT", true, false, Role::kNonzeroLength},
    {"CU12", true, true},
    {"CU14", true, true},
    {"CU21", true, true},
    {"CU24", true, true},
    {"CU41", true, true},
    {"CU42", true, true},
    {"CUSE", true, true},
    {"TRTE", true, false, Role::kNonzeroLength},
    {"TRTRE", true, false, Role::kNonzeroLength},
};

constexpr std::uint64_t kDataOffset = 320;   // where operands begin
constexpr std::uint64_t kOtherOffset = 620;  // and those that must not overlap them

// The stub's second instruction: something short for EXECUTE to modify, with operands in storage
// addressed by general register 2.
constexpr std::array<std::uint8_t, 8> kTargets[] = {
    {0x18, 0x35},                          // LR 3,5
    {0x1a, 0x35},                          // AR 3,5
    {0xb9, 0x0a, 0x00, 0x35},              // ALGR 3,5
    {0x95, 0x00, 0x20, 0x10},              // CLI 16(2),0
    {0x92, 0x00, 0x20, 0x10},              // MVI 16(2),0
    {0xd2, 0x00, 0x20, 0x00, 0x20, 0x40},  // MVC 0(1,2),64(2)
    {0xd5, 0x00, 0x20, 0x00, 0x20, 0x40},  // CLC 0(1,2),64(2)
    {0xd7, 0x00, 0x20, 0x00, 0x20, 0x01},  // XC 0(1,2),1(2)
    {0xe3, 0x30, 0x20, 0x08, 0x00, 0x04},  // LG 3,8(2)
    {0x44, 0x00, 0x20, 0x00},              // EX 0,0(2): execute exception
};

constexpr unsigned kWindowKinds = 7;
constexpr unsigned kWindowsOfAKind = 32;

}  // namespace

Generator::Generator(std::uint64_t seed, const Layout& layout)
    : layout_(layout), random_(seed), windows_(std::size_t{kWindowKinds} * kWindowsOfAKind) {
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    MakeWindow(static_cast<unsigned>(i % kWindowKinds), windows_[i]);
  }
  for (unsigned i = 0; i < kValues; ++i) values_.push_back(NewValue());
}

absl::string_view ReasonToSkip(const Instruction& instruction) {
  if (Contains(kNotInOracle, instruction.mnemonic)) return "not in the oracle";
  if (Contains(kWrongInOracle, instruction.mnemonic)) return "always wrong in the oracle";
  if (Contains(kModeChanges, instruction.mnemonic)) return "changes the addressing mode";
  if (Contains(kOwnEffects, instruction.mnemonic)) return "effect outside of the CPU";
  if (instruction.format == Format::kMII || instruction.format == Format::kSMI) {
    return "a hint without effect";
  }
  return "";
}

void Generator::ChooseStorage(const Instruction& instruction, Sample& sample, Fields& fields) {
  const bool branch = IsRegisterBranch(instruction.mnemonic);
  fields.b1 = BaseRegister();
  fields.b2 = BaseRegister();
  const auto displacement = [this] { return OneIn(4) ? Below(128) : Below(16) * 8; };
  fields.d1 = displacement();
  fields.d2 = displacement();
  sample.roles[fields.b1] = Role::kData;
  sample.roles[fields.b2] = branch ? Role::kTaken : Role::kData;
  if (branch) {
    fields.d2 = 0;
    fields.x2 = 0;
    return;
  }
  switch (instruction.format) {
    case Format::kRXY_a:
    case Format::kRXY_b:
    case Format::kRSY_a:
    case Format::kRSY_b:
      if (OneIn(3)) fields.d2 = -fields.d2;
      break;
    case Format::kSIY:
      if (OneIn(3)) fields.d1 = -fields.d1;
      break;
    default:
      break;
  }
  switch (instruction.format) {
    case Format::kRX_a:
    case Format::kRX_b:
    case Format::kRXE:
    case Format::kRXF:
    case Format::kRXY_a:
    case Format::kRXY_b:
      fields.x2 = 0;
      if (!OneIn(4)) {
        fields.x2 = BaseRegister();
        if (fields.x2 == fields.b2) fields.x2 = 0;
        if (fields.x2 != 0) sample.roles[fields.x2] = Role::kIndex;
      }
      break;
    default:
      break;
  }
}

void Generator::ChooseRelative(const Instruction& instruction, std::uint32_t number,
                               Fields& fields) {
  if (!emulated::IsRelative(instruction.format)) return;
  const auto here = static_cast<std::int64_t>(layout_.code + number * kStubBytes + kInstruction);
  if (IsRelativeBranch(instruction)) {
    fields.i2 = (kTaken - kInstruction) / 2;
  } else if (instruction.mnemonic == "EXRL") {
    fields.i2 = (kTarget - kInstruction) / 2;
  } else if (instruction.mnemonic == "LARL") {
    fields.i2 = static_cast<std::int32_t>(Random()) / 4;  // the oracle has 32 bits for the distance
  } else {
    const std::uint64_t offset = OneIn(4) ? Below(128) * 2 : Below(32) * 8;
    fields.i2 = (static_cast<std::int64_t>(layout_.window + kDataOffset + offset) - here) / 2;
  }
}

void Generator::ChooseSpecial(const Instruction& instruction, Sample& sample, Fields& fields) {
  const absl::string_view name = instruction.mnemonic;
  auto& roles = sample.roles;
  if (Contains(kAccessRegisters, name)) {
    fields.r1 = 2 + Below(14);
    fields.r2 = 2 + Below(14);
    fields.r3 = fields.r1 + Below(16 - fields.r1);
  }
  for (const PairUse& use : kPairUses) {
    if (use.mnemonic != name) continue;
    fields.r1 = 2 + 2 * Below(3);
    fields.r2 = 8 + 2 * Below(3);
    fields.r3 = fields.r2;
    roles.fill(Role::kAny);
    roles[fields.r1] = Role::kData;
    roles[fields.r2] = Role::kOther;
    if (use.first) roles[fields.r1 + 1] = use.length;
    if (use.second) roles[fields.r2 + 1] = use.length;
    if (name.substr(0, 3) == "TRO" || name.substr(0, 3) == "TRT") roles[1] = Role::kFarTable;
    if (name == "TROT") roles[0] = Role::kLength;  // the oracle looks at one byte only
    if (instruction.format == Format::kRRF_c) fields.r3 = Below(2);  // M3
    if (name == "TRTE" || name == "TRTRE") fields.r3 = Below(16);
    if (OneIn(16)) ++fields.r1;  // specification exception
    fields.b2 = 14;              // the padding byte: nothing that changes on the way
    sample.stub.repeat = 1;
  }
  if (name == "CLST" || name == "MVST" || name == "SRST" || name == "SRSTU") {
    fields.r1 = 2 + Below(6);
    fields.r2 = 8 + Below(6);
    roles.fill(Role::kAny);
    roles[0] = name == "SRSTU" ? Role::kWideCharacter : Role::kCharacter;
    sample.stub.repeat = 1;
    roles[fields.r1] = name[0] == 'S' ? Role::kEndOfData : Role::kOther;
    roles[fields.r2] = Role::kData;
  }
  if (name == "CSST") {
    roles[0] = Role::kFunction;
    roles[1] = Role::kAligned;
    fields.r3 = 2 * (1 + Below(3));
    fields.b1 = 8 + Below(4);
    fields.b2 = 12 + Below(4);
    roles[fields.b1] = roles[fields.b2] = Role::kAligned;
    fields.d1 = 16 * Below(8);
    fields.d2 = 16 * Below(8);
  }
  if (name.substr(0, 4) == "SRNM" || name.substr(0, 2) == "TC") {
    fields.b2 = fields.x2 = 0;
    fields.d2 = name[0] == 'S' ? Below(OneIn(4) ? 4096 : 8) : Below(4096);
  }
  if (name == "SFPC" || name == "SFASR") roles[fields.r1] = Role::kControl;
  if (Contains(kNoOverlap, name)) {
    if (fields.length > 15) fields.length = Below(64);
    fields.d1 = Below(16);
    fields.d2 = Below(16);
    fields.b1 = 2 + Below(6);
    fields.b2 = 8 + Below(8);
    roles.fill(Role::kAny);
    roles[fields.b1] = Role::kData;
    roles[fields.b2] = Role::kOther;
  }
  if (name == "EX") {
    roles.fill(Role::kAny);
    fields.x2 = 0;
    fields.d2 = 0;
    fields.b2 = 4;
    fields.r1 = OneIn(2) ? 0 : 6 + Below(8);
    roles[4] = Role::kTarget;
    roles[2] = Role::kData;
  }
  if (name == "EXRL") {
    fields.r1 = OneIn(2) ? 0 : 6 + Below(8);
    roles[2] = Role::kData;
  }
  if (IsRegisterBranch(name) &&
      (instruction.format == Format::kRR || instruction.format == Format::kRR_c ||
       instruction.format == Format::kRRE)) {
    roles[fields.r2] = Role::kTaken;
  }
}

Sample Generator::MakeSample(const Instruction& instruction, std::uint32_t number) {
  Sample sample;
  sample.instruction = &instruction;
  Fields fields;
  // Even registers for half of the pairs that some instructions want.
  const auto any_register = [this] { return OneIn(2) ? EvenRegister() : Below(16); };
  fields.r1 = any_register();
  fields.r2 = any_register();
  fields.r3 = any_register();
  fields.length = OneIn(2) ? Below(16) : Below(256);
  fields.i2 = static_cast<std::int64_t>(Value());
  fields.i3 = Below(256);
  fields.i4 = Below(256);
  fields.i5 = Below(256);
  // M4: mostly valid.
  fields.x2 = OneIn(8) ? Below(16) : 0;
  if (instruction.format == Format::kRRF_e) {
    fields.r3 = OneIn(8) ? Below(16) : Below(8);
    fields.x2 = Below(2) * 4;
  }
  ChooseStorage(instruction, sample, fields);
  ChooseRelative(instruction, number, fields);
  ChooseSpecial(instruction, sample, fields);
  sample.stub.instruction = Encode(instruction, fields);
  sample.stub.target = kTargets[Below(std::size(kTargets))];
  // Modified, the second byte of these would be any opcode, or an index register with anything in
  // it.
  const bool modifiable = sample.stub.target[0] != 0xb9 && sample.stub.target[0] != 0xe3 &&
                          sample.stub.target[0] != 0x44;
  if (!modifiable && fields.r1 != 0) sample.stub.target = kTargets[0];
  return sample;
}

std::uint64_t Generator::NewValue() {
  const std::uint64_t random = Random();
  switch (Below(10)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return std::uint64_t{1} << (random & 63);
    case 3:
      return (std::uint64_t{1} << (random & 63)) - 1;
    case 4:
      return random & 0xff;
    case 5:
      return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(random)});
    case 6:
      return random << 32 | (Random() & 0xffff);
    case 7:
      return ~(std::uint64_t{1} << (random & 63));
    default:
      return random;
  }
}

std::uint64_t Generator::Value() { return values_[random_.Next() >> 32 & (kValues - 1)]; }

void Generator::RefreshValues() {
  for (int i = 0; i < 4; ++i) values_[Below(kValues)] = NewValue();
}

std::uint32_t Generator::ControlWord() {
  constexpr std::uint32_t kModes[] = {0, 0, 1, 2, 3, 7};
  const std::uint32_t masks = OneIn(8) ? Below(32) << 27 : 0;
  // Inexactness noted already: a case of its own.
  const std::uint32_t flags = OneIn(4) ? Below(32) << 19 : Below(2) << 19;
  return masks | flags | kModes[Below(std::size(kModes))];
}

std::uint64_t Generator::ShortNumber() {
  constexpr std::uint32_t kSpecial[] = {
      0x0000'0000, 0x8000'0000, 0x3f80'0000, 0xbf80'0000, 0x7f80'0000, 0xff80'0000,
      0x7fc0'0001, 0xffc0'0000, 0x7f80'0001, 0xff80'1234, 0x0000'0001, 0x807f'ffff,
      0x0080'0000, 0x7f7f'ffff, 0xff7f'ffff, 0x4f00'0000, 0xcf00'0000, 0x4f80'0000,
      0x5f00'0000, 0x5f80'0000, 0x3f00'0000, 0x3fc0'0000, 0x4eff'ffff, 0xbf00'0000};
  std::uint32_t bits = static_cast<std::uint32_t>(Random());
  switch (Below(4)) {
    case 0:
      bits = kSpecial[Below(std::size(kSpecial))];
      break;
    case 1:  // near one: integers, and numbers that meet in sums
      bits = (bits & 0x807f'ffff) | (110 + Below(84)) << 23;
      break;
    case 2:  // few fraction bits: exact results and ties
      bits = (bits & 0x8070'0000) | (110 + Below(40)) << 23;
      break;
    default:
      break;
  }
  return std::uint64_t{bits} << 32 | (Random() & 0xffff'ffff);
}

std::uint64_t Generator::LongNumber() {
  constexpr std::uint64_t kSpecial[] = {
      0x0000'0000'0000'0000, 0x8000'0000'0000'0000, 0x3ff0'0000'0000'0000, 0xbff0'0000'0000'0000,
      0x7ff0'0000'0000'0000, 0xfff0'0000'0000'0000, 0x7ff8'0000'0000'0001, 0xfff8'0000'0000'0000,
      0x7ff0'0000'0000'0001, 0xfff0'1234'0000'0000, 0x0000'0000'0000'0001, 0x800f'ffff'ffff'ffff,
      0x0010'0000'0000'0000, 0x7fef'ffff'ffff'ffff, 0xffef'ffff'ffff'ffff, 0x41df'ffff'ffc0'0000,
      0x41df'ffff'ffe0'0000, 0xc1e0'0000'0000'0000, 0xc1e0'0000'0010'0000, 0x41ef'ffff'fff0'0000,
      0x43df'ffff'ffff'ffff, 0x43e0'0000'0000'0000, 0xc3e0'0000'0000'0000, 0x43f0'0000'0000'0000,
      0x47ef'ffff'f000'0000, 0x380f'ffff'ffff'ffff, 0x3690'0000'0000'0000, 0x3fe0'0000'0000'0000};
  std::uint64_t bits = Random();
  switch (Below(4)) {
    case 0:
      bits = kSpecial[Below(std::size(kSpecial))];
      break;
    case 1:
      bits = (bits & 0x800f'ffff'ffff'ffff) | std::uint64_t{1000 + Below(90)} << 52;
      break;
    case 2:
      bits = (bits & 0x800f'0000'0000'0000) | std::uint64_t{1000 + Below(60)} << 52;
      break;
    default:
      break;
  }
  return bits;
}

std::uint64_t Generator::ExtendedLeft() {
  constexpr std::uint64_t kSpecial[] = {
      0x0000'0000'0000'0000, 0x8000'0000'0000'0000, 0x3fff'0000'0000'0000, 0xbfff'0000'0000'0000,
      0x7fff'0000'0000'0000, 0xffff'0000'0000'0000, 0x7fff'8000'0000'0001, 0x7fff'0000'0000'0001,
      0x0000'0000'0000'0001, 0x8000'ffff'ffff'ffff, 0x0001'0000'0000'0000, 0x7ffe'ffff'ffff'ffff};
  const std::uint64_t bits = Random();
  if (OneIn(3)) return kSpecial[Below(std::size(kSpecial))];
  if (OneIn(3)) return (bits & 0x8000'ffff'ffff'ffff) | std::uint64_t{Below(0x8000)} << 48;
  return (bits & 0x8000'ffff'ffff'ffff) | std::uint64_t{0x3ff0 + Below(0x90)} << 48;
}

std::uint64_t Generator::RoleValue(Role role, std::uint32_t number) {
  const std::uint64_t near = OneIn(3) ? Below(64) : Below(4) * 16;
  const std::uint64_t data = layout_.window + kDataOffset;
  const std::uint64_t stub = layout_.code + number * kStubBytes;
  switch (role) {
    case Role::kAny:
      return Value();
    case Role::kData:
      return data + near;
    case Role::kOther:
      return layout_.window + kOtherOffset + near;
    case Role::kAligned:
      return data + near / 16 * 16;
    case Role::kFarTable:
      return layout_.table;
    case Role::kIndex:
      return OneIn(4) ? Below(64) : Below(8) * 8;
    case Role::kLength:
      return Below(128);
    case Role::kNonzeroLength:
      return (1 + Below(60)) * 2;
    case Role::kEvenLength:
      return Below(64) * 2;
    case Role::kPaddedLength:
      return (Random() & ~std::uint64_t{0xff'ffff}) | Below(128);
    case Role::kTaken:
      return stub + kTaken;
    case Role::kTarget:
      return stub + kTarget;
    case Role::kEndOfData:
      return data + 64 + Below(128);
    case Role::kCharacter:
      return (Random() & 0xffff'ffff'0000'0000) | Below(OneIn(4) ? 256 : 4);
    case Role::kWideCharacter:
      return (Random() & 0xffff'ffff'0000'0000) | Below(OneIn(4) ? 0x1'0000 : 4);
    case Role::kControl:
      return ControlWord();
    case Role::kFunction:
      return (Random() & 0xffff'ffff'0000'0000) | (1 + Below(4)) << 8 | Below(3);
  }
  return 0;
}

void Generator::MakeWindow(unsigned kind, Window& window) {
  const auto fill = [&](auto byte) {
    for (std::uint8_t& b : window) b = static_cast<std::uint8_t>(byte());
  };
  switch (kind) {
    case 0:  // zoned decimal
      fill([this] { return (OneIn(12) ? Below(16) << 4 : 0xf0) | Below(10); });
      break;
    case 1:  // packed decimal
      fill([this] { return Below(10) << 4 | (OneIn(6) ? 10 + Below(6) : Below(10)); });
      break;
    case 2:  // many equal bytes
      fill([this] { return OneIn(10) ? Below(256) : 0; });
      break;
    case 3:  // few different bytes
      fill([this] { return Below(4); });
      break;
    case 4:  // characters of two to four bytes
      fill([this] { return OneIn(3) ? 0xc0 + Below(0x38) : 0x80 + Below(64); });
      break;
    case 5:  // ASCII in UTF-16
      for (std::size_t i = 0; i < window.size(); ++i) {
        window[i] = static_cast<std::uint8_t>(i % 2 == 0 ? (OneIn(8) ? Below(256) : 0)
                                                         : 0x20 + Below(0x60));
      }
      break;
    default:
      fill([this] { return Random(); });
  }
}

void Generator::FillWindow(State& state) {
  // Two of one kind, cut anywhere, and some bytes that are in neither.
  constexpr unsigned kCutUnit = 8;
  const unsigned kind = Below(kWindowKinds);
  const auto& first = windows_[kind + kWindowKinds * Below(kWindowsOfAKind)];
  const auto& second = windows_[kind + kWindowKinds * Below(kWindowsOfAKind)];
  const auto cut = std::ptrdiff_t{Below(kWindowBytes / kCutUnit) * kCutUnit};
  std::copy(first.begin(), first.begin() + cut, state.window.begin());
  std::copy(second.begin() + cut, second.end(), state.window.begin() + cut);
  for (unsigned i = Below(4); i > 0; --i) {
    state.window[Below(kWindowBytes)] = static_cast<std::uint8_t>(Random());
  }
  // Numbers where operands are likely to be.
  const std::uint64_t numbers[] = {Value(), ShortNumber(), LongNumber(), ExtendedLeft()};
  for (std::size_t i = 0; i + 8 <= 256 && OneIn(2); i += 8) {
    StoreBigEndian(&state.window[kDataOffset + i], numbers[Below(4)]);
  }
}

void Generator::MakeCase(const Sample& sample, std::uint32_t number, Case& made) {
  made.stub = number;
  made.unused = 0;
  State& state = made.state;
  RefreshValues();
  for (std::size_t i = 0; i < 16; ++i) {
    state.general[i] = RoleValue(sample.roles[i], number);
    state.access[i] = static_cast<std::uint32_t>(Value());
  }
  if (Contains(kSignedDivisions, sample.instruction->mnemonic)) {
    // The oracle dies of the lowest number divided by -1.
    for (Be64& value : state.general) {
      if (static_cast<std::uint32_t>(value) == 0) value = value | 1;
    }
  }
  // One radix and format for all registers, so that operands meet their like.
  const unsigned format = Below(3);
  for (std::size_t i = 0; i < 16; ++i) {
    state.floating[i] = format == 0    ? ShortNumber()
                        : format == 1  ? LongNumber()
                        : (i & 2) == 0 ? ExtendedLeft()
                        : OneIn(2)     ? 0
                                       : Random();
  }
  state.floating_control = ControlWord();
  state.condition = Below(64) << 24;
  FillWindow(state);
  if (sample.instruction->mnemonic == "LFPC" || sample.instruction->mnemonic == "LFAS") {
    for (std::size_t i = 0; i < kWindowBytes; i += 4) {
      StoreBigEndian(&state.window[i], ControlWord());
    }
  }
  if (sample.roles[0] == Role::kCharacter) {
    const auto character = static_cast<std::uint8_t>(state.general[0].value());
    state.window[kDataOffset + 64 + Below(128)] = character;
    state.window[kDataOffset + 200] = character;
    state.window[kOtherOffset + 200] = character;
  }
}

}  // namespace lethe::differential
