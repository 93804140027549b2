#include "tests/differential/comparison.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe::differential {
namespace {

using emulated::ProgramCode;

// The signal that a Linux process gets for a program interruption.
std::uint32_t SignalOf(ProgramCode code) {
  switch (code) {
    case ProgramCode::kProtection:
    case ProgramCode::kAddressing:
      return SIGSEGV;
    case ProgramCode::kData:
    case ProgramCode::kFixedPointOverflow:
    case ProgramCode::kFixedPointDivide:
    case ProgramCode::kDecimalOverflow:
    case ProgramCode::kDecimalDivide:
      return SIGFPE;
    default:
      return SIGILL;
  }
}

std::string OutcomeText(const SubjectResult& ours) {
  if (ours.lost) return "lost";
  if (ours.outcome != Outcome::kTrapped) return ours.outcome == 0 ? "through" : "branched";
  return absl::StrFormat("program %#x dxc %#x", static_cast<unsigned>(ours.program),
                         ours.data_exception);
}

std::string OutcomeText(const Result& theirs) {
  if (theirs.outcome != Outcome::kTrapped) return theirs.outcome == 0 ? "through" : "branched";
  return absl::StrFormat("signal %d code %d", static_cast<int>(theirs.signal.value()),
                         static_cast<int>(theirs.code.value()));
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

}  // namespace

std::string Differences(const SubjectResult& ours, const Result& theirs) {
  std::string text;
  const bool same_outcome =
      !ours.lost && ours.outcome == theirs.outcome &&
      (ours.outcome != Outcome::kTrapped || SignalOf(ours.program) == theirs.signal);
  if (!same_outcome) {
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

absl::string_view KnownDeviation(const emulated::Instruction&, const Case&,
                                 const SubjectResult& ours, const Result& theirs) {
  // Overflow, underflow and inexactness complete the instruction; the oracle suppresses it, and
  // knows nothing of "incremented".
  if (ours.outcome == Outcome::kTrapped && theirs.outcome == Outcome::kTrapped &&
      ours.program == ProgramCode::kData && (ours.data_exception & 0x38) != 0 &&
      (ours.data_exception & 3) == 0) {
    return "a trapped IEEE exception that completes";
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
