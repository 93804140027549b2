#ifndef LETHE_TESTS_SYSTEM_MODE_MACHINE_GENERATOR_H_
#define LETHE_TESTS_SYSTEM_MODE_MACHINE_GENERATOR_H_

#include <cstdint>
#include <string>

#include "emulated-host/cpu/instruction.h"
#include "tests/differential/generator.h"
#include "tests/differential/random.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {

// Why an instruction cannot be compared between machines; empty: it can.
std::string ReasonNever(const emulated::Instruction& instruction);
// What it stores or sets depends on the time or on the machine's identity: only how it ends is
// compared.
bool StoresWhatDiffers(absl::string_view mnemonic);

// Puts the cases of the problem-state generator into surroundings: PSW, control registers, storage
// keys, translation tables. Deterministic: the same seed gives the same cases.
class MachineGenerator {
 public:
  // Cases may use the access-register mode, and access keys that storage keys are compared with.
  MachineGenerator(std::uint64_t seed, bool access_registers, bool storage_keys);

  differential::Sample MakeSample(const emulated::Instruction& instruction, std::uint32_t number);
  void MakeCase(const differential::Sample& sample, std::uint32_t number, MachineCase& made);

 private:
  void LimitRounding(differential::Sample& sample);
  std::uint64_t PswMask(bool control);
  std::uint64_t ControlZero();
  std::uint64_t AnyAddressSpace();
  void SetControls(MachineCase& made);
  void SetKeys(MachineCase& made);
  // Away from the window: to aliases, other frames (`any_frame`), protected and missing storage.
  void MoveOperands(bool any_frame, MachineCase& made);
  void SpoilTables(MachineCase& made);
  void AddPoke(MachineCase& made, std::uint64_t address, std::uint64_t value);
  std::uint64_t AliasOf(std::uint64_t address);
  void SetOperands(absl::string_view name, const differential::Sample& sample, MachineCase& made);
  void FillWords(MachineCase& made, std::uint64_t (MachineGenerator::*word)());
  void FillPsws(const differential::Sample& sample, MachineCase& made);
  // `length` bytes of packed decimal, if they are in the window.
  void PlacePacked(MachineCase& made, unsigned base, unsigned displacement, unsigned length);
  void PlaceDecimals(const differential::Sample& sample, MachineCase& made);
  void PlaceHexNumbers(MachineCase& made);
  std::uint64_t HexNumber();
  std::uint64_t PrefixValue();
  std::uint64_t ControlValue();

  const bool access_registers_;
  const bool storage_keys_;
  differential::Random random_;
  differential::Generator generator_;
  // Of the case being made.
  bool translating_ = false;
  std::uint64_t alias_regions_ = 0;  // region indexes of aliases
};

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_MACHINE_GENERATOR_H_
