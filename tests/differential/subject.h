#ifndef LETHE_TESTS_DIFFERENTIAL_SUBJECT_H_
#define LETHE_TESTS_DIFFERENTIAL_SUBJECT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "tests/differential/generator.h"
#include "tests/differential/record.h"

namespace lethe::differential {

// A model that has every row of the instruction table.
emulated::CpuModel EverythingOffered();

// What our CPU made of a case.
struct SubjectResult {
  std::uint32_t outcome = Outcome::kFellThrough;
  emulated::ProgramCode program = emulated::ProgramCode::kNone;
  std::uint8_t data_exception = 0;
  std::uint8_t instruction_length = 0;  // of a program interruption
  std::uint64_t psw_address = 0;        // likewise: the old PSW's
  bool lost = false;                    // the CPU went somewhere else
  State state;
};

// One emulated CPU in the problem state, with the storage that record.h lays out.
class Subject {
 public:
  Subject();
  ~Subject();

  void Load(const std::vector<Sample>& samples);
  void Execute(const Case& request, SubjectResult& result);

 private:
  class Host;
  // Storage of one contiguous piece.
  struct Area {
    Area(std::uint64_t at, std::uint64_t size);
    std::uint64_t address;
    std::vector<std::uint8_t> bytes;
    std::vector<std::atomic<std::uint8_t>> keys;
    std::vector<std::atomic<std::uint32_t>> states;
    std::vector<std::atomic<std::uint8_t>> code;
    emulated::GuestStorage::Slot Slot();
  };

  void StoreState(const State& state);
  void GatherState(State& state, std::uint64_t old_mask);

  emulated::CpuModel model_;
  Area low_;
  Area code_;
  Area data_;
  emulated::GuestStorage storage_;
  emulated::CpuGroup group_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<emulated::Cpu> cpu_;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_SUBJECT_H_
