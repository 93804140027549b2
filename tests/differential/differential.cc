// Runs single instructions with random operands on our CPU and under another emulator and compares
// everything that a program can see.
//
//   differential --oracle=PROGRAM [--emulator=COMMAND] [--seed=N] [--samples=N] [--cases=N]
//                [--only=MNEMONIC] [--verbose]
//
// --samples: different encodings of each instruction; --cases: inputs for each of them.
// Ends with 0 (all agree), 1 (something differs), 2 (did not run), 77 (no oracle here).

#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/differential/comparison.h"
#include "tests/differential/generator.h"
#include "tests/differential/oracle_process.h"
#include "tests/differential/subject.h"

namespace lethe::differential {
namespace {

struct Options {
  std::string oracle;
  std::string emulator = "qemu-s390x-static";
  std::uint64_t seed = 1;
  std::uint32_t samples = 8;
  std::uint32_t cases = 32;
  std::string only;
  bool verbose = false;
};

bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view word = argv[i];
    bool known = true;
    if (absl::ConsumePrefix(&word, "--oracle=")) {
      options.oracle = std::string(word);
    } else if (absl::ConsumePrefix(&word, "--emulator=")) {
      options.emulator = std::string(word);
    } else if (absl::ConsumePrefix(&word, "--seed=")) {
      known = absl::SimpleAtoi(word, &options.seed);
    } else if (absl::ConsumePrefix(&word, "--samples=")) {
      known = absl::SimpleAtoi(word, &options.samples);
    } else if (absl::ConsumePrefix(&word, "--cases=")) {
      known = absl::SimpleAtoi(word, &options.cases);
    } else if (absl::ConsumePrefix(&word, "--only=")) {
      options.only = std::string(word);
    } else if (word == "--verbose") {
      options.verbose = true;
    } else {
      known = false;
    }
    if (!known) {
      absl::FPrintF(stderr, "differential: what is %s?\n", argv[i]);
      return false;
    }
  }
  return !options.oracle.empty();
}

struct Coverage {
  std::uint64_t cases = 0;
  std::uint64_t traps = 0;
  std::uint64_t known = 0;
  std::uint64_t differences = 0;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options), generator_(options.seed) {}

  absl::Status Execute() {
    ChooseSamples();
    subject_.Load(samples_);
    LETHE_ASSIGN_OR_RETURN(
        OracleProcess oracle,
        OracleProcess::Start({options_.emulator, "-cpu", "max", options_.oracle}, samples_));
    std::vector<Case> batch;
    for (std::uint32_t i = 0; i < samples_.size(); ++i) {
      for (std::uint32_t k = 0; k < options_.cases; ++k) {
        batch.push_back(generator_.MakeCase(samples_[i], i));
        if (batch.size() < kMaxBatch) continue;
        LETHE_RETURN_IF_ERROR(RunBatch(oracle, batch));
        batch.clear();
      }
    }
    return batch.empty() ? absl::OkStatus() : RunBatch(oracle, batch);
  }

  // True if all agree.
  bool Report() const {
    Coverage all;
    for (const auto& [mnemonic, coverage] : coverage_) {
      all.cases += coverage.cases;
      all.traps += coverage.traps;
      all.known += coverage.known;
      all.differences += coverage.differences;
      if (options_.verbose || coverage.differences != 0) {
        absl::PrintF("%-8s %8d cases %8d trapped %6d known %6d differ\n", mnemonic, coverage.cases,
                     coverage.traps, coverage.known, coverage.differences);
      }
    }
    absl::PrintF("%d instructions, %d cases, %d of them trapped, %d known deviations, %d differ\n",
                 coverage_.size(), all.cases, all.traps, all.known, all.differences);
    for (const auto& [reason, count] : known_) absl::PrintF("  known: %s: %d\n", reason, count);
    for (const auto& [reason, names] : skipped_) {
      absl::PrintF("  not compared (%s):%s\n", reason, names);
    }
    return all.differences == 0;
  }

 private:
  static constexpr std::uint64_t kShownPerInstruction = 2;

  void ChooseSamples() {
    SkipChapter("hexadecimal floating point, not in the oracle", emulated::HexFloatInstructions());
    SkipChapter("control instructions, of a machine", emulated::ControlInstructions());
    for (const auto chapter : {emulated::GeneralInstructions(), emulated::FloatInstructions(),
                               emulated::DecimalInstructions(), emulated::ExecuteInstructions()}) {
      for (const emulated::Instruction& instruction : chapter) {
        if (!options_.only.empty() && instruction.mnemonic != options_.only) continue;
        const absl::string_view reason = ReasonToSkip(instruction);
        if (!reason.empty()) {
          absl::StrAppend(&skipped_[std::string(reason)], " ", instruction.mnemonic);
          continue;
        }
        for (std::uint32_t i = 0; i < options_.samples && samples_.size() < kMaxStubs; ++i) {
          samples_.push_back(
              generator_.MakeSample(instruction, static_cast<std::uint32_t>(samples_.size())));
        }
      }
    }
  }

  // Nothing of these chapters can be compared.
  void SkipChapter(const std::string& reason, absl::Span<const emulated::Instruction> chapter) {
    for (const emulated::Instruction& instruction : chapter) {
      absl::StrAppend(&skipped_[reason], " ", instruction.mnemonic);
    }
  }

  absl::Status RunBatch(OracleProcess& oracle, const std::vector<Case>& batch) {
    LETHE_RETURN_IF_ERROR(oracle.Send(batch));
    std::vector<SubjectResult> ours;
    ours.reserve(batch.size());
    for (const Case& request : batch) ours.push_back(subject_.Execute(request));
    LETHE_ASSIGN_OR_RETURN(const std::vector<Result> theirs, oracle.Receive(batch.size()));
    for (std::size_t i = 0; i < batch.size(); ++i) Judge(batch[i], ours[i], theirs[i]);
    return absl::OkStatus();
  }

  void Judge(const Case& request, const SubjectResult& ours, const Result& theirs) {
    const Sample& sample = samples_[request.stub];
    Coverage& coverage = coverage_[std::string(sample.instruction->mnemonic)];
    ++coverage.cases;
    if (theirs.outcome == Outcome::kTrapped) ++coverage.traps;
    const std::string differences = Differences(ours, theirs);
    if (differences.empty()) return;
    const absl::string_view known = KnownDeviation(sample, ours, theirs);
    if (!known.empty()) {
      ++coverage.known;
      ++known_[std::string(known)];
      return;
    }
    if (++coverage.differences > kShownPerInstruction) return;
    const auto& text = sample.stub.instruction;
    absl::PrintF("%s %02x%02x %02x%02x %02x%02x:%s%s\n", sample.instruction->mnemonic, text[0],
                 text[1], text[2], text[3], text[4], text[5], differences, Describe(request));
  }

  const Options options_;
  Generator generator_;
  Subject subject_;
  std::vector<Sample> samples_;
  std::map<std::string, Coverage> coverage_;
  std::map<std::string, std::uint64_t> known_;
  std::map<std::string, std::string> skipped_;
};

int Main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  Options options;
  if (!Parse(argc, argv, options)) return 2;
  if (access(options.oracle.c_str(), X_OK) != 0) {
    absl::PrintF("no oracle program at %s\n", options.oracle);
    return kSkipped;
  }
  Run run(options);
  if (const absl::Status status = run.Execute(); !status.ok()) {
    absl::FPrintF(stderr, "differential: %s\n", status.ToString());
    return absl::IsNotFound(status) ? kSkipped : 2;
  }
  return run.Report() ? 0 : 1;
}

}  // namespace
}  // namespace lethe::differential

int main(int argc, char** argv) { return lethe::differential::Main(argc, argv); }
