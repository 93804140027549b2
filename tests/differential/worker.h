#ifndef LETHE_TESTS_DIFFERENTIAL_WORKER_H_
#define LETHE_TESTS_DIFFERENTIAL_WORKER_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/differential/coverage.h"
#include "tests/differential/generator.h"
#include "tests/differential/oracle_process.h"
#include "tests/differential/subject.h"

namespace lethe::differential {

// Why a row of the instruction table is not compared here; empty: it is.
std::string ReasonNever(const emulated::Instruction& instruction);

// One generator, one emulated CPU and one oracle at a time: what one thread compares. Three things
// go on at once: the oracle executes a batch, the CPU executes it, and its successor is made.
class Worker {
 public:
  struct Work {
    std::vector<std::string> oracle;  // command
    std::uint64_t seed = 1;
    std::uint32_t rounds = 1;   // each with an oracle process and encodings of its own
    std::uint32_t samples = 1;  // encodings of each instruction in a round
    std::uint32_t cases = 1;    // inputs for each of them
    std::string only;           // if not empty: this instruction
  };
  static constexpr const char* kWitness = "qemu-s390x";

  explicit Worker(Work work);

  absl::Status Run();
  const Coverage& coverage() const { return coverage_; }
  // The first differences of each instruction, for people.
  const std::vector<std::string>& differences() const { return differences_; }

 private:
  void ChooseSamples();
  absl::Status RunRound();
  std::uint32_t MakeBatch(Exchange::Slot& slot);
  void Judge(const Case& request, const SubjectResult& ours, const Result& theirs);

  const Work work_;
  Generator generator_;
  Subject subject_;
  std::vector<Sample> samples_;
  std::uint64_t next_case_ = 0;  // of the round
  std::array<std::vector<SubjectResult>, kBatches> ours_;
  Coverage coverage_;
  std::vector<std::string> differences_;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_WORKER_H_
