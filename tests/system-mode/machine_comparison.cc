#include "tests/system-mode/machine_comparison.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "emulated-host/cpu/program_interruption.h"
#include "emulated-host/cpu/registers.h"
#include "tests/system-mode/machine_generator.h"

namespace lethe::system_mode {
namespace {

using differential::Sample;
using emulated::ProgramCode;
using emulated::Psw;

// Real locations.
constexpr std::uint64_t kProgramInterruption = 0x8c;
constexpr std::uint64_t kTranslationException = 0xa8;
constexpr std::uint64_t kBreakingEvent = 0x110;
constexpr std::uint64_t kOldPsws = 0x120;

template <typename T>
T Low(const MachineResult& result, std::uint64_t address) {
  return LoadBigEndian<T>(&result.lowcore[address - kLowcoreBegin]);
}

std::uint64_t OldPswAt(const MachineResult& result) { return kOldPsws + (result.kind - 1) * 16; }

bool IsProgram(const MachineResult& result, ProgramCode code) {
  return result.kind == static_cast<std::uint32_t>(Kind::kProgram) &&
         (Low<std::uint16_t>(result, kProgramInterruption + 2) & 0xff) ==
             static_cast<std::uint16_t>(code);
}

std::string EndText(const MachineResult& result) {
  constexpr absl::string_view kKinds[] = {"nothing", "restart",       "external", "svc",
                                          "program", "machine check", "i/o"};
  const std::uint32_t kind = std::min<std::uint32_t>(result.kind, 6);
  std::string text(kKinds[kind]);
  if (kind == 0) return text;
  if (kind == 4) absl::StrAppendFormat(&text, " %08x", Low<std::uint32_t>(result, 0x8c));
  if (kind == 3) absl::StrAppendFormat(&text, " %08x", Low<std::uint32_t>(result, 0x88));
  absl::StrAppendFormat(&text, " psw %016x %016x", Low<std::uint64_t>(result, OldPswAt(result)),
                        Low<std::uint64_t>(result, OldPswAt(result) + 8));
  return text;
}

template <typename Array>
void CompareRegisters(const char* name, const Array& ours, const Array& theirs, std::string& text) {
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i] == theirs[i]) continue;
    absl::StrAppendFormat(&text, " %s%d ours %x theirs %x;", name, static_cast<int>(i),
                          ours[i].value(), theirs[i].value());
  }
}

template <typename Array>
void CompareBytes(const char* name, std::uint64_t base, const Array& ours, const Array& theirs,
                  std::string& text) {
  int shown = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i] == theirs[i]) continue;
    if (++shown > 8) {
      absl::StrAppend(&text, " ...");
      return;
    }
    absl::StrAppendFormat(&text, " %s%x ours %02x theirs %02x;", name, base + i, ours[i],
                          theirs[i]);
  }
}

template <typename T>
void CompareNumber(const char* name, T ours, T theirs, std::string& text) {
  if (ours != theirs) absl::StrAppendFormat(&text, " %s ours %x theirs %x;", name, ours, theirs);
}

constexpr std::uint64_t kExceptionAccess = 0xa0;
constexpr std::uint64_t kProgramOldPsw = 0x150;

// When a program interruption happened.
bool InAccessRegisterMode(const MachineResult& result) {
  constexpr std::uint64_t kMode = Psw::kDat | Psw::Bit(17);
  const auto mask = Low<std::uint64_t>(result, kProgramOldPsw);
  return (mask & (Psw::kDat | Psw::kAddressSpaceMask)) == kMode;
}

// What is the same on every machine. Facilities of their own: the breaking-event address, and
// whether an access was a fetch or a store (bits 52 and 53 of the translation-exception
// identification). Some clock comparators have 56 bits. Defined for some interruptions only: the
// identification itself, and the access register in the access-register mode.
MachineResult Comparable(const MachineResult& result) {
  MachineResult made = result;
  std::fill_n(made.lowcore.begin() + (kBreakingEvent - kLowcoreBegin), 8, std::uint8_t{0});
  made.lowcore[kTranslationException + 6 - kLowcoreBegin] &= 0xf3;
  const auto clear = [&](std::uint64_t at, std::uint64_t length) {
    std::fill_n(made.lowcore.begin() + (at - kLowcoreBegin), length, std::uint8_t{0});
  };
  if (!InAccessRegisterMode(result)) clear(kExceptionAccess, 1);
  if (IsProgram(result, ProgramCode::kAddressing) ||
      IsProgram(result, ProgramCode::kTranslationSpecification)) {
    clear(kTranslationException, 8);
  }
  // Bit 61 of a protection exception: by a table, with the address; else the rest is unpredictable.
  constexpr std::uint8_t kByTable = 0x04;
  if (IsProgram(result, ProgramCode::kProtection) &&
      (Low<std::uint8_t>(result, kTranslationException + 7) & kByTable) == 0) {
    clear(kTranslationException, 8);
  }
  made.clock_comparator = result.clock_comparator & ~std::uint64_t{0xff};
  return made;
}

constexpr std::uint64_t kProgramLength = 0x8d;

// A program interruption, and nothing differs but the instruction length and by how much the old
// PSW points behind the instruction.
bool IsEqualButLength(const Sample& sample, const MachineResult& ours,
                      const MachineResult& theirs) {
  if (ours.kind != theirs.kind || ours.kind != static_cast<std::uint32_t>(Kind::kProgram)) {
    return false;
  }
  const int more =
      Low<std::uint8_t>(theirs, kProgramLength) - Low<std::uint8_t>(ours, kProgramLength);
  if (more == 0) return false;
  MachineResult adjusted = ours;
  const auto put = [&](std::uint64_t at, auto value) {
    StoreBigEndian(&adjusted.lowcore[at - kLowcoreBegin], value);
  };
  put(kProgramLength, Low<std::uint8_t>(theirs, kProgramLength));
  if (Differences(sample, adjusted, theirs).empty()) return true;  // nullified
  put(kProgramOldPsw + 8, Low<std::uint64_t>(ours, kProgramOldPsw + 8) + more);
  return Differences(sample, adjusted, theirs).empty();
}

constexpr std::uint8_t kReferenceBit = 0x04;
constexpr std::uint8_t kChangeBit = 0x02;
using Keys = std::array<std::uint8_t, kFrameCount>;

Keys WithBitsOf(const Keys& ours, const Keys& theirs, unsigned bits) {
  Keys keys = ours;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = static_cast<std::uint8_t>((ours[i] & ~bits) | (theirs[i] & bits));
  }
  return keys;
}

bool IsProgram(const MachineResult& result) {
  return result.kind == static_cast<std::uint32_t>(Kind::kProgram);
}

template <std::size_t kSize>
bool IsOneOf(absl::string_view name, const absl::string_view (&names)[kSize]) {
  return std::ranges::find(names, name) != std::end(names);
}

// Ends with an access exception of storage or of the way to it.
bool IsAccessException(const MachineResult& result) {
  if (!IsProgram(result)) return false;
  const auto code = static_cast<ProgramCode>(Low<std::uint16_t>(result, kProgramInterruption + 2));
  switch (code) {
    case ProgramCode::kProtection:
    case ProgramCode::kAddressing:
    case ProgramCode::kTranslationSpecification:
    case ProgramCode::kAletSpecification:
      return true;
    default:
      return emulated::Nullifies(code);
  }
}

absl::string_view DeviationOfQemu(absl::string_view name, const Sample& sample,
                                  const MachineResult& ours, const MachineResult& theirs) {
  constexpr absl::string_view kRealStorage[] = {"LURA", "LURAG", "STURA", "STURG"};
  constexpr absl::string_view kLoadsPsw[] = {"SSM", "STOSM", "STNSM", "LPSW", "LPSWE"};
  constexpr absl::string_view kWithKeys[] = {"MVCK",  "MVCP",  "MVCS",  "MVCOS",
                                             "MVCSK", "MVCDK", "TPROT", "MVPG"};
  constexpr absl::string_view kRealAddress[] = {"LRA", "LRAY", "LRAG", "STRAG"};
  MachineResult adjusted = ours;
  adjusted.keys = WithBitsOf(ours.keys, theirs.keys, kReferenceBit | kChangeBit);
  if (Differences(sample, adjusted, theirs).empty()) return "reference and change bits";
  if (IsOneOf(name, kRealStorage) && IsProgram(ours, ProgramCode::kSpecification)) {
    return "real storage off its boundary";
  }
  if (IsOneOf(name, kLoadsPsw) && (name == "LPSW" || IsProgram(ours, ProgramCode::kSpecification) ||
                                   IsProgram(ours, ProgramCode::kSpecialOperation))) {
    return "what a new PSW may not be";
  }
  if (IsOneOf(name, kWithKeys)) return "access keys and address spaces of moves";
  if (IsOneOf(name, kRealAddress)) {
    return "LOAD REAL ADDRESS: DAT off, exceptions, what it leaves of the register";
  }
  adjusted.state.window = theirs.state.window;
  adjusted.poked = theirs.poked;
  adjusted.frames_sum = theirs.frames_sum;
  if (IsProgram(ours) && Differences(sample, adjusted, theirs).empty()) {
    return "stores in part before it is interrupted";
  }
  if (name == "SAC" || name == "SACF") return "the access-register mode, and what is checked first";
  if (name == "SPKA" && IsProgram(theirs, ProgramCode::kPrivilegedOperation)) {
    return "the PSW-key mask";
  }
  if (name == "TB") return "general register 0 after TEST BLOCK";
  if (name == "LCTL" || name == "LCTLG") return "fetches control registers while it loads them";
  return "";
}

absl::string_view DeviationOfHercules(absl::string_view name, const Sample& sample,
                                      const MachineResult& ours, const MachineResult& theirs) {
  constexpr absl::string_view kOffBoundary[] = {"LAA", "LAAG", "LAAL", "LAALG", "LAN", "LANG",
                                                "LAO", "LAOG", "LAX",  "LAXG",  "LPD", "LPDG"};
  constexpr absl::string_view kRotations[] = {"RISBG", "RISBGN", "RISBHG", "RISBLG",
                                              "RNSBG", "ROSBG",  "RXSBG"};
  if (name == "MVCOS" && IsProgram(ours, ProgramCode::kSpecialOperation)) {
    return "access before special operation in MOVE WITH OPTIONAL SPECIFICATIONS";
  }
  if (name == "SSKE" && sample.stub.instruction[2] != 0) {
    return "SET STORAGE KEY EXTENDED with options of facilities that are not offered";
  }
  if (name == "IPTE" || name == "IDTE") return "protection and translation of table entries";
  if (name == "TB") return "general register 0 and key after TEST BLOCK";
  if (name == "LPSW" && IsProgram(ours, ProgramCode::kSpecification)) {
    return "bit 12 after LOAD PSW of one without it";
  }
  if (IsAccessException(ours) && IsAccessException(theirs)) {
    return "which of the access exceptions of two operands or two pages";
  }
  if (IsAccessException(ours) &&
      (IsProgram(theirs, ProgramCode::kData) || IsProgram(theirs, ProgramCode::kDecimalDivide))) {
    return "a decimal exception before an access exception";
  }
  if ((name == "ED" || name == "EDMK") && IsProgram(ours, ProgramCode::kData) &&
      IsProgram(theirs, ProgramCode::kData)) {
    return "EDIT that stores in part before a data exception";
  }
  if (IsOneOf(name, kOffBoundary) && IsProgram(ours, ProgramCode::kSpecification)) {
    return "operands off their boundary in LOAD PAIR DISJOINT and interlocked updates";
  }
  if (IsOneOf(name, kRotations) && sample.stub.instruction[4] >= 64) {
    return "rotation by more than 63 bits";
  }
  if (name == "PKU" || name == "PKA") return "what is on the left of a short source of PKA, PKU";
  if (name == "SRSTU") return "an end at an odd distance in SEARCH STRING UNICODE";
  if (name == "TRE" && IsProgram(ours, ProgramCode::kProtection)) {
    return "bytes of a translation table that are not used";
  }
  if (name == "TBEDR" || name == "TBDR") return "rounding in CONVERT HFP TO BFP";
  if (InAccessRegisterMode(theirs) && IsProgram(theirs, ProgramCode::kTranslationSpecification)) {
    return "a common segment on the way of an access list";
  }
  // Bits 60, 62 and 63: protection by access lists, and which address space.
  MachineResult adjusted = ours;
  constexpr std::size_t kLastByte = kTranslationException + 7 - kLowcoreBegin;
  adjusted.lowcore[kLastByte] = static_cast<std::uint8_t>((ours.lowcore[kLastByte] & ~0x0b) |
                                                          (theirs.lowcore[kLastByte] & 0x0b));
  adjusted.lowcore[kExceptionAccess - kLowcoreBegin] =
      theirs.lowcore[kExceptionAccess - kLowcoreBegin];
  if (InAccessRegisterMode(ours) && Differences(sample, adjusted, theirs).empty()) {
    return "space identification in the access-register mode";
  }
  return "";
}

}  // namespace

std::string Differences(const Sample& sample, const MachineResult& our_result,
                        const MachineResult& their_result) {
  const MachineResult ours = Comparable(our_result);
  const MachineResult theirs = Comparable(their_result);
  std::string text;
  if (EndText(ours) != EndText(theirs)) {
    absl::StrAppend(&text, " end ours ", EndText(ours), " theirs ", EndText(theirs), ";");
  }
  CompareRegisters("gr", ours.state.general, theirs.state.general, text);
  CompareRegisters("fpr", ours.state.floating, theirs.state.floating, text);
  CompareRegisters("ar", ours.state.access, theirs.state.access, text);
  CompareRegisters("cr", ours.control, theirs.control, text);
  CompareNumber("fpc", ours.state.floating_control.value(), theirs.state.floating_control.value(),
                text);
  CompareNumber("prefix", ours.prefix.value(), theirs.prefix.value(), text);
  CompareNumber("clock comparator", ours.clock_comparator.value(), theirs.clock_comparator.value(),
                text);
  CompareBytes("key ", 0, ours.keys, theirs.keys, text);
  if (StoresWhatDiffers(sample.instruction->mnemonic)) return text;
  CompareBytes("low ", kLowcoreBegin, ours.lowcore, theirs.lowcore, text);
  CompareBytes("window ", 0, ours.state.window, theirs.state.window, text);
  CompareRegisters("poked ", ours.poked, theirs.poked, text);
  CompareNumber("tables", ours.tables_sum.value(), theirs.tables_sum.value(), text);
  CompareNumber("frames", ours.frames_sum.value(), theirs.frames_sum.value(), text);
  return text;
}

bool IsUnknown(const MachineResult& ours, const MachineResult& theirs) {
  return IsProgram(theirs, ProgramCode::kOperation) && !IsProgram(ours, ProgramCode::kOperation);
}

absl::string_view KnownDeviation(absl::string_view witness, const Sample& sample,
                                 const MachineCase&, const MachineResult& ours, const MachineResult& theirs) {
  if (IsEqualButLength(sample, ours, theirs)) {
    return "the length of an instruction that cannot be fetched";
  }
  MachineResult adjusted = ours;
  adjusted.lowcore[kExceptionAccess - kLowcoreBegin] =
      theirs.lowcore[kExceptionAccess - kLowcoreBegin];
  if (Differences(sample, adjusted, theirs).empty()) return "exception access identification";
  adjusted.keys = WithBitsOf(ours.keys, theirs.keys, kReferenceBit | kChangeBit);
  if (IsProgram(ours) && Differences(sample, adjusted, theirs).empty()) {
    return "reference and change bits of an instruction that was interrupted";
  }
  constexpr auto kExternal = static_cast<std::uint32_t>(Kind::kExternal);
  if (ours.kind != theirs.kind && (ours.kind == kExternal || theirs.kind == kExternal)) {
    return "when a pending external interruption is taken";
  }
  const absl::string_view name = sample.instruction->mnemonic;
  return witness == "qemu" ? DeviationOfQemu(name, sample, ours, theirs)
                           : DeviationOfHercules(name, sample, ours, theirs);
}

std::string Describe(const MachineCase& request) {
  std::string text = absl::StrFormat(
      "\n    psw %016x %016x cr0 %x cr1 %x cr3 %x cr7 %x cr13 %x keys", request.psw_mask.value(),
      request.psw_address.value(), request.control[0].value(), request.control[1].value(),
      request.control[3].value(), request.control[7].value(), request.control[13].value());
  for (const std::uint8_t key : request.keys) absl::StrAppendFormat(&text, " %02x", key);
  for (std::uint32_t i = 0; i < request.poke_count; ++i) {
    absl::StrAppendFormat(&text, "\n    poke %x = %016x", request.pokes[i].address.value(),
                          request.pokes[i].value.value());
  }
  for (std::size_t i = 0; i < 16; ++i) {
    absl::StrAppendFormat(&text, "%s gr%-2d %016x fpr%-2d %016x", i % 2 == 0 ? "\n   " : "  ",
                          static_cast<int>(i), request.state.general[i].value(),
                          static_cast<int>(i), request.state.floating[i].value());
  }
  return text;
}

}  // namespace lethe::system_mode
