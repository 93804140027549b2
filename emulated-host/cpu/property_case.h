#ifndef LETHE_EMULATED_HOST_CPU_PROPERTY_CASE_H_
#define LETHE_EMULATED_HOST_CPU_PROPERTY_CASE_H_

#include <cstdint>
#include <random>
#include <string>

#include "emulated-host/cpu/instruction_fields.h"
#include "emulated-host/cpu/property_machine.h"

namespace lethe::emulated {

// Where an instruction is executed.
enum class Place : std::uint8_t { kInline, kAcrossPages, kExecute, kExecuteRelative };

// An instruction with random operands around the boundaries of a window's pages.
struct PropertyCase {
  Window window;
  Place place = Place::kInline;
  InstructionText text = 0;  // as it is executed
  std::uint64_t psw_mask = 0;
  bool is_relative = false;
  std::uint64_t operand = 0;  // what a relative one leads to
  MachineState start;

  std::string Describe() const;
};

// In units of operation, or up to an amount of data that the CPU determines.
bool ProcessesLongOperands(const Instruction& row);

class CaseGenerator {
 public:
  explicit CaseGenerator(std::uint64_t seed) : random_(seed) {}

  PropertyCase Make(const Instruction& row, const InstructionFields& fields,
                    const std::array<std::uint64_t, 16>& control);
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }

  // Registers that hold something of their own.
  static constexpr int kModifier = 11;  // of EXECUTE
  static constexpr int kTargetBase = 13;

 private:
  const Window& AnyWindow();
  std::uint64_t Address(const Window& window);
  std::uint64_t Length();
  InstructionText Text(const Instruction& row, const InstructionFields& fields);
  void KeepApart(const InstructionFields& fields, InstructionText& text);
  void KeepApart(const InstructionFields& fields, PropertyCase& one);
  void FillRegisters(PropertyCase& one);
  void FillStorage(const Instruction& row, const InstructionFields& fields, PropertyCase& one);
  void FillLinkageStack(PropertyCase& one);
  void FillDictionary(PropertyCase& one);
  void FillEqually(PropertyCase& one);
  void FillTarget(const InstructionFields& fields, PropertyCase& one);
  void FillSpecial(const Instruction& row, const InstructionFields& fields, PropertyCase& one);

  std::mt19937_64 random_;
};

// Puts a case where it is to be executed. Behind it is SUPERVISOR CALL or, if `loops`, a branch
// back on condition code 3 before that.
struct PlacedProgram {
  std::uint64_t address = 0;  // of the instruction, or EXECUTE
  std::uint64_t end = 0;      // of SUPERVISOR CALL
  int length = 0;             // of what is at `address`
};
PlacedProgram Put(PropertyMachine& machine, const InstructionFields& fields,
                  const PropertyCase& one, Place place, bool loops);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_PROPERTY_CASE_H_
