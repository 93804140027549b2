#include "tests/differential/comparison.h"

#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/big_endian.h"

namespace lethe::differential {
namespace {

using emulated::ProgramCode;

// The signal that a Linux process gets for a program interruption.
std::uint32_t SignalOf(ProgramCode code, std::uint8_t data_exception) {
  switch (code) {
    case ProgramCode::kProtection:
    case ProgramCode::kAddressing:
      return SIGSEGV;
    case ProgramCode::kData:
      return data_exception == 0 ? SIGILL : SIGFPE;
    case ProgramCode::kFixedPointOverflow:
    case ProgramCode::kFixedPointDivide:
    case ProgramCode::kDecimalOverflow:
    case ProgramCode::kDecimalDivide:
      return SIGFPE;
    default:
      return SIGILL;
  }
}

// The code of that signal, as far as it tells something.
bool SameSignalCode(ProgramCode code, std::uint32_t signal_code) {
  switch (code) {
    case ProgramCode::kOperation:
    case ProgramCode::kPrivilegedOperation:
      return signal_code == ILL_ILLOPC;
    case ProgramCode::kExecute:
    case ProgramCode::kSpecification:
      return signal_code == ILL_ILLOPN;
    case ProgramCode::kFixedPointOverflow:
      return signal_code == FPE_INTOVF;
    case ProgramCode::kFixedPointDivide:
      return signal_code == FPE_INTDIV;
    default:
      return true;
  }
}

// Linux leaves the PSW behind the instruction, but for storage accesses, which it resolves.
bool SamePlace(const SubjectResult& ours, const Result& theirs) {
  const std::uint64_t instruction = ours.psw_address - ours.instruction_length;
  if (theirs.signal == SIGSEGV) return theirs.psw_address == instruction;
  return theirs.psw_address == ours.psw_address && theirs.instruction == instruction;
}

bool SameOutcome(const SubjectResult& ours, const Result& theirs) {
  if (ours.lost || ours.outcome != theirs.outcome) return false;
  if (ours.outcome != Outcome::kTrapped) return true;
  return SignalOf(ours.program, ours.data_exception) == theirs.signal &&
         SameSignalCode(ours.program, theirs.code) && SamePlace(ours, theirs);
}

std::string OutcomeText(const SubjectResult& ours) {
  if (ours.lost) return "lost";
  if (ours.outcome != Outcome::kTrapped) return ours.outcome == 0 ? "through" : "branched";
  return absl::StrFormat("program %#x dxc %#x ilc %d psw %x", static_cast<unsigned>(ours.program),
                         ours.data_exception, ours.instruction_length, ours.psw_address);
}

std::string OutcomeText(const Result& theirs) {
  if (theirs.outcome != Outcome::kTrapped) return theirs.outcome == 0 ? "through" : "branched";
  return absl::StrFormat("signal %d code %d of %x psw %x", static_cast<int>(theirs.signal.value()),
                         static_cast<int>(theirs.code.value()), theirs.instruction.value(),
                         theirs.psw_address.value());
}

template <typename Array>
void CompareRegisters(const char* name, const Array& ours, const Array& theirs, std::size_t first,
                      std::string& text) {
  for (std::size_t i = first; i < ours.size(); ++i) {
    if (ours[i] == theirs[i]) continue;
    absl::StrAppendFormat(&text, " %s%d ours %x theirs %x;", name, static_cast<int>(i),
                          ours[i].value(), theirs[i].value());
  }
}

constexpr std::uint8_t kUnderflowExact = 0x10;
constexpr std::uint8_t kInexact = 0x08;
constexpr std::uint8_t kInvalidOperation = 0x80;
constexpr std::uint32_t kInvalidFlag = 0x0080'0000;

// Does the source that a register addresses go on with a character that begins with E0?
bool StoppedAtThreeBytes(int number, const Result& theirs) {
  const std::uint64_t offset = theirs.state.general[number] - kWindowAddress;
  return offset < kWindowBytes && theirs.state.window[offset] == 0xe0;
}

// Nothing was done before the interruption.
bool OursIsUntouched(const State& before, const SubjectResult& ours) {
  constexpr std::uint32_t kConditionAndMask = 0x3f00'0000;
  return ours.state.general == before.general && ours.state.floating == before.floating &&
         std::equal(before.access.begin() + 2, before.access.end(),
                    ours.state.access.begin() + 2) &&
         ours.state.floating_control == before.floating_control &&
         ((ours.state.condition ^ before.condition) & kConditionAndMask) == 0 &&
         ours.state.window == before.window;
}

// A short (E), long (D) or, with its right half, extended (X) number.
bool IsNan(char format, std::uint64_t bits, std::uint64_t right) {
  constexpr std::uint64_t kNumber = 0x7fff'ffff'ffff'ffff;
  constexpr std::uint64_t kShortNumber = 0x7fff'ffff'0000'0000;
  if (format == 'E') return (bits & kShortNumber) > 0x7f80'0000'0000'0000;
  if (format == 'D') return (bits & kNumber) > 0x7ff0'0000'0000'0000;
  constexpr std::uint64_t kInfinity = 0x7fff'0000'0000'0000;
  return (bits & kNumber) > kInfinity || ((bits & kNumber) == kInfinity && right != 0);
}

bool IsSignaling(char format, std::uint64_t bits, std::uint64_t right) {
  const std::uint64_t quiet = format == 'E'   ? 0x0040'0000'0000'0000
                              : format == 'D' ? 0x0008'0000'0000'0000
                                              : 0x0000'8000'0000'0000;
  return IsNan(format, bits, right) && (bits & quiet) == 0;
}

// R1 of instructions with binary floating-point numbers.
unsigned ResultRegister(const Sample& sample) {
  const auto& text = sample.stub.instruction;
  switch (sample.instruction->format) {
    case emulated::Format::kRRD:
      return text[2] >> 4;
    case emulated::Format::kRXF:
      return text[4] >> 4;
    case emulated::Format::kRXE:
      return text[1] >> 4;
    default:
      return text[3] >> 4;
  }
}

// LOAD AND TEST, whose third letter is the format.
bool TestsSignaling(absl::string_view name, const Stub& stub, const State& before) {
  const unsigned r2 = stub.instruction[3] & 0xf;
  return IsSignaling(name[2], before.floating[r2], before.floating[(r2 + 2) & 0xf]);
}

// Of MULTIPLY AND ADD or SUBTRACT: is the addend, or another operand, no number? Only then do they
// have more than one NaN to choose from, or one beside a product that is invalid.
bool MultipliesNan(absl::string_view name, const Stub& stub, const State& before) {
  const auto& text = stub.instruction;
  const bool of_registers = absl::EndsWith(name, "R");
  const unsigned r1 = (of_registers ? text[2] : text[4]) >> 4;
  const unsigned r3 = (of_registers ? text[3] : text[1]) >> 4;
  const auto& numbers = before.floating;
  const bool addend = IsNan(name[2], numbers[r1], 0);
  const bool signaling =
      IsSignaling(name[2], numbers[r1], 0) || IsSignaling(name[2], numbers[r3], 0);
  if (addend || signaling || !of_registers) return addend || signaling || !of_registers;
  return IsSignaling(name[2], numbers[text[3] & 0xf], 0);
}

// COMPARE AND SWAP AND STORE of 32 bits: QEMU puts the word that it has found into the left half of
// R3. Where it means to be atomic it finds it, compares it and stores the new one in the byte order
// of its host.
bool PutsWordIntoLeftHalf(const Stub& stub, const State& before, const SubjectResult& ours,
                          const Result& theirs) {
  const auto& text = stub.instruction;
  const std::uint64_t first =
      before.general[text[2] >> 4] + ((text[2] & 0xf) << 8 | text[3]) - kWindowAddress;
  if ((before.general[0] & 0xff) != 0 || first > kWindowBytes - 4) return false;
  const auto word = LoadBigEndian<std::uint32_t>(&before.window[first]);
  const unsigned r3 = text[1] >> 4;
  const auto wanted = static_cast<std::uint32_t>(before.general[r3]);
  const auto explains = [&](std::uint32_t found) {
    SubjectResult adjusted = ours;
    State& state = adjusted.state;
    state.general[r3] = std::uint64_t{found} << 32 | wanted;
    if (found != wanted) {
      state.condition = (before.condition & ~0x3000'0000u) | 0x1000'0000u;
      state.window = before.window;
    } else if (word != wanted) {
      state.condition = before.condition & ~0x3000'0000u;
      state.window = theirs.state.window;
    } else if (word == __builtin_bswap32(word)) {
      std::copy_n(&theirs.state.window[first], 4, &state.window[first]);
    }
    return Differences(adjusted, theirs).empty();
  };
  return explains(word) || explains(__builtin_bswap32(word));
}

// In the FPC register: the flag, or the bit of the data-exception code.
bool DifferOnlyInInexactness(const SubjectResult& ours, const Result& theirs) {
  SubjectResult adjusted = ours;
  if (ours.program == ProgramCode::kData && ours.data_exception == kInexact) {
    adjusted.outcome = Outcome::kFellThrough;
  }
  adjusted.state.floating_control =
      ours.state.floating_control ^
      ((ours.state.floating_control ^ theirs.state.floating_control) & 0x0008'0800);
  return Differences(adjusted, theirs).empty();
}

}  // namespace

bool Agree(const SubjectResult& ours, const Result& theirs) {
  // All of the state but the first two access registers and what is unused.
  constexpr std::size_t kAccess = offsetof(State, access);
  constexpr std::size_t kUnused = offsetof(State, unused);
  constexpr std::size_t kOracleRegisters = 2 * sizeof(Be32);
  if (!SameOutcome(ours, theirs)) return false;
  const auto* const a = reinterpret_cast<const std::uint8_t*>(&ours.state);
  const auto* const b = reinterpret_cast<const std::uint8_t*>(&theirs.state);
  const auto equal = [&](std::size_t begin, std::size_t end) {
    return std::memcmp(a + begin, b + begin, end - begin) == 0;
  };
  return equal(0, kAccess) && equal(kAccess + kOracleRegisters, kUnused) &&
         ours.state.window == theirs.state.window;
}

std::string Differences(const SubjectResult& ours, const Result& theirs) {
  std::string text;
  if (!SameOutcome(ours, theirs)) {
    absl::StrAppend(&text, " outcome ours ", OutcomeText(ours), " theirs ", OutcomeText(theirs),
                    ";");
  }
  if (ours.lost) return text;
  CompareRegisters("gr", ours.state.general, theirs.state.general, 0, text);
  CompareRegisters("fpr", ours.state.floating, theirs.state.floating, 0, text);
  CompareRegisters("ar", ours.state.access, theirs.state.access, 2, text);
  if (ours.state.floating_control != theirs.state.floating_control) {
    absl::StrAppendFormat(&text, " fpc ours %08x theirs %08x;", ours.state.floating_control.value(),
                          theirs.state.floating_control.value());
  }
  if (ours.state.condition != theirs.state.condition) {
    absl::StrAppendFormat(&text, " cc/mask ours %02x theirs %02x;",
                          ours.state.condition.value() >> 24, theirs.state.condition.value() >> 24);
  }
  int shown = 0;
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    if (ours.state.window[i] == theirs.state.window[i]) continue;
    if (shown++ == 8) {
      absl::StrAppend(&text, " ...");
      break;
    }
    absl::StrAppendFormat(&text, " [%d] ours %02x theirs %02x;", static_cast<int>(i),
                          ours.state.window[i], theirs.state.window[i]);
  }
  return text;
}

absl::string_view KnownDeviation(const Sample& sample, const State& before,
                                 const SubjectResult& ours, const Result& theirs) {
  const absl::string_view name = sample.instruction->mnemonic;
  const auto& text = sample.stub.instruction;
  const bool trapped = ours.outcome == Outcome::kTrapped;
  const unsigned result = ResultRegister(sample);
  // Nothing differs but what `adjust` takes over from theirs.
  const auto only = [&](auto adjust) {
    SubjectResult adjusted = ours;
    adjust(adjusted.state);
    return Differences(adjusted, theirs).empty();
  };
  const auto only_number = [&](unsigned number) {
    SubjectResult adjusted = ours;
    if (trapped && theirs.outcome == Outcome::kFellThrough) adjusted.outcome = theirs.outcome;
    for (const unsigned half : {number, (number + 2) & 0xf}) {
      adjusted.state.floating[half] = theirs.state.floating[half];
    }
    adjusted.state.floating_control = theirs.state.floating_control;
    adjusted.state.condition = theirs.state.condition;
    return Differences(adjusted, theirs).empty();
  };
  const auto only_storage = [&] {
    return only([&](State& state) { state.window = theirs.state.window; });
  };
  if (trapped && ours.program == ProgramCode::kFixedPointOverflow &&
      theirs.outcome == Outcome::kFellThrough) {
    // Everything else must agree: the interruption is the last thing that happens.
    Result completed = theirs;
    completed.outcome = Outcome::kTrapped;
    completed.signal = SIGFPE;
    completed.code = FPE_INTOVF;
    completed.psw_address = ours.psw_address;
    completed.instruction = ours.psw_address - ours.instruction_length;
    if (Differences(ours, completed).empty()) return "no fixed-point overflow interruption";
  }
  const bool is_specification =
      trapped && ours.program == ProgramCode::kSpecification && OursIsUntouched(before, ours);
  if (is_specification && theirs.outcome == Outcome::kFellThrough) {
    if (absl::EndsWith(name, "RL")) return "takes relative operands off their boundary";
    if (name == "CDSG") return "takes odd registers in CDSG";
  }
  if (is_specification && (absl::StartsWith(name, "TRT") || absl::StartsWith(name, "TRO"))) {
    return "takes an odd R1 in TRANSLATE ONE, TWO TO ONE, TWO";
  }
  if (is_specification && (name == "LDXBR" || name == "LEXBR")) {
    return "takes any R1 in LOAD ROUNDED from extended";
  }
  if (trapped && ours.program == ProgramCode::kData && ours.data_exception == kUnderflowExact &&
      only_number(result)) {
    return "no trap for an underflow that is exact";
  }
  // Overflow, underflow and inexactness complete the instruction; the oracle suppresses it, and
  // knows nothing of "incremented".
  if (trapped && theirs.outcome == Outcome::kTrapped && ours.program == ProgramCode::kData &&
      (ours.data_exception & 0x38) != 0 && (ours.data_exception & 3) == 0 &&
      only([&](State& state) {
        state.floating[result] = theirs.state.floating[result];
        state.floating[(result + 2) & 0xf] = theirs.state.floating[(result + 2) & 0xf];
        state.general[result] = theirs.state.general[result];
        state.floating_control = theirs.state.floating_control;
        state.condition = theirs.state.condition;
      })) {
    return "a trapped IEEE exception that completes";
  }
  if (absl::StartsWith(name, "C") && absl::EndsWith(name, "BR") &&
      DifferOnlyInInexactness(ours, theirs)) {
    return "inexactness of the conversion of a signaling NaN";
  }
  const bool is_invalid = (ours.state.floating_control & kInvalidFlag) != 0 ||
                          (trapped && ours.data_exception == kInvalidOperation);
  if (name.size() >= 4 && (absl::StartsWith(name, "MA") || absl::StartsWith(name, "MS")) &&
      is_invalid && MultipliesNan(name, sample.stub, before) && only_number(result)) {
    return "a quiet NaN that comes before a signaling one in MULTIPLY AND ADD";
  }
  if ((name == "LTEBR" || name == "LTDBR" || name == "LTXBR") && is_invalid &&
      TestsSignaling(name, sample.stub, before) && only_number(result)) {
    return "LOAD AND TEST of a signaling NaN";
  }
  if (name == "CSST" && PutsWordIntoLeftHalf(sample.stub, before, ours, theirs)) {
    return "COMPARE AND SWAP AND STORE puts 32 bits into the wrong half";
  }
  if (absl::EndsWith(name, "SBG") && (text[2] & 0x80) != 0 &&
      only([&](State& state) { state.condition = theirs.state.condition; })) {
    return "condition code of a test-only rotation";
  }
  if ((name == "CU12" || name == "CU14") && StoppedAtThreeBytes(text[3] & 0xf, theirs) &&
      only([&](State& state) {
        for (const int number : {text[3] >> 4, text[3] & 0xf}) {
          state.general[number] = theirs.state.general[number];
          state.general[(number + 1) & 0xf] = theirs.state.general[(number + 1) & 0xf];
        }
        state.condition = theirs.state.condition;
        state.window = theirs.state.window;
      })) {
    return "refuses characters of three bytes below U+1000";
  }
  // These stop one byte short of the leftmost byte of the source.
  if (name == "UNPK" && text[1] / 16 > 2 * (text[1] % 16 - 1) && only_storage()) {
    return "UNPK of a short source";
  }
  if (((name == "PKA" && text[1] < 31) || (name == "PKU" && text[1] < 63)) && only_storage()) {
    return "PKA, PKU of a short source";
  }
  return "";
}

std::string Describe(const Case& request) {
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    absl::StrAppendFormat(&text, "%s gr%-2d %016x fpr%-2d %016x", i % 2 == 0 ? "\n   " : "  ",
                          static_cast<int>(i), request.state.general[i].value(),
                          static_cast<int>(i), request.state.floating[i].value());
  }
  absl::StrAppendFormat(
      &text, "\n    fpc %08x cc/mask %02x\n    data:", request.state.floating_control.value(),
      request.state.condition.value() >> 24);
  for (std::size_t i = 320; i < 320 + 64; ++i) {
    absl::StrAppendFormat(&text, "%s%02x", i % 8 == 0 ? " " : "", request.state.window[i]);
  }
  return text;
}

}  // namespace lethe::differential
