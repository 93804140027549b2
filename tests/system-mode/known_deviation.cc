#include "tests/system-mode/known_deviation.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "emulated-host/cpu/registers.h"
#include "tests/system-mode/exact_float.h"

namespace lethe::system_mode {
namespace {

using emulated::ProgramCode;
using emulated::Psw;

constexpr unsigned kRecording = Forgiving::kReferenceBit | Forgiving::kChangeBit;

struct Rule {
  absl::string_view reason;
  bool (*applies)(const Judged& judged);
};

template <std::size_t kSize>
bool IsOneOf(absl::string_view name, const absl::string_view (&names)[kSize]) {
  return std::ranges::find(names, name) != std::end(names);
}

// Our reference and change bits are one wherever theirs are.
bool RecordsMore(const Judged& judged) {
  for (std::size_t i = 0; i < kFrameCount; ++i) {
    if ((judged.theirs.keys[i] & ~judged.ours.keys[i] & kRecording) != 0) return false;
  }
  return true;
}

unsigned ProgramLength(const MachineResult& result) {
  return Low<std::uint8_t>(result, Lowcore::kProgramLength);
}

// --- of both -------------------------------------------------------------------------------------

// The instruction itself could not be fetched, or not from where it leads to.
bool LengthOfWhatIsNotFetched(const Judged& judged) {
  constexpr std::uint64_t kPage = ~std::uint64_t{0xfff};
  constexpr unsigned kUnfetched = 2;  // what we say then
  const MachineResult& ours = judged.ours;
  const std::uint64_t at = OldPswAddress(ours);
  if (!IsAccessException(ours)) return false;
  if (IsNullified(ours)) {
    if (((Low<std::uint64_t>(ours, Lowcore::kTranslationException) ^ at) & kPage) != 0)
      return false;
  } else if (at == judged.request.psw_address + judged.Length() &&
             (judged.Length() != kUnfetched || ProgramLength(judged.theirs) == kUnfetched)) {
    return false;  // it was fetched
  }
  return Forgiving(judged)
      .Low(Lowcore::kProgramLength, 1)
      .Low(Lowcore::kProgramOldPsw + 8, 8)
      .Agree();
}

bool LengthAtOddAddress(const Judged& judged) {
  return IsProgram(judged.ours, ProgramCode::kSpecification) &&
         OldPswAddress(judged.ours) % 2 != 0 &&
         Forgiving(judged)
             .Low(Lowcore::kProgramLength, 1)
             .Low(Lowcore::kProgramOldPsw + 8, 8)
             .Agree();
}

bool RecordingOfInterrupted(const Judged& judged) {
  return IsProgram(judged.ours) && Forgiving(judged).Keys(kRecording).Agree();
}

bool ReferenceWithoutUse(const Judged& judged) {
  return RecordsMore(judged) && Forgiving(judged).Keys(Forgiving::kReferenceBit).Agree();
}

// Does the instruction access storage at two places, or on both sides of a page boundary?
bool MayAccessTwoPages(const Judged& judged) {
  constexpr std::uint64_t kMost = 128;  // of one operand: sixteen registers
  const std::optional<std::uint64_t> only = judged.OnlyOperandAddress();
  return !only || *only % kPageBytes > kPageBytes - kMost;
}

// Two exceptions, of which each machine tells another one: other codes, other pages, or protection
// of the same page by a table and by its key.
bool OtherPageFirst(const Judged& judged) {
  if (!IsAccessException(judged.ours) || !IsAccessException(judged.theirs)) return false;
  const std::optional<std::uint64_t> our_page = PageOfException(judged.ours);
  const std::optional<std::uint64_t> their_page = PageOfException(judged.theirs);
  const bool same_code = Low<std::uint16_t>(judged.ours, Lowcore::kProgramCode) ==
                         Low<std::uint16_t>(judged.theirs, Lowcore::kProgramCode);
  if (our_page == their_page && (our_page || same_code)) return false;
  const bool two_protections = same_code && our_page.has_value() != their_page.has_value();
  return (two_protections || MayAccessTwoPages(judged)) &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

constexpr Rule kOfBoth[] = {
    {"the length of an instruction that cannot be fetched", LengthOfWhatIsNotFetched},
    {"the length of an instruction at an odd address", LengthAtOddAddress},
    {"reference and change bits of an instruction that was interrupted", RecordingOfInterrupted},
    {"a reference bit of an operand that was not needed", ReferenceWithoutUse},
};

// --- Hercules ------------------------------------------------------------------------------------

bool IsExternal(const MachineResult& result) {
  return result.kind == static_cast<std::uint32_t>(Kind::kExternal);
}

bool OperandsOffBoundary(const Judged& judged) {
  constexpr absl::string_view kInterlocked[] = {"LAA",  "LAAG", "LAAL", "LAALG", "LAN",
                                                "LANG", "LAO",  "LAOG", "LAX",   "LAXG"};
  if (!IsProgram(judged.ours, ProgramCode::kSpecification) || !OursIsUntouched(judged))
    return false;
  if (IsOneOf(judged.name(), kInterlocked)) {
    return judged.FirstAddress() % (absl::EndsWith(judged.name(), "G") ? 8 : 4) != 0;
  }
  const std::uint64_t size = judged.name() == "LPDG" ? 8 : 4;
  return (judged.name() == "LPD" || judged.name() == "LPDG") &&
         (judged.FirstAddress() % size != 0 || judged.SecondAddress() % size != 0);
}

bool Rotation(const Judged& judged) {
  return (judged.name() == "RISBHG" || judged.name() == "RISBLG") && judged.text(4) >= 64 &&
         Forgiving(judged).General(judged.r1()).Agree();
}

// Bits of the first operand stay where those of the second should come.
bool NoInsertion(const Judged& judged) {
  const std::uint64_t before = judged.general(judged.r1());
  const std::uint64_t theirs = judged.theirs.state.general[judged.r1()];
  const bool zeroes_others = (judged.text(3) & 0x80) != 0;
  return judged.name() == "RISBGN" && (theirs & ~before) == 0 &&
         (zeroes_others || theirs == before) && Forgiving(judged).General(judged.r1()).Agree();
}

bool OddEnd(const Judged& judged) {
  return judged.name() == "SRSTU" &&
         (judged.general(judged.r1()) ^ judged.general(judged.r2())) % 2 != 0 &&
         Forgiving(judged).End().General(judged.r1()).General(judged.r2()).Keys(kRecording).Agree();
}

// How far the second-operand address gets in one execution is up to the CPU, and so is where it is
// after the last one of several.
bool SearchInParts(const Judged& judged) {
  const bool in_parts = judged.sample.stub.repeat != 0 ||
                        (IsCompleted(judged.ours) && ConditionCode(judged.ours) == 3);
  return absl::StartsWith(judged.name(), "SRST") && in_parts &&
         Forgiving(judged).General(judged.r2()).Agree();
}

// Both were interrupted by an operand, one of them after more units of operation. What ends
// with condition code 3 is executed again, so that this code may be left.
bool UnitsBeforeException(const Judged& judged) {
  if (judged.sample.stub.repeat != 0 && IsAccessException(judged.ours) &&
      (ConditionCode(judged.ours) == 3 || ConditionCode(judged.theirs) == 3)) {
    return Forgiving(judged).ConditionCode().Agree();
  }
  return judged.name() == "CUSE" && IsAccessException(judged.ours) &&
         IsAccessException(judged.theirs) &&
         Forgiving(judged)
             .General(judged.r1())
             .General(judged.r1() + 1)
             .General(judged.r2())
             .General(judged.r2() + 1)
             .Keys(kRecording)
             .Agree();
}

// Bit 32 of registers with addresses of 31 bits may become zero or stay.
bool LeftOfLongOperands(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"CLCLU", "MVCLU", "CLCLE", "MVCLE"};
  constexpr std::uint64_t kLeft = 0x8000'0000;
  return IsOneOf(judged.name(), kNames) &&
         (judged.request.psw_mask & Psw::kExtendedAddressing) == 0 &&
         Forgiving(judged).General(judged.r1(), kLeft).General(judged.r2(), kLeft).Agree();
}

bool TableOfTranslation(const Judged& judged) {
  constexpr std::uint64_t kTableBytes = 256;
  constexpr std::uint64_t kPage = ~std::uint64_t{0xfff};
  const std::uint64_t table = judged.general(judged.r2());
  return judged.name() == "TRE" && IsAccessException(judged.ours) && IsCompleted(judged.theirs) &&
         (table & kPage) != ((table + kTableBytes - 1) & kPage) && OursIsUntouched(judged);
}

// The store is tested for, but the first byte is the test byte.
bool NothingToTranslate(const Judged& judged) {
  return judged.name() == "TRE" && IsAccessException(judged.ours) && IsCompleted(judged.theirs) &&
         ConditionCode(judged.theirs) == 1 &&
         judged.theirs.state.general[judged.r1()] == judged.general(judged.r1()) &&
         OursIsUntouched(judged);
}

bool StoresNotDone(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"CSST", "PLO", "TRE"};
  return IsOneOf(judged.name(), kNames) && RecordsMore(judged) && IsCompleted(judged.ours) &&
         Forgiving(judged).Keys(kRecording).Agree();
}

bool UnequalLockedOperation(const Judged& judged) {
  return judged.name() == "PLO" && IsAccessException(judged.ours) && IsCompleted(judged.theirs) &&
         ConditionCode(judged.theirs) != 0 && OursIsUntouched(judged);
}

bool BitLeftOfAddress(const Judged& judged) {
  return judged.name() == "TRTR" && (judged.request.psw_mask & Psw::kExtendedAddressing) == 0 &&
         Forgiving(judged).General(1, 0x8000'0000).Agree();
}

bool IsConversionOfUnicode(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"CU12", "CU14", "CU21", "CU24", "CU41", "CU42"};
  return IsOneOf(judged.name(), kNames);
}

// There is no room for a character, whose source we look at first.
bool FullTargetFirst(const Judged& judged) {
  if (!IsConversionOfUnicode(judged) || !IsCompleted(judged.theirs) ||
      ConditionCode(judged.theirs) != 1) {
    return false;
  }
  if (IsAccessException(judged.ours)) return Forgiving(judged).End().Keys(kRecording).Agree();
  return IsCompleted(judged.ours) && ConditionCode(judged.ours) == 2 &&
         Forgiving(judged).ConditionCode().Agree();
}

// Asked to test for it.
bool NotWellFormed(const Judged& judged) {
  return (judged.name() == "CU12" || judged.name() == "CU24") && (judged.text(2) & 0x10) != 0 &&
         IsCompleted(judged.ours) && ConditionCode(judged.ours) == 2 &&
         Forgiving(judged)
             .End()
             .Storage()
             .General(judged.r1())
             .General(judged.r1() + 1)
             .General(judged.r2())
             .General(judged.r2() + 1)
             .Keys(kRecording)
             .Agree();
}

bool AccessListOfMove(const Judged& judged) {
  constexpr std::uint64_t kAccessRegister = 0x41;  // the space is valid, and which one
  constexpr std::uint64_t kMask = 0xc1;
  const std::uint64_t control = judged.general(0);
  return judged.name() == "MVCOS" &&
         ((control & kMask) == kAccessRegister || (control >> 16 & kMask) == kAccessRegister) &&
         Forgiving(judged).End().Storage().Keys(kRecording).Agree();
}

// R3 is taken for the access register of an operand.
bool AccessRegisterOfPair(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"CSST", "LPD", "LPDG"};
  return IsOneOf(judged.name(), kNames) && judged.IsTranslating() &&
         (judged.request.psw_mask & Psw::kAddressSpaceMask) == Psw::Bit(17) &&
         Forgiving(judged)
             .End()
             .Storage()
             .General(judged.r3())
             .General((judged.r3() + 1) & 0xf)
             .Keys(kRecording)
             .Agree();
}

// A high surrogate with anything behind it, not to be tested.
bool UnpairedSurrogate(const Judged& judged) {
  return judged.name() == "CU24" && (judged.text(2) & 0x10) == 0 && IsCompleted(judged.ours) &&
         Forgiving(judged).Storage().Agree();
}

bool DecimalFirst(const Judged& judged) {
  return IsAccessException(judged.ours) &&
         (IsProgram(judged.theirs, ProgramCode::kData) ||
          IsProgram(judged.theirs, ProgramCode::kDecimalDivide)) &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

bool EditInPart(const Judged& judged) {
  const bool both_data =
      IsProgram(judged.ours, ProgramCode::kData) && IsProgram(judged.theirs, ProgramCode::kData);
  const bool both_access = IsAccessException(judged.ours) && IsAccessException(judged.theirs);
  return (judged.name() == "ED" || judged.name() == "EDMK") && (both_data || both_access) &&
         Forgiving(judged).End().Storage().General(1).Keys(kRecording).Agree();
}

bool KeyOptions(const Judged& judged) {
  return judged.name() == "SSKE" && judged.text(2) != 0 && IsCompleted(judged.ours) &&
         IsCompleted(judged.theirs) &&
         Forgiving(judged).Keys().ConditionCode().General(judged.r1()).General(judged.r2()).Agree();
}

// Stored up to the page that it may not store into.
bool MoveInPart(const Judged& judged) {
  return judged.name() == "MVCOS" && IsAccessException(judged.ours) &&
         IsAccessException(judged.theirs) && OursIsUntouched(judged) &&
         Forgiving(judged).Storage().Keys(kRecording).Agree();
}

bool KeyMaskFirst(const Judged& judged) {
  return judged.name() == "MVPG" && judged.InProblemState() &&
         IsProgram(judged.ours, ProgramCode::kSpecification) &&
         IsProgram(judged.theirs, ProgramCode::kPrivilegedOperation) && OursIsUntouched(judged) &&
         Forgiving(judged).End().Agree();
}

// Only the TLB entries of the space that R3 names need go; theirs are gone when it goes on.
bool EntriesOfOtherSpace(const Judged& judged) {
  const std::uint64_t next = judged.request.psw_address + judged.Length();
  return judged.name() == "IDTE" && judged.text(2) >> 4 != 0 && IsCompleted(judged.ours) &&
         IsNullified(judged.theirs) && OldPswAddress(judged.theirs) == next &&
         PageOfException(judged.theirs) == (next & ~(kPageBytes - 1)) &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

// Both say that there is no entry.
bool EntryBeyondTable(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"LRA", "LRAY", "LRAG"};
  constexpr std::uint64_t kNoSegment = 0x8000'0010;
  return IsOneOf(judged.name(), kNames) && IsCompleted(judged.ours) &&
         ConditionCode(judged.ours) == 3 &&
         (judged.ours.state.general[judged.r1()] & 0xffff'ffff) == kNoSegment &&
         Forgiving(judged).General(judged.r1()).Agree();
}

bool ProtectedTable(const Judged& judged) {
  return (judged.name() == "IPTE" || judged.name() == "IDTE") && IsCompleted(judged.ours) &&
         IsProgram(judged.theirs, ProgramCode::kProtection) &&
         Forgiving(judged).End().Tables().Keys(kRecording).Agree();
}

bool TestBlock(const Judged& judged) {
  return judged.name() == "TB" && IsCompleted(judged.ours) &&
         Forgiving(judged).General(0).Keys().Agree();
}

bool ShortPsw(const Judged& judged) {
  return judged.name() == "LPSW" && IsProgram(judged.ours, ProgramCode::kSpecification) &&
         IsProgram(judged.theirs, ProgramCode::kSpecification) &&
         Forgiving(judged).Low(Lowcore::kProgramOldPsw + 1, 1, 0x08).Agree();
}

bool RoundingOfHexNumber(const Judged& judged) {
  const unsigned method = judged.text(2) >> 4;
  const bool is_short = judged.name() == "TBEDR";
  if (judged.name() != "TBDR" && !is_short) return false;
  if (method == 2 || method == 3) {
    return IsProgram(judged.ours, ProgramCode::kSpecification) && OursIsUntouched(judged);
  }
  const std::uint64_t mask = is_short ? 0xffff'ffff'0000'0000 : ~std::uint64_t{0};
  const std::uint64_t ours = judged.ours.state.floating[judged.r1()] & mask;
  return ours == BinaryOfHex(judged.request.state.floating[judged.r2()], method, is_short) &&
         Forgiving(judged).Floating(judged.r1()).Agree();
}

// --- of Hercules, with binary floating-point numbers ---------------------------------------------

constexpr std::uint32_t kFlags = 0x00f8'0000;
constexpr std::uint32_t kDataExceptionCode = 0x0000'ff00;
constexpr std::uint32_t kInvalidFlag = 0x0080'0000;
constexpr std::uint64_t kDataExceptionAt = 0x93;

unsigned DataExceptionCode(const MachineResult& result) {
  return IsProgram(result, ProgramCode::kData) ? Low<std::uint8_t>(result, kDataExceptionAt) : 0;
}

bool IsNan(std::uint64_t bits, bool is_short) {
  constexpr std::uint64_t kInfinityOfShort = 0x7f80'0000'0000'0000;
  constexpr std::uint64_t kInfinityOfLong = 0x7ff0'0000'0000'0000;
  const std::uint64_t number = bits & (is_short ? 0x7fff'ffff'0000'0000 : 0x7fff'ffff'ffff'ffff);
  return number > (is_short ? kInfinityOfShort : kInfinityOfLong);
}

bool IsSignaling(std::uint64_t bits, bool is_short) {
  constexpr std::uint64_t kQuietOfShort = 0x0040'0000'0000'0000;
  constexpr std::uint64_t kQuietOfLong = 0x0008'0000'0000'0000;
  return IsNan(bits, is_short) && (bits & (is_short ? kQuietOfShort : kQuietOfLong)) == 0;
}

bool IsSignalingExtended(std::uint64_t left, std::uint64_t right) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  constexpr std::uint64_t kInfinity = 0x7fff'0000'0000'0000;
  constexpr std::uint64_t kQuiet = 0x0000'8000'0000'0000;
  const std::uint64_t number = left & ~kSign;
  const bool is_nan = number > kInfinity || (number == kInfinity && right != 0);
  return is_nan && (number & kQuiet) == 0;
}

std::optional<std::uint64_t> SecondNumber(const Judged& judged) {
  if (absl::EndsWith(judged.name(), "R")) return judged.request.state.floating[judged.r2()];
  return judged.IndexedOperand();
}

// "Incremented" in the data-exception code of a trapped, inexact result.
bool Incremented(const Judged& judged) {
  return (DataExceptionCode(judged.ours) & 0x0c) == 0x0c &&
         Forgiving(judged).FloatControl(0x0400).Low(kDataExceptionAt, 1, 0x04).Agree();
}

// Overflow and underflow that are trapped deliver the result with another exponent.
bool ScaledResult(const Judged& judged) {
  const unsigned code = DataExceptionCode(judged.ours);
  return (code & 0x30) != 0 && (code & 0x03) == 0 &&
         Forgiving(judged)
             .End()
             .Floating(judged.r1())
             .Floating((judged.r1() + 2) & 0xf)
             .FloatControl(kFlags | kDataExceptionCode)
             .Agree();
}

// Theirs is rounded twice; ours is what a fused operation makes.
bool FusedOperation(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"MAEBR", "MAEB", "MSEBR", "MSEB",
                                          "MADBR", "MADB", "MSDBR", "MSDB"};
  if (!IsOneOf(judged.name(), kNames)) return false;
  const bool is_short = judged.name()[2] == 'E';
  const auto& numbers = judged.request.state.floating;
  const std::optional<std::uint64_t> second = SecondNumber(judged);
  const std::uint64_t ours = judged.ours.state.floating[judged.r1()] >> (is_short ? 32 : 0);
  const std::uint64_t theirs = judged.theirs.state.floating[judged.r1()] >> (is_short ? 32 : 0);
  if (second) {
    const std::optional<std::uint64_t> made = FusedMultiplyAdd(
        numbers[judged.r3()], *second, numbers[judged.r1()], judged.name()[1] == 'S',
        judged.request.state.floating_control & 3, is_short);
    if (made ? *made >> (is_short ? 32 : 0) != ours : ours != theirs) return false;  // no number
  } else if (ours - theirs + 1 > 2) {
    return false;
  }
  return Forgiving(judged)
      .End()
      .Floating(judged.r1())
      .FloatControl(kFlags | kDataExceptionCode)
      .Agree();
}

bool IsOneOfFormats(char letter) { return letter == 'E' || letter == 'D' || letter == 'X'; }

// Of what is computed with: short (E), long (D) or extended (X); 0: the mnemonic does not say so.
char OperandFormat(absl::string_view name) {
  if (IsOneOfFormats(name[2])) return name[2];
  return IsOneOfFormats(name[1]) ? name[1] : 0;
}

bool HasSignaling(const Judged& judged) {
  const absl::string_view name = judged.name();
  const char format = OperandFormat(name);
  const auto& numbers = judged.request.state.floating;
  const auto is_signaling = [&](unsigned number) {
    if (format != 'X') return IsSignaling(numbers[number], format == 'E');
    return IsSignalingExtended(numbers[number], numbers[(number + 2) & 0xf]);
  };
  const bool reads_first =
      !absl::StartsWith(name, "L") && !absl::StartsWith(name, "F") && !absl::StartsWith(name, "SQ");
  if (reads_first && is_signaling(judged.r1())) return true;
  const emulated::Format form = judged.sample.instruction->format;
  if ((form == emulated::Format::kRRD || form == emulated::Format::kRXF) &&
      is_signaling(judged.r3())) {
    return true;
  }
  if (absl::EndsWith(name, "R")) return is_signaling(judged.r2());
  const std::optional<std::uint64_t> second = judged.IndexedOperand();
  return second && IsSignaling(*second, format == 'E');
}

// One operand is a signaling NaN: it is the one that becomes the result.
bool OtherNan(const Judged& judged) {
  const char format = OperandFormat(judged.name());
  if (format == 0 || (judged.ours.state.floating_control & kInvalidFlag) == 0) return false;
  const char result = IsOneOfFormats(judged.name()[1]) ? judged.name()[1] : format;
  const unsigned number = judged.r1();
  const auto may_be_nan = [&](const MachineResult& made) {
    constexpr std::uint64_t kExponentOfExtended = 0x7fff'0000'0000'0000;
    const std::uint64_t bits = made.state.floating[number];
    return result == 'X' ? (bits & kExponentOfExtended) == kExponentOfExtended
                         : IsNan(bits, result == 'E');
  };
  if (!HasSignaling(judged) || !may_be_nan(judged.ours) || !may_be_nan(judged.theirs)) return false;
  Forgiving forgiving(judged);
  forgiving.Floating(number);
  if (result == 'X') forgiving.Floating((number + 2) & 0xf);
  return forgiving.Agree();
}

// Widened before it is multiplied, a signaling NaN is none.
bool SignalingIsWidened(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"MDEB", "MDEBR", "MXDB", "MXDBR"};
  if (!IsOneOf(judged.name(), kNames)) return false;
  const bool is_short = judged.name()[1] == 'D';
  const std::optional<std::uint64_t> second = SecondNumber(judged);
  return (IsSignaling(judged.request.state.floating[judged.r1()], is_short) ||
          (second && IsSignaling(*second, is_short))) &&
         Forgiving(judged)
             .End()
             .Floating(judged.r1())
             .FloatControl(kFlags | kDataExceptionCode)
             .Agree();
}

bool IsNegative(const Judged& judged) {
  return judged.request.state.floating[judged.r2()] >> 63 != 0;
}

// Less than zero, too great, or no number, and we know it.
bool InvalidLogical(const Judged& judged) {
  const bool to_64 = absl::StartsWith(judged.name(), "CLG");
  if ((!to_64 && !absl::StartsWith(judged.name(), "CLF")) || !absl::EndsWith(judged.name(), "BR")) {
    return false;
  }
  const bool fits =
      IsBelow(judged.request.state.floating[judged.r2()], to_64 ? 64 : 32, judged.name()[3] == 'E');
  return (IsNegative(judged) || !fits) && Forgiving(judged)
                                              .End()
                                              .General(judged.r1())
                                              .FloatControl(kFlags | kDataExceptionCode)
                                              .Agree();
}

bool RoundingOfLogical(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"CDLGBR", "CELGBR", "CELFBR"};
  if (!IsOneOf(judged.name(), kNames)) return false;
  const bool is_short = judged.name()[1] == 'E';
  std::uint64_t number = judged.general(judged.r2());
  if (judged.name()[3] == 'F') number &= 0xffff'ffff;
  const std::uint64_t mask = is_short ? 0xffff'ffff'0000'0000 : ~std::uint64_t{0};
  return (judged.ours.state.floating[judged.r1()] & mask) ==
             BinaryOfLogical(number, judged.request.state.floating_control & 3, is_short) &&
         Forgiving(judged).Floating(judged.r1()).Agree();
}

// Half way between two integers, of which ours is the one away from zero.
bool TiesAwayFromZero(const Judged& judged) {
  if (judged.text(2) >> 4 != 1 || !absl::EndsWith(judged.name(), "BR")) return false;
  const unsigned number = judged.r1();
  const std::uint64_t more =
      judged.ours.state.general[number] - judged.theirs.state.general[number];
  const bool is_away = IsNegative(judged) ? static_cast<std::uint32_t>(more) == 0xffff'ffff
                                          : static_cast<std::uint32_t>(more) == 1;
  const bool is_tie = IsTie(judged.request.state.floating[judged.r2()], judged.name()[2] == 'E');
  if (!is_tie) return false;
  if (absl::StartsWith(judged.name(), "FI")) return Forgiving(judged).Floating(number).Agree();
  return absl::StartsWith(judged.name(), "C") && is_away &&
         Forgiving(judged).General(number).Agree();
}

bool SimulatedInexactness(const Judged& judged) {
  return (judged.name() == "SFASR" || judged.name() == "LFAS") &&
         Forgiving(judged).FloatControl(0x0800).Low(kDataExceptionAt, 1, 0x08).Agree();
}

bool SpaceOfAccessRegister(const Judged& judged) {
  return InAccessRegisterMode(judged.ours) && InAccessRegisterMode(judged.theirs) &&
         Forgiving(judged)
             .Low(Lowcore::kTranslationException + 7, 1, 0x0b)
             .Low(Lowcore::kExceptionAccess, 1)
             .Keys(kRecording)
             .Agree();
}

constexpr Rule kOfHercules[] = {
    {"space identification in the access-register mode", SpaceOfAccessRegister},
    {"which of the access exceptions of two operands or two pages", OtherPageFirst},
    {"operands off their boundary in LOAD PAIR DISJOINT and interlocked updates",
     OperandsOffBoundary},
    {"rotation by more than 63 bits", Rotation},
    {"RISBGN inserts nothing", NoInsertion},
    {"an end at an odd distance in SEARCH STRING UNICODE", OddEnd},
    {"how far SEARCH STRING goes at a time", SearchInParts},
    {"units of operation before an access exception", UnitsBeforeException},
    {"the bit left of 31-bit addresses of long operands", LeftOfLongOperands},
    {"bytes of a translation table that are not used", TableOfTranslation},
    {"stores of TRANSLATE EXTENDED that its test byte prevents", NothingToTranslate},
    {"operands that are not stored after all", StoresNotDone},
    {"stores of PERFORM LOCKED OPERATION when it compares unequal", UnequalLockedOperation},
    {"the bit left of a 31-bit address in TRTR", BitLeftOfAddress},
    {"a full target before a source that is invalid or not accessible", FullTargetFirst},
    {"well-formedness in CU12, CU24", NotWellFormed},
    {"access registers in MOVE WITH OPTIONAL SPECIFICATIONS", AccessListOfMove},
    {"the access register in LOAD PAIR DISJOINT, COMPARE AND SWAP AND STORE", AccessRegisterOfPair},
    {"what follows a high surrogate in CU24", UnpairedSurrogate},
    {"a decimal exception before an access exception", DecimalFirst},
    {"EDIT that stores in part before an exception", EditInPart},
    {"SET STORAGE KEY EXTENDED with options of facilities that are not offered", KeyOptions},
    {"the key mask before reserved bits in MOVE PAGE", KeyMaskFirst},
    {"translations of other spaces that IDTE may leave", EntriesOfOtherSpace},
    {"MVCOS that stores in part before an exception", MoveInPart},
    {"LOAD REAL ADDRESS beyond the end of a segment table", EntryBeyondTable},
    {"protection of table entries in IPTE, IDTE", ProtectedTable},
    {"general register 0 and key after TEST BLOCK", TestBlock},
    {"bit 12 after LOAD PSW of one without it", ShortPsw},
    {"rounding in CONVERT HFP TO BFP", RoundingOfHexNumber},
    {"\"incremented\" in the data-exception code", Incremented},
    {"scaled results of trapped overflow and underflow", ScaledResult},
    {"MULTIPLY AND ADD rounds twice", FusedOperation},
    {"a quiet NaN before a signaling one", OtherNan},
    {"a signaling NaN in a multiplication that widens", SignalingIsWidened},
    {"conversions to logical numbers that are invalid", InvalidLogical},
    {"rounding of logical numbers", RoundingOfLogical},
    {"ties that go away from zero", TiesAwayFromZero},
    {"inexactness in the code of a simulated exception", SimulatedInexactness},
};

// --- QEMU ----------------------------------------------------------------------------------------

bool RealOffBoundary(const Judged& judged) {
  const bool wide = judged.name() == "LURAG" || judged.name() == "STURG";
  constexpr absl::string_view kNames[] = {"LURA", "LURAG", "STURA", "STURG"};
  return IsOneOf(judged.name(), kNames) && IsProgram(judged.ours, ProgramCode::kSpecification) &&
         judged.general(judged.r2()) % (wide ? 8 : 4) != 0 && OursIsUntouched(judged);
}

bool UnassignedBits(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"SSM", "STOSM", "LPSWE"};
  constexpr std::uint64_t kUnassigned = 0xb808'00fe'7fff'ffff;
  return IsOneOf(judged.name(), kNames) && IsProgram(judged.ours, ProgramCode::kSpecification) &&
         (OldPswMask(judged.theirs) & kUnassigned) != 0 &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

bool NoSuppression(const Judged& judged) {
  return judged.name() == "SSM" && IsProgram(judged.ours, ProgramCode::kSpecialOperation) &&
         OursIsUntouched(judged) && Forgiving(judged).End().Keys(kRecording).Agree();
}

// Bit 12 stays, or bit 32 becomes part of the address.
bool ShortPswTaken(const Judged& judged) {
  return judged.name() == "LPSW" &&
         ((OldPswMask(judged.theirs) & Psw::kShort) != 0 ||
          (OldPswAddress(judged.theirs) & 0x8000'0000) != 0) &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

bool ProtectionNotTested(const Judged& judged) {
  return judged.name() == "TPROT" && IsCompleted(judged.ours) && IsCompleted(judged.theirs) &&
         Forgiving(judged)
             .ConditionCode()
             .Low(Lowcore::kTranslationException, 8)
             .Low(Lowcore::kExceptionAccess, 1)
             .Keys(kRecording)
             .Agree();
}

bool NotPrivileged(const Judged& judged) {
  return judged.name() == "TPROT" && judged.InProblemState() &&
         IsProgram(judged.ours, ProgramCode::kPrivilegedOperation) && OursIsUntouched(judged);
}

bool PrivilegedFirst(const Judged& judged) {
  return (judged.name() == "MVCP" || judged.name() == "MVCS") && IsProgram(judged.ours) &&
         IsProgram(judged.theirs, ProgramCode::kPrivilegedOperation) &&
         Forgiving(judged).End().Keys(kRecording).Agree();
}

bool AccessKeyNotCompared(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"MVCP", "MVCS", "MVCK", "MVCSK", "MVCDK", "MVPG"};
  return IsOneOf(judged.name(), kNames) && IsProgram(judged.ours, ProgramCode::kProtection) &&
         IsCompleted(judged.theirs) && OursIsUntouched(judged);
}

bool ExceptionToldAsCode(const Judged& judged) {
  return judged.name() == "MVPG" && IsAccessException(judged.ours) && IsCompleted(judged.theirs) &&
         ConditionCode(judged.theirs) != 0 && OursIsUntouched(judged);
}

bool NotToldOfMovePage(const Judged& judged) {
  constexpr std::uint64_t kOperandAccess = 0xa2;
  return judged.name() == "MVPG" && IsProgram(judged.ours, ProgramCode::kPageTranslation) &&
         Forgiving(judged)
             .Low(Lowcore::kTranslationException + 7, 1, 0x04)
             .Low(kOperandAccess, 1)
             .Keys(kRecording)
             .Agree();
}

bool MoveNotDone(const Judged& judged) {
  constexpr std::uint64_t kAccessRegister = 0x41;
  constexpr std::uint64_t kMask = 0xc1;
  const std::uint64_t control = judged.general(0);
  const bool names =
      (control & kMask) == kAccessRegister || (control >> 16 & kMask) == kAccessRegister;
  return judged.name() == "MVCOS" && (judged.InProblemState() || names) &&
         IsProgram(judged.theirs, ProgramCode::kAddressing) &&
         Forgiving(judged).End().Storage().Keys(kRecording).Agree();
}

bool OverlappingMove(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"MVCOS", "MVCP", "MVCS"};
  constexpr std::uint64_t kMost = 4096;
  const std::uint64_t distance = judged.FirstAddress() - judged.SecondAddress();
  return IsOneOf(judged.name(), kNames) && IsCompleted(judged.ours) &&
         distance + kMost < 2 * kMost && Forgiving(judged).Storage().Agree();
}

bool RealAddressWithDatOff(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"LRA", "LRAY", "LRAG"};
  return IsOneOf(judged.name(), kNames) && !judged.IsTranslating() &&
         Forgiving(judged).End().General(judged.r1()).Agree();
}

bool RestOfRealAddress(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"LRA", "LRAY", "LRAG"};
  constexpr std::uint64_t kLeft = 0xffff'ffff'0000'0000;
  const bool is_short = (judged.request.psw_mask & Psw::kExtendedAddressing) == 0;
  return IsOneOf(judged.name(), kNames) && IsCompleted(judged.ours) &&
         (ConditionCode(judged.ours) == 3
              ? Forgiving(judged).General(judged.r1()).Agree()
              : is_short && Forgiving(judged).General(judged.r1(), kLeft).Agree());
}

// The code of the exception instead of the table's entry.
bool EntryOfRealAddress(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"LRA", "LRAY", "LRAG"};
  return IsOneOf(judged.name(), kNames) && IsCompleted(judged.ours) &&
         (ConditionCode(judged.ours) == 1 || ConditionCode(judged.ours) == 2) &&
         IsCompleted(judged.theirs) && ConditionCode(judged.theirs) == 3 &&
         (judged.theirs.state.general[judged.r1()] >> 16 & 0xffff) == 0x8000 &&
         Forgiving(judged).ConditionCode().General(judged.r1()).Agree();
}

bool RealAddressInterrupted(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"LRA", "LRAY", "LRAG"};
  return IsOneOf(judged.name(), kNames) &&
         IsProgram(judged.ours, ProgramCode::kTranslationSpecification) &&
         IsCompleted(judged.theirs) && ConditionCode(judged.theirs) == 3 && OursIsUntouched(judged);
}

bool AddressSpaceControl(const Judged& judged) {
  if (judged.name() != "SAC" && judged.name() != "SACF") return false;
  const bool to_registers = IsCompleted(judged.ours) &&
                            (OldPswMask(judged.ours) & Psw::kAddressSpaceMask) == Psw::Bit(17);
  const bool refused = IsProgram(judged.theirs, ProgramCode::kSpecification);
  const bool excused =
      (to_registers && refused) || (IsProgram(judged.ours, ProgramCode::kSpecialOperation) &&
                                    (refused || IsCompleted(judged.theirs)));
  return excused && Forgiving(judged).End().Keys(kRecording).Agree();
}

bool KeyMask(const Judged& judged) {
  constexpr absl::string_view kNames[] = {"SPKA", "MVCP", "MVCS", "MVCK", "MVCSK", "MVCDK"};
  return IsOneOf(judged.name(), kNames) && judged.InProblemState() &&
         IsProgram(judged.theirs, ProgramCode::kPrivilegedOperation) &&
         !IsProgram(judged.ours, ProgramCode::kPrivilegedOperation) &&
         Forgiving(judged).End().Storage().Keys(kRecording).Agree();
}

bool RegisterOfTestBlock(const Judged& judged) {
  return judged.name() == "TB" && IsCompleted(judged.ours) && Forgiving(judged).General(0).Agree();
}

// The target's, not that of EXECUTE.
bool LengthOfTarget(const Judged& judged) {
  if (judged.name() != "EX" && judged.name() != "EXRL") return false;
  Forgiving forgiving(judged);
  forgiving.Low(Lowcore::kProgramLength, 1);
  const bool behind_target =
      IsProgram(judged.theirs) &&
      OldPswAddress(judged.theirs) == judged.request.psw_address + ProgramLength(judged.theirs);
  if (behind_target && OursIsUntouched(judged)) {
    forgiving.Low(Lowcore::kProgramOldPsw + 8, 8);
  }
  if (IsProgram(judged.ours)) forgiving.Keys(kRecording);
  return forgiving.Agree();
}

// Everything else is done by then.
bool OverflowIgnored(const Judged& judged) {
  return IsProgram(judged.ours, ProgramCode::kFixedPointOverflow) && IsCompleted(judged.theirs) &&
         Forgiving(judged).End().Agree();
}

// Ours is due, and enabled: before the instruction, or by it.
bool ExternalLater(const Judged& judged) {
  constexpr std::uint64_t kExternalCode = 0x86;
  constexpr unsigned kClockComparator = 0x1004;
  constexpr std::uint64_t kClockComparatorMask = Psw::Bit(52);
  constexpr std::uint64_t kFarAway = ~std::uint64_t{0xff};
  const MachineResult& ours = judged.ours;
  const bool is_due = Low<std::uint16_t>(ours, kExternalCode) == kClockComparator &&
                      (ours.control[0] & kClockComparatorMask) != 0 &&
                      ours.clock_comparator < kFarAway;
  if (!IsExternal(ours) || !is_due || (OldPswMask(ours) & Psw::kExternal) == 0) return false;
  return OursIsUntouched(judged) || Forgiving(judged).End().Keys(kRecording).Agree();
}

constexpr Rule kOfQemu[] = {
    {"real storage off its boundary", RealOffBoundary},
    {"unassigned bits of a PSW", UnassignedBits},
    {"no SSM suppression", NoSuppression},
    {"bits 12 and 32 of a short PSW", ShortPswTaken},
    {"TEST PROTECTION looks at no keys and may store an identification", ProtectionNotTested},
    {"TEST PROTECTION is not privileged", NotPrivileged},
    {"privileged operation first in MVCP, MVCS", PrivilegedFirst},
    {"access keys of moves are not compared", AccessKeyNotCompared},
    {"MOVE PAGE tells any exception as a condition code", ExceptionToldAsCode},
    {"MOVE PAGE is not told by its exceptions", NotToldOfMovePage},
    {"MVCOS in the problem state or by access registers", MoveNotDone},
    {"overlapping operands of MVCOS, MVCP, MVCS", OverlappingMove},
    {"LOAD REAL ADDRESS with DAT off", RealAddressWithDatOff},
    {"the left half or code of the result of LOAD REAL ADDRESS", RestOfRealAddress},
    {"LOAD REAL ADDRESS does not tell the table's entry", EntryOfRealAddress},
    {"LOAD REAL ADDRESS is not interrupted by a table's format", RealAddressInterrupted},
    {"the access-register mode, and what SET ADDRESS SPACE CONTROL checks first",
     AddressSpaceControl},
    {"the PSW-key mask", KeyMask},
    {"general register 0 after TEST BLOCK", RegisterOfTestBlock},
    {"no fixed-point overflow interruption", OverflowIgnored},
    {"the length of an instruction that EXECUTE executes", LengthOfTarget},
    {"a pending external interruption is taken later", ExternalLater},
    {"which of the access exceptions of two operands or two pages", OtherPageFirst},
};

}  // namespace

absl::string_view KnownDeviation(absl::string_view witness, const Judged& judged) {
  const auto find = [&](absl::Span<const Rule> rules) -> absl::string_view {
    const auto* const found =
        std::ranges::find_if(rules, [&](const Rule& rule) { return rule.applies(judged); });
    return found == rules.end() ? absl::string_view() : found->reason;
  };
  const absl::string_view reason = find(kOfBoth);
  if (!reason.empty()) return reason;
  return witness == "qemu" ? find(kOfQemu) : find(kOfHercules);
}

}  // namespace lethe::system_mode
