#include "tests/system-mode/machine_generator.h"

#include <algorithm>
#include <iterator>

#include "emulated-host/cpu/chapters.h"
#include "tests/system-mode/tables.h"

namespace lethe::system_mode {
namespace {

using differential::Fields;
using differential::Role;
using differential::Sample;
using emulated::Instruction;
using emulated::Psw;

template <std::size_t kSize>
bool Contains(const absl::string_view (&names)[kSize], absl::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

constexpr absl::string_view kCompletedByHost[] = {
    "DIAG",  "SIGP", "SERVC", "CSCH", "HSCH",  "MSCH",  "SSCH", "STSCH",
    "TSCH",  "TPI",  "SAL",   "RSCH", "STCRW", "STCPS", "RCHP", "SCHM",
    "STHYI", "CHSC", "SIGA",  "XSCH", "STSI",  "PTF",   "UVC"};
constexpr absl::string_view kIdentity[] = {"STFLE", "ECAG"};
constexpr absl::string_view kUnbounded[] = {"CMPSC", "UPT"};
constexpr absl::string_view kSubspace[] = {"BSG", "BSA"};
constexpr absl::string_view kClockSetting[] = {"SCK", "PTFF", "ECTG"};
constexpr absl::string_view kRotateThen[] = {"RNSBG", "ROSBG", "RXSBG"};
constexpr absl::string_view kTranslations[] = {"TROO", "TROT", "TRTO", "TRTT"};
constexpr absl::string_view kNotJudged[] = {"DIEBR", "DIDBR"};
constexpr absl::string_view kDiffering[] = {"STCK",  "STCKF", "STCKE", "STPT",
                                            "STIDP", "STFL",  "ECTG"};

constexpr std::uint64_t k64Bit = Psw::kExtendedAddressing | Psw::kBasicAddressing;
// Control register 0.
constexpr std::uint64_t kSsmSuppression = Psw::Bit(33);
constexpr std::uint64_t kLowAddressProtection = Psw::Bit(35);
constexpr std::uint64_t kExtractionAuthority = Psw::Bit(36);
constexpr std::uint64_t kSecondarySpace = Psw::Bit(37);
constexpr std::uint64_t kFetchOverride = Psw::Bit(38);
constexpr std::uint64_t kStorageOverride = Psw::Bit(39);
constexpr std::uint64_t kAdditionalRegisters = Psw::Bit(45);
constexpr std::uint64_t kClockComparatorMask = Psw::Bit(52);

constexpr std::uint64_t kNever = ~std::uint64_t{0xff};  // some clocks have 56 bits

bool InChapter(const Instruction& instruction, absl::Span<const Instruction> chapter) {
  return std::ranges::any_of(
      chapter, [&](const Instruction& row) { return row.mnemonic == instruction.mnemonic; });
}

}  // namespace

std::string ReasonNever(const Instruction& instruction) {
  if (Contains(kCompletedByHost, instruction.mnemonic))
    return "completed by the host, not by the CPU";
  if (Contains(kIdentity, instruction.mnemonic)) return "tells what the machine is";
  if (Contains(kUnbounded, instruction.mnemonic)) return "may store anywhere";
  if (Contains(kSubspace, instruction.mnemonic)) return "needs a dispatchable-unit control table";
  if (Contains(kClockSetting, instruction.mnemonic)) return "sets or tells the time";
  if (Contains(kNotJudged, instruction.mnemonic)) return "flags and condition code not yet judged";
  if (instruction.format == emulated::Format::kMII ||
      instruction.format == emulated::Format::kSMI) {
    return "a hint without effect";
  }
  return "";
}

bool StoresWhatDiffers(absl::string_view mnemonic) { return Contains(kDiffering, mnemonic); }

MachineGenerator::MachineGenerator(std::uint64_t seed, bool access_registers, bool storage_keys)
    : access_registers_(access_registers),
      storage_keys_(storage_keys),
      random_(~seed),
      generator_(seed, kLayout) {}

// M3 and M4 of conversions and roundings: what they mean without the floating-point extension
// facility, which the user-mode comparison has.
void MachineGenerator::LimitRounding(Sample& sample) {
  if (sample.instruction->format != emulated::Format::kRRF_e) return;
  constexpr absl::string_view kToInteger[] = {"FIEBR", "FIDBR", "FIXBR", "CFEBR", "CFDBR",
                                              "CFXBR", "CGEBR", "CGDBR", "CGXBR"};
  constexpr std::uint8_t kMethods[] = {0x00, 0x10, 0x40, 0x50, 0x60, 0x70};
  sample.stub.instruction[2] = Contains(kToInteger, sample.instruction->mnemonic)
                                   ? kMethods[random_.Below(std::size(kMethods))]
                                   : std::uint8_t{0};
}

Sample MachineGenerator::MakeSample(const Instruction& instruction, std::uint32_t number) {
  while (true) {
    Sample sample = generator_.MakeSample(instruction, number);
    if (InChapter(instruction, emulated::FloatInstructions())) LimitRounding(sample);
    // The test-only form ends QEMU; an odd R1, which it takes, keeps it busy.
    if (!storage_keys_ && Contains(kRotateThen, instruction.mnemonic)) {
      sample.stub.instruction[2] &= 0x7f;
    }
    if (!storage_keys_ && Contains(kTranslations, instruction.mnemonic)) {
      sample.stub.instruction[3] &= 0xef;
    }
    // R3 and M4 are of facilities that are not offered.
    if (instruction.mnemonic == "IPTE") sample.stub.instruction[2] = 0;
    // General register 0 has a meaning of its own in MOVE PAGE.
    const std::uint8_t registers = sample.stub.instruction[3];
    const bool uses_zero = (registers & 0xf) == 0 || registers >> 4 == 0;
    if (instruction.mnemonic != "MVPG" || !uses_zero) return sample;
  }
}

std::uint64_t MachineGenerator::PswMask(bool control) {
  std::uint64_t mask = k64Bit;
  if (random_.OneIn(8)) mask = random_.OneIn(3) ? 0 : Psw::kBasicAddressing;
  if (random_.OneIn(control ? 8 : 3)) mask |= Psw::kProblemState;
  if (storage_keys_ && random_.OneIn(2)) mask |= std::uint64_t{random_.Below(16)} << 52;
  if (random_.OneIn(2)) {
    constexpr std::uint64_t kSpaces[] = {0, 0, 2, 3};
    mask |= Psw::kDat | kSpaces[random_.Below(std::size(kSpaces))] << 46;
    if (access_registers_ && random_.OneIn(8))
      mask = (mask & ~Psw::kAddressSpaceMask) | Psw::Bit(17);
  }
  if (random_.OneIn(32)) mask |= Psw::kExternal;
  return mask | std::uint64_t{random_.Below(64)} << 40;  // condition code and program mask
}

std::uint64_t MachineGenerator::ControlZero() {
  std::uint64_t control = kAdditionalRegisters;
  if (random_.OneIn(4)) control |= kLowAddressProtection;
  if (random_.OneIn(8)) control |= kFetchOverride;
  if (random_.OneIn(8)) control |= kStorageOverride;
  if (random_.OneIn(4)) control |= kExtractionAuthority;
  if (!random_.OneIn(4)) control |= kSecondarySpace;
  if (random_.OneIn(16)) control |= kSsmSuppression;
  if (random_.OneIn(4)) control |= kClockComparatorMask;
  return control;
}

std::uint64_t MachineGenerator::AnyAddressSpace() { return AddressSpace(random_.Below(4)); }

void MachineGenerator::SetControls(MachineCase& made) {
  made.control.fill(0);
  made.control[0] = ControlZero();
  made.control[1] = AnyAddressSpace();
  made.control[2] = Tables::kDispatchableUnit;
  made.control[3] = std::uint64_t{random_.OneIn(2) ? 0xffff : random_.Below(0x1'0000)} << 16 |
                    random_.Below(0x1'0000);
  made.control[4] = random_.Next() & 0xffff'ffff;
  made.control[7] = AnyAddressSpace();
  made.control[8] = random_.OneIn(4) ? random_.Below(0x1'0000) : 0;
  made.control[13] = AnyAddressSpace();
  for (Be32& access : made.state.access) {
    if (!random_.OneIn(4)) access = random_.Below(5);  // two of them by definition, one by the list
  }
  made.clock_comparator = random_.OneIn(16) ? 0 : kNever;
}

void MachineGenerator::SetKeys(MachineCase& made) {
  made.keys.fill(0);
  if (random_.OneIn(2)) return;
  const auto key_of_program = static_cast<std::uint8_t>(made.psw_mask >> 52 & 0xf);
  for (std::uint8_t& key : made.keys) {
    const unsigned access = random_.OneIn(2)   ? key_of_program
                            : random_.OneIn(2) ? random_.Below(16)
                                               : random_.OneIn(2) * 9;
    key = static_cast<std::uint8_t>(access << 4 | random_.Below(8) << 1);
  }
}

std::uint64_t MachineGenerator::AliasOf(std::uint64_t address) {
  return (address - (Tables::kFrameSegment << 20) + Tables::kAlias) | alias_regions_;
}

void MachineGenerator::MoveOperands(bool any_frame, MachineCase& made) {
  // Wrapped to 24 bits, the others would be the oracle's low storage.
  const bool reachable = (made.psw_mask & k64Bit) != 0;
  for (Be64& value : made.state.general) {
    if (value < kFrames || value >= kFrames + kFrameBytes) continue;
    if (translating_ && reachable && random_.OneIn(2)) {
      // What operands have in common they have at the same address: if storage is reached by two
      // addresses, the result is unpredictable.
      value = AliasOf(value + (kSecondWindow - kWindow));
    } else if (random_.OneIn(24)) {
      value = 4096 + random_.Below(0x100);  // where low-address protection reigns
    } else if (reachable && random_.OneIn(48)) {
      value = kStorageBytes - 16 + random_.Below(32);  // across the end of storage
    } else if (any_frame && random_.OneIn(16)) {
      value = value + random_.Below(2) * kPageBytes;
    }
  }
}

void MachineGenerator::AddPoke(MachineCase& made, std::uint64_t address, std::uint64_t value) {
  Poke& poke = made.pokes[made.poke_count];
  poke.address = address;
  poke.value = value;
  made.poke_count = made.poke_count + 1;
}

void MachineGenerator::SpoilTables(MachineCase& made) {
  if (!translating_ || random_.OneIn(3)) return;
  const std::uint64_t alias = Tables::PageTable(Tables::kAliasTable);
  const std::uint64_t entry = random_.Below(2);
  switch (random_.Below(6)) {
    case 0:
    case 1: {  // a page
      constexpr std::uint64_t kBits[] = {0, 0x400, 0x200, 0x200, 0x600, 0x800, 0x200};
      const std::uint64_t page = (kSecondWindow - kFrames) / kPageBytes + random_.Below(3);
      AddPoke(made, alias + page * 8,
              (kFrames + (kFrameCount - 1 - random_.Below(2)) * kPageBytes) |
                  kBits[random_.Below(std::size(kBits))]);
      break;
    }
    case 2: {  // the segment
      constexpr std::uint64_t kBits[] = {0x20, 0x200, 0x200, 0x10, 0x4, 0x8, 0xc, 0x220};
      AddPoke(made, Tables::kSegment + Tables::kAliasSegment * 8,
              alias | kBits[random_.Below(std::size(kBits))]);
      break;
    }
    case 3: {
      constexpr std::uint64_t kEntries[] = {0x4, 0x24, 0x8, 0x44, 0xc4, 0x0, 0x84};
      AddPoke(made, Tables::kRegionThird + entry * 8,
              Tables::kSegment | kEntries[random_.Below(std::size(kEntries))]);
      break;
    }
    case 4: {
      constexpr std::uint64_t kEntries[] = {0x8, 0x28, 0xc, 0x48, 0xc8, 0x4, 0x88};
      AddPoke(made, Tables::kRegionSecond + entry * 8,
              Tables::kRegionThird | kEntries[random_.Below(std::size(kEntries))]);
      break;
    }
    default: {
      constexpr std::uint64_t kEntries[] = {0xc, 0x2c, 0x8, 0x4c, 0xcc, 0x0, 0x8c};
      AddPoke(made, Tables::kRegionFirst + entry * 8,
              Tables::kRegionSecond | kEntries[random_.Below(std::size(kEntries))]);
    }
  }
}

std::uint64_t MachineGenerator::PrefixValue() {
  // Only areas with new PSWs in them, or none at all.
  const std::uint64_t noise = random_.OneIn(4) ? random_.Next() & 0x8000'1fff : 0;
  switch (random_.Below(4)) {
    case 0:
      return noise;
    case 1:
      return kPrefixAreas | noise;
    case 2:
      return (kPrefixAreas + 0x2000) | noise;
    default:
      return (kStorageBytes + (random_.Next() & 0x6fff'ffff)) & 0x7fff'ffff;
  }
}

std::uint64_t MachineGenerator::ControlValue() {
  switch (random_.Below(4)) {
    case 0:
      return random_.Next();
    case 1:
      return ControlZero();
    case 2:
      return AnyAddressSpace();
    default:
      return random_.Below(0x1'0000);
  }
}

void MachineGenerator::FillWords(MachineCase& made, std::uint64_t (MachineGenerator::*word)()) {
  for (std::size_t i = 0; i < differential::kWindowBytes; i += 4) {
    StoreBigEndian(&made.state.window[i], static_cast<std::uint32_t>((this->*word)()));
  }
}

void MachineGenerator::FillPsws(const Sample& sample, MachineCase& made) {
  constexpr std::uint64_t kWaitOfShort = Psw::kWait;
  const std::uint64_t taken = kStubs + made.stub * differential::kStubBytes + differential::kTaken;
  const bool is_short = sample.instruction->mnemonic == "LPSW";
  for (std::size_t i = 0; i + 16 <= differential::kWindowBytes; i += is_short ? 8 : 16) {
    std::uint64_t mask = PswMask(true);
    if (random_.OneIn(6)) mask ^= std::uint64_t{1} << random_.Below(64);
    mask &= ~kWaitOfShort;
    const std::uint64_t address =
        taken | (random_.OneIn(16) ? random_.Next() << 24 : 0) | (random_.OneIn(32) ? 1 : 0);
    if (is_short) {
      mask = (mask & 0xffff'ffff'0000'0000) | Psw::kShort | (mask & Psw::kBasicAddressing) |
             (address & 0x7fff'ffff);
    }
    StoreBigEndian(&made.state.window[i], mask);
    if (!is_short) StoreBigEndian(&made.state.window[i + 8], address);
  }
}

void MachineGenerator::SetOperands(absl::string_view name, const Sample& sample,
                                   MachineCase& made) {
  auto& general = made.state.general;
  const auto& text = sample.stub.instruction;
  const unsigned r1 = text[3] >> 4;
  const unsigned r2 = text[3] & 0xf;
  const auto frame = [this] {
    return kFrames + random_.Below(kFrameCount) * kPageBytes + random_.Below(256) * 8;
  };
  if (name == "SPX") FillWords(made, &MachineGenerator::PrefixValue);
  if (name == "LCTL" || name == "LASP") FillWords(made, &MachineGenerator::ControlValue);
  if (name == "LCTLG") {
    for (std::size_t i = 0; i < differential::kWindowBytes; i += 8) {
      StoreBigEndian(&made.state.window[i], ControlValue());
    }
  }
  if (name == "LPSWE" || name == "LPSW") FillPsws(sample, made);
  if (name == "SAC" || name == "SACF") {
    general[text[2] >> 4] = random_.OneIn(8) ? random_.Next() : random_.Below(16) << 8;
  }
  if (name == "SPKA") general[text[2] >> 4] = random_.Next();
  if (name == "LURA" || name == "LURAG" || name == "STURA" || name == "STURG" || name == "ISKE" ||
      name == "IVSK" || name == "RRBE" || name == "SSKE" || name == "TB") {
    general[r2] = frame() + (random_.OneIn(8) ? random_.Below(8) : 0);
    if (random_.OneIn(16)) general[r2] = kStorageBytes + (random_.Next() & 0xfff'f000);
    if (random_.OneIn(16)) general[r2] = 0x1000 + random_.Below(64) * 8;
  }
  if (name == "IPTE" || name == "IDTE") {
    general[r2] = AliasOf(kFrames + random_.Below(4) * kPageBytes);
    general[r1] = Tables::PageTable(Tables::kAliasTable) | random_.Below(8) << 8;
    if (name == "IDTE") {
      general[r1] = AnyAddressSpace();
      general[r2] = (general[r2] & ~std::uint64_t{0xfff}) | (random_.OneIn(2) ? 0x800 : 0) |
                    (random_.OneIn(4) ? random_.Below(3) : 0);
    }
  }
  if (name == "CSP" || name == "CSPG") {
    general[r2] = frame() | random_.Below(2);
    if (random_.OneIn(2)) {  // the comparand is right
      const std::uint64_t at = (general[r2] & ~std::uint64_t{7}) - kFrames;
      const std::uint64_t value = random_.Next();
      AddPoke(made, kFrames + at, value);
      general[r1] = name == "CSPG" ? value : value >> 32;
    }
  }
  if (name == "MVPG") {
    general[0] = random_.OneIn(4) ? random_.Next() & 0xffff : random_.Below(4) << 8;
    for (const unsigned number : {r1, r2}) {
      if (number != 0) general[number] = frame();
    }
    MoveOperands(true, made);
  }
  // Not into a base register: lengths and keys would be addresses of the oracle's low storage.
  const auto put = [&](unsigned number, std::uint64_t value) {
    if (sample.roles[number] == Role::kAny) general[number] = value;
  };
  if (name == "MVCK" || name == "MVCP" || name == "MVCS") {
    put(text[1] >> 4, random_.OneIn(8) ? random_.Next() : random_.Below(280));
    put(text[1] & 0xf, random_.Below(16) << 4);
  }
  if (name == "MVCSK" || name == "MVCDK") {
    put(0, random_.Below(256));
    put(1, random_.Below(16) << 4);
  }
  if (name == "MVCOS") {
    put(0, random_.OneIn(2) ? 0 : random_.Next() & 0x00ff'00ff);
    put(text[1] >> 4, random_.Below(300));
  }
  if (name == "PLO") {  // functions without a parameter list
    put(0, 2 * random_.Below(6) | (random_.OneIn(8) ? 0x100 : 0));
    for (const unsigned number : {text[1] >> 4, text[1] & 0xf}) {
      if (random_.OneIn(2)) put(number, random_.Below(4));
    }
  }
  if (name == "SCKPF") general[0] = random_.OneIn(4) ? random_.Next() : random_.Below(0x1'0000);
  if (name == "LRA" || name == "LRAY" || name == "LRAG" || name == "TPROT" || name == "STRAG") {
    for (Be64& value : general) {
      if (value >= kFrames && value < kFrames + kFrameBytes && random_.OneIn(2)) {
        value = AliasOf(value);
      }
    }
  }
}

void MachineGenerator::PlacePacked(MachineCase& made, unsigned base, unsigned displacement,
                                   unsigned length) {
  const std::uint64_t at = made.state.general[base] + displacement - kWindow;
  if (random_.OneIn(12) || at + length > differential::kWindowBytes) return;
  const bool is_short = random_.OneIn(2);  // zeros on the left
  for (unsigned i = 0; i < length; ++i) {
    const bool zero = is_short && 2 * i < length;
    made.state.window[at + i] =
        zero ? 0 : static_cast<std::uint8_t>(random_.Below(10) << 4 | random_.Below(10));
  }
  std::uint8_t& last = made.state.window[at + length - 1];
  last = static_cast<std::uint8_t>((last & 0xf0) | (10 + random_.Below(6)));
}

void MachineGenerator::PlaceDecimals(const Sample& sample, MachineCase& made) {
  const auto& text = sample.stub.instruction;
  const unsigned first = (text[2] & 0xf) << 8 | text[3];
  const unsigned second = (text[4] & 0xf) << 8 | text[5];
  const absl::string_view name = sample.instruction->mnemonic;
  if (name == "TP") {
    PlacePacked(made, text[2] >> 4, first, (text[1] >> 4) + 1);
  } else if (name == "CVB" || name == "CVBY" || name == "CVBG") {
    return;  // an index may be in it; the window's packed kind serves
  } else if (name == "ED" || name == "EDMK") {
    constexpr std::uint8_t kPattern[] = {0x20, 0x20, 0x21, 0x22, 0x6b, 0x4b, 0x60, 0x20};
    const std::uint64_t at = made.state.general[text[2] >> 4] + first - kWindow;
    for (std::uint64_t i = at; i <= at + text[1] && i < differential::kWindowBytes; ++i) {
      made.state.window[i] = kPattern[random_.Below(std::size(kPattern))];
    }
    PlacePacked(made, text[4] >> 4, second, 1 + random_.Below(8));
  } else {
    PlacePacked(made, text[2] >> 4, first, (text[1] >> 4) + 1);
    if (name != "SRP") PlacePacked(made, text[4] >> 4, second, (text[1] & 0xf) + 1);
  }
}

std::uint64_t MachineGenerator::HexNumber() {
  std::uint64_t fraction = random_.Next() >> 8;
  switch (random_.Below(6)) {
    case 0:
      fraction = 0;
      break;
    case 1:  // few digits
      fraction &= 0x00ff'0000'0000'0000;
      break;
    case 2:  // not normalised
      fraction >>= 4 * random_.Below(14);
      break;
    case 3:
      fraction |= 0x00ff'ffff'ffff'fff0;
      break;
    default:
      break;
  }
  const unsigned characteristic = random_.OneIn(6) ? random_.Below(128) : 60 + random_.Below(12);
  return std::uint64_t{random_.Below(2)} << 63 | std::uint64_t{characteristic} << 56 | fraction;
}

void MachineGenerator::PlaceHexNumbers(MachineCase& made) {
  for (Be64& value : made.state.floating) value = HexNumber();
  for (std::size_t i = 0; i < differential::kWindowBytes; i += 8) {
    StoreBigEndian(&made.state.window[i], HexNumber());
  }
  if (random_.OneIn(2)) return;
  // Extended operands as they should be: the right half's characteristic is 14 less.
  for (const std::size_t i : {0, 1, 4, 5, 8, 9, 12, 13}) {
    const std::uint64_t left = made.state.floating[i];
    const std::uint64_t right = made.state.floating[i + 2];
    made.state.floating[i + 2] = (right & 0x00ff'ffff'ffff'ffff) |
                                 ((left - (std::uint64_t{14} << 56)) & 0x7f00'0000'0000'0000) |
                                 (left & (std::uint64_t{1} << 63));
  }
}

void MachineGenerator::MakeCase(const Sample& sample, std::uint32_t number, MachineCase& made) {
  differential::Case base;
  generator_.MakeCase(sample, number, base);
  made = MachineCase();
  made.state = base.state;
  made.stub = number;
  // Rounding modes that exist without the floating-point extension facility.
  constexpr std::uint32_t kExtendedModes = 4;
  made.state.floating_control = base.state.floating_control & ~kExtendedModes;
  const absl::string_view float_control = sample.instruction->mnemonic;
  if (float_control == "LFPC" || float_control == "LFAS") {
    for (std::size_t i = 3; i < differential::kWindowBytes; i += 4) {
      made.state.window[i] &= ~std::uint8_t{kExtendedModes};
    }
  }
  if (float_control == "SFPC" || float_control == "SFASR") {
    for (Be64& value : made.state.general) value = value & ~std::uint64_t{kExtendedModes};
  }
  made.psw_mask = PswMask(InChapter(*sample.instruction, emulated::ControlInstructions()));
  made.psw_address = kStubs + number * differential::kStubBytes + differential::kInstruction;
  made.poke_count = 0;
  // Hercules dies of it.
  if (sample.instruction->mnemonic == "MVCOS") made.psw_mask = made.psw_mask & ~Psw::Bit(17);
  translating_ = (made.psw_mask & Psw::kDat) != 0;
  alias_regions_ = 0;
  for (const int shift : {31, 42, 53}) {
    if (random_.OneIn(6)) alias_regions_ |= std::uint64_t{1 + random_.Below(9) / 8} << shift;
  }
  SetControls(made);
  SetKeys(made);
  if (InChapter(*sample.instruction, emulated::DecimalInstructions())) PlaceDecimals(sample, made);
  if (InChapter(*sample.instruction, emulated::HexFloatInstructions())) PlaceHexNumbers(made);
  // The other frames' bytes as a PSW might be a wait that nothing ends, as a prefix low storage
  // without new PSWs.
  const absl::string_view name = sample.instruction->mnemonic;
  MoveOperands(name != "LPSW" && name != "LPSWE" && name != "SPX", made);
  SetOperands(name, sample, made);
  SpoilTables(made);
}

}  // namespace lethe::system_mode
