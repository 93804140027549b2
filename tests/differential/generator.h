#ifndef LETHE_TESTS_DIFFERENTIAL_GENERATOR_H_
#define LETHE_TESTS_DIFFERENTIAL_GENERATOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/differential/encoding.h"
#include "tests/differential/random.h"
#include "tests/differential/record.h"

namespace lethe::differential {

// Why the oracle can say nothing about an instruction; empty: it can.
absl::string_view ReasonToSkip(const emulated::Instruction& instruction);

// What a general register must hold so that the instruction does something sensible.
enum class Role : std::uint8_t {
  kAny,
  kData,           // address in the window
  kOther,          // address in the window, away from kData
  kAligned,        // address in the window, on a 16-byte boundary
  kFarTable,       // address of the constant table
  kIndex,          // small
  kLength,         // short enough for the window
  kEvenLength,     //
  kNonzeroLength,  // even, too
  kPaddedLength,   // in 24 bits, a padding byte on the left of it
  kTaken,          // address where branches lead
  kTarget,         // address of the stub's second instruction
  kEndOfData,      // behind kData
  kCharacter,      // one byte, nothing on the left of it; the window holds it
  kWideCharacter,  // two bytes
  kControl,        // a valid floating-point-control word, nothing on the left of it
  kFunction,       // 0, 1 or 2; on the left of it 1 to 4 (0 would end the oracle)
};

// One instruction with its operand fields, in place.
struct Sample {
  const emulated::Instruction* instruction = nullptr;
  Stub stub;
  std::array<Role, 16> roles{};
};

// Deterministic: the same seed gives the same samples and cases.
class Generator {
 public:
  explicit Generator(std::uint64_t seed, const Layout& layout = kUserLayout);

  // `number`: which stub it will be. Decides about all relative operands.
  Sample MakeSample(const emulated::Instruction& instruction, std::uint32_t number);
  void MakeCase(const Sample& sample, std::uint32_t number, Case& made);

 private:
  using Window = std::array<std::uint8_t, kWindowBytes>;

  std::uint64_t Random() { return random_.Next(); }
  unsigned Below(unsigned limit) { return random_.Below(limit); }
  bool OneIn(unsigned n) { return random_.OneIn(n); }
  unsigned BaseRegister() { return 1 + Below(15); }
  unsigned EvenRegister() { return 2 * Below(8); }

  void ChooseStorage(const emulated::Instruction& instruction, Sample& sample, Fields& fields);
  void ChooseRelative(const emulated::Instruction& instruction, std::uint32_t number,
                      Fields& fields);
  void ChooseSpecial(const emulated::Instruction& instruction, Sample& sample, Fields& fields);

  std::uint64_t NewValue();
  std::uint64_t Value();
  void RefreshValues();
  std::uint32_t ControlWord();
  std::uint64_t ShortNumber();
  std::uint64_t LongNumber();
  std::uint64_t ExtendedLeft();
  std::uint64_t RoleValue(Role role, std::uint32_t number);
  void MakeWindow(unsigned kind, Window& window);
  void FillWindow(State& state);

  const Layout layout_;
  class Random random_;
  // What windows are made of: to draw a thousand bytes for each case would take most of the time.
  std::vector<Window> windows_;
  // Values likewise; some of them change with each case.
  static constexpr unsigned kValues = 4096;
  std::vector<std::uint64_t> values_;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_GENERATOR_H_
