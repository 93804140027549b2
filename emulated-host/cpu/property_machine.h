#ifndef LETHE_EMULATED_HOST_CPU_PROPERTY_MACHINE_H_
#define LETHE_EMULATED_HOST_CPU_PROPERTY_MACHINE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emulated-host/cpu/instruction_set.h"
#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {

// For tests of what the architecture promises of every instruction: a CPU whose operands lie in a
// window of pages around some boundary of the address space, and whose state is compared as a
// whole.

// All that a program may see of an instruction, but for the PSW and timers.
struct MachineState {
  std::array<std::uint64_t, 16> general{};
  std::array<std::uint32_t, 16> access{};
  std::array<std::uint64_t, 16> floating_point{};
  std::array<std::uint64_t, 16> control{};
  std::uint32_t floating_point_control = 0;
  std::uint32_t prefix = 0;
  std::uint32_t tod_programmable = 0;
  std::uint64_t program_parameter = 0;
  std::vector<std::uint8_t> frames;  // the storage that operands are in
  std::vector<std::uint8_t> keys;    // of all pages, without reference and change bit
  std::vector<std::uint8_t> others;  // pages elsewhere that were stored into, each with its number

  friend bool operator==(const MachineState&, const MachineState&) = default;
};

// What is not the same, for people.
std::string Difference(const MachineState& a, const MachineState& b);

// Where the middle of the window is. Behind the last address comes address 0.
struct Window {
  absl::string_view name;
  std::uint64_t middle;
  std::uint64_t mode;  // PSW bits 31 and 32
};

// How an instruction came to its end.
struct Ending {
  ProgramCode code = ProgramCode::kNone;  // kNone: it was completed
  std::uint8_t length = 0;                // stored with the program interruption
  std::uint8_t data_exception = 0;
  std::uint64_t translation_exception = 0;
  std::uint8_t events = 0;  // PER code, 0: none
  Psw psw;                  // behind the instruction, or the program-old PSW
  MachineState state;
};

class PropertyMachine {
 public:
  static constexpr std::uint64_t kStorage = 1 << 20;
  static constexpr std::uint64_t kFrames = 0x20000;  // absolute; what the window leads to
  static constexpr int kWindowPages = 8;
  static constexpr int kLowPages = 4;  // frames behind those, for pages 0-3 when the window is
                                       // elsewhere
  static constexpr std::uint64_t kFrameBytes = (kWindowPages + kLowPages) * kPageSize;
  static constexpr std::uint64_t kProgram = 0x1a000;   // an instruction
  static constexpr std::uint64_t kCrossing = 0x1c000;  // a boundary to put instructions across
  static constexpr std::uint64_t kTarget = 0x1e000;    // the target of EXECUTE
  static constexpr std::uint8_t kKey = 3;

  PropertyMachine();

  Cpu& cpu() { return machine_.cpu(); }
  const std::array<std::uint64_t, 16>& control() const { return control_; }

  // Leads the window's pages (and page 0-3) to the frames; nothing else is mapped but the program.
  void SetWindow(const Window& window);
  // Page `number` of the window, as the program sees it.
  std::uint64_t WindowPage(int number) const;
  // The frame that a page of the window has, absolute.
  static std::uint64_t FrameOf(int number) { return kFrames + number * kPageSize; }

  // Absolute address of the table entry for an address; level 0: page table ... 4: region first.
  std::uint64_t EntryOf(int level, std::uint64_t address) const;
  std::uint64_t Entry(std::uint64_t at) { return machine_.Get<std::uint64_t>(at); }
  void SetEntry(std::uint64_t at, std::uint64_t value);
  void SetKey(std::uint64_t absolute, std::uint8_t key);

  // Puts text into storage, wherever it is mapped; the program has no other bytes.
  void PutText(std::uint64_t at, InstructionText text, int length);

  // Real storage behind which there is none; as much as half of a window.
  std::uint8_t* EndOfStorage() { return machine_.bytes(kStorage - kWindowPages / 2 * kPageSize); }

  // All of the state, and whatever else an earlier instruction may have changed.
  void Load(const MachineState& state);
  MachineState Save();
  // The pages of the window that were referred to since Load.
  std::vector<int> Touched();
  bool Stored(int page);
  void ClearMarks();

  // Runs one instruction, or one unit of operation (`steps`), else until SUPERVISOR CALL; and no
  // further than a program interruption.
  Ending Run(const Psw& psw, bool steps);

  // Is there anything outside of frames, program and prefix area that was stored without a mark?
  bool IsSound();

 private:
  std::uint64_t NewTable();
  void Map(std::uint64_t address, std::uint64_t frame);
  void BuildTables();

  TestMachine machine_;
  Window window_{};
  std::uint64_t next_table_ = 0;
  std::uint64_t root_ = 0;
  std::vector<std::uint8_t> image_;  // of all storage, as it is to be before each instruction
  std::array<std::uint64_t, 16> control_{};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_PROPERTY_MACHINE_H_
