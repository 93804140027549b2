#ifndef LETHE_TESTS_DIFFERENTIAL_COVERAGE_H_
#define LETHE_TESTS_DIFFERENTIAL_COVERAGE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "emulated-host/cpu/instruction.h"

namespace lethe::differential {

// What was compared, per row of the emulated CPU's instruction table. A plain value; reports of
// several runs of one program can be added. As a file it is JSON:
//
//   {"program": HASH, "witness": NAME, "seeds": [N ...], "totals": {...},
//    "rows": {MNEMONIC: {"opcode": HEX, "cases": N, "traps": N, "agreeing": N, "differing": N,
//                        "known": {REASON: N ...}}
//             MNEMONIC: {"opcode": HEX, "never": REASON}}}
class Coverage {
 public:
  struct Row {
    std::uint16_t opcode = 0;
    std::uint64_t cases = 0;
    std::uint64_t traps = 0;  // of the cases: ended in a program interruption
    std::uint64_t agreeing = 0;
    std::uint64_t differing = 0;
    std::map<std::string, std::uint64_t> known;  // deviations of the witness, by reason
    std::string never;                           // no case at all: why

    std::uint64_t Known() const;
  };

  // With a row for each instruction that there is.
  explicit Coverage(absl::string_view witness);

  // From a file that Write made; an error says what is wrong with it.
  static absl::StatusOr<Coverage> Read(const std::string& path);
  absl::Status Write(const std::string& path) const;

  Row& RowOf(const emulated::Instruction& instruction);
  // The same number only once, so that adding a report twice is refused.
  void AddSeed(std::uint64_t seed) { seeds_[seed] = true; }
  // Refused: another program or witness, or a seed that is in both.
  absl::Status Add(const Coverage& other);
  // As Add, of a run's part: same program, same seed.
  void AddPart(const Coverage& part);

  bool AllAgree() const { return Sum().differing == 0; }
  // Rows (all of them, or those that differ), known deviations and the never compared by reason;
  // the last line is the totals.
  void Print(bool all_rows) const;

 private:
  Row Sum() const;
  std::size_t RowsCompared() const;

  std::string witness_;
  std::string program_;
  std::map<std::uint64_t, bool> seeds_;
  std::map<std::string, Row, std::less<>> rows_;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_COVERAGE_H_
