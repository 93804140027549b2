#include "tests/system-mode/machine_comparison.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "emulated-host/cpu/program_interruption.h"
#include "tests/system-mode/judged.h"
#include "tests/system-mode/machine_generator.h"

namespace lethe::system_mode {
namespace {

using differential::Sample;
using emulated::ProgramCode;

std::string EndText(const MachineResult& result) {
  constexpr absl::string_view kKinds[] = {"nothing", "restart",       "external", "svc",
                                          "program", "machine check", "i/o"};
  const std::uint32_t kind = std::min<std::uint32_t>(result.kind, 6);
  std::string text(kKinds[kind]);
  if (kind == 0) return text;
  if (kind == 4) absl::StrAppendFormat(&text, " %08x", Low<std::uint32_t>(result, 0x8c));
  if (kind == 3) absl::StrAppendFormat(&text, " %08x", Low<std::uint32_t>(result, 0x88));
  absl::StrAppendFormat(&text, " psw %016x %016x", OldPswMask(result), OldPswAddress(result));
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

// What is the same on every machine. Facilities of their own: the breaking-event address, and
// whether an access was a fetch or a store (bits 52 and 53 of the translation-exception
// identification). Some clock comparators have 56 bits. Defined for some interruptions only: the
// identification itself, and the access register in the access-register mode.
MachineResult Comparable(const MachineResult& result) {
  MachineResult made = result;
  std::fill_n(made.lowcore.begin() + (Lowcore::kBreakingEvent - kLowcoreBegin), 8, std::uint8_t{0});
  made.lowcore[Lowcore::kTranslationException + 6 - kLowcoreBegin] &= 0xf3;
  const auto clear = [&](std::uint64_t at, std::uint64_t length) {
    std::fill_n(made.lowcore.begin() + (at - kLowcoreBegin), length, std::uint8_t{0});
  };
  if (!InAccessRegisterMode(result)) clear(Lowcore::kExceptionAccess, 1);
  if (IsProgram(result, ProgramCode::kAddressing) ||
      IsProgram(result, ProgramCode::kTranslationSpecification)) {
    clear(Lowcore::kTranslationException, 8);
  }
  // Bit 61 of a protection exception: by a table, with the address; else the rest is unpredictable.
  constexpr std::uint8_t kByTable = 0x04;
  if (IsProgram(result, ProgramCode::kProtection) &&
      (Low<std::uint8_t>(result, Lowcore::kTranslationException + 7) & kByTable) == 0) {
    clear(Lowcore::kTranslationException, 8);
  }
  made.clock_comparator = result.clock_comparator & ~std::uint64_t{0xff};
  return made;
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

std::string Describe(const MachineCase& request) {
  std::string text = absl::StrFormat(
      "\n    psw %016x %016x cr0 %x cr1 %x cr3 %x cr7 %x cr13 %x keys", request.psw_mask.value(),
      request.psw_address.value(), request.control[0].value(), request.control[1].value(),
      request.control[3].value(), request.control[7].value(), request.control[13].value());
  for (const std::uint8_t key : request.keys) absl::StrAppendFormat(&text, " %02x", key);
  absl::StrAppend(&text, "\n    access registers");
  for (const Be32& access : request.state.access) {
    absl::StrAppendFormat(&text, " %x", access.value());
  }
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
