#ifndef LETHE_TESTS_SYSTEM_MODE_JUDGED_H_
#define LETHE_TESTS_SYSTEM_MODE_JUDGED_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "emulated-host/cpu/program_interruption.h"
#include "tests/differential/generator.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {

// Real locations.
struct Lowcore {
  static constexpr std::uint64_t kProgramLength = 0x8d;
  static constexpr std::uint64_t kProgramCode = 0x8e;
  static constexpr std::uint64_t kExceptionAccess = 0xa0;
  static constexpr std::uint64_t kTranslationException = 0xa8;
  static constexpr std::uint64_t kBreakingEvent = 0x110;
  static constexpr std::uint64_t kOldPsws = 0x120;
  static constexpr std::uint64_t kProgramOldPsw = 0x150;
};

template <typename T>
T Low(const MachineResult& result, std::uint64_t address) {
  return LoadBigEndian<T>(&result.lowcore[address - kLowcoreBegin]);
}

bool IsProgram(const MachineResult& result);
bool IsProgram(const MachineResult& result, emulated::ProgramCode code);
// Ends with an access exception of storage or of the way to it.
bool IsAccessException(const MachineResult& result);
// The instruction was completed, or so it seems: what stands behind it was executed.
bool IsCompleted(const MachineResult& result);
// Of the interruption that ended the case.
std::uint64_t OldPswMask(const MachineResult& result);
std::uint64_t OldPswAddress(const MachineResult& result);
unsigned ConditionCode(const MachineResult& result);
// By an exception that nullifies.
bool IsNullified(const MachineResult& result);
// The page that the translation-exception identification of an access exception names, if it does.
std::optional<std::uint64_t> PageOfException(const MachineResult& result);
// When a program interruption happened.
bool InAccessRegisterMode(const MachineResult& result);

// One case, and what two machines made of it.
struct Judged {
  const differential::Sample& sample;
  const MachineCase& request;
  const MachineResult& ours;
  const MachineResult& theirs;

  absl::string_view name() const { return sample.instruction->mnemonic; }
  // Byte of the instruction's text.
  unsigned text(int index) const {
    return sample.stub.instruction[static_cast<std::size_t>(index)];
  }
  unsigned Length() const;  // of the instruction
  // Register fields, by format; R3 of RRD and RXF.
  unsigned r1() const;
  unsigned r2() const;
  unsigned r3() const;
  std::uint64_t general(unsigned number) const { return request.state.general[number]; }
  // The address that base and displacement in bytes 2 and 3 (4 and 5) make: its rightmost bits.
  std::uint64_t FirstAddress() const;
  std::uint64_t SecondAddress() const;
  // What the second operand of RXE and RXF begins with, if it was in the window.
  std::optional<std::uint64_t> IndexedOperand() const;
  // Where its only operand in storage is, if its format says that it has not more than one.
  std::optional<std::uint64_t> OnlyOperandAddress() const;
  bool InProblemState() const;
  bool IsTranslating() const;

 private:
  std::uint64_t ShortAddress() const;
};

// The case has ended with an interruption, and before it nothing was done: PSW, registers, window,
// pokes and keys, but for reference and change, are still those of the case.
bool OursIsUntouched(const Judged& judged);

// Our result, some parts of which are replaced by theirs. If it agrees then, these parts were all
// that differed.
class Forgiving {
 public:
  static constexpr unsigned kReferenceBit = 0x04;
  static constexpr unsigned kChangeBit = 0x02;

  explicit Forgiving(const Judged& judged) : judged_(judged), made_(judged.ours) {}

  Forgiving& End();  // how the case ended, and everything that the interruption stored
  Forgiving& ConditionCode();
  Forgiving& Low(std::uint64_t address, std::size_t length, unsigned mask = 0xff);
  Forgiving& Keys(unsigned bits = 0xff);
  Forgiving& General(unsigned number, std::uint64_t mask = ~std::uint64_t{0});
  Forgiving& Floating(unsigned number);
  Forgiving& FloatControl(std::uint32_t mask);
  Forgiving& Storage();
  Forgiving& Tables();  // and the pokes, which may be their entries
  bool Agree() const;

 private:
  const Judged& judged_;
  MachineResult made_;
};

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_JUDGED_H_
