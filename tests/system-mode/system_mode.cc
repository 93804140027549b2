// Runs one program, the oracle, on our emulated machine and on another one, and compares what
// became of each of its cases: single instructions in surroundings of their own, in the supervisor
// state and in the problem state.
//
//   system_mode --oracle=FILE --witness=qemu|hercules [--program=COMMAND] [--seed=N] [--samples=N]
//               [--cases=N] [--only=MNEMONIC]
//               [--chapter=control|general|float|hexfloat|decimal|execute]
//               [--report=FILE] [--keep=DIRECTORY] [--known] [--verbose]
//
// --samples: different encodings of each instruction; --cases: inputs for each of them. --report
// writes what tests/differential/coverage.h describes; --keep leaves the machine's files there;
// --known shows what differs in the cases that count as known deviations, too.
// The last line is 'N instructions (rows), N cases, N known deviations, N differ'.
// Ends with 0 (all agree), 1 (something differs), 2 (did not run), 77 (no witness here).

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/differential/coverage.h"
#include "tests/system-mode/known_deviation.h"
#include "tests/system-mode/machine.h"
#include "tests/system-mode/machine_comparison.h"
#include "tests/system-mode/machine_generator.h"

namespace lethe::system_mode {
namespace {

using differential::Coverage;
using differential::Sample;

struct Options {
  std::string oracle;
  std::string witness;
  std::string program;
  std::uint64_t seed = 1;
  std::uint32_t samples = 4;
  std::uint32_t cases = 12;
  std::string only;
  std::string chapter;
  std::string report;
  std::string keep;
  bool show_known = false;
  bool verbose = false;
};

absl::Status Refuse(absl::string_view word, absl::string_view accepted) {
  return absl::InvalidArgumentError(absl::StrFormat("'%s': %s", word, accepted));
}

template <typename T>
absl::Status ParseNumber(absl::string_view word, absl::string_view value, T& number) {
  constexpr std::uint64_t kLimit = 1'000'000'000;
  std::uint64_t parsed = 0;
  if (!absl::SimpleAtoi(value, &parsed) || parsed == 0 || parsed > kLimit) {
    return Refuse(word, absl::StrFormat("expected a number from 1 to %d", kLimit));
  }
  number = static_cast<T>(parsed);
  return absl::OkStatus();
}

absl::Status ParseWord(absl::string_view whole, Options& options) {
  struct Text {
    absl::string_view prefix;
    std::string* value;
  };
  const Text texts[] = {{"--oracle=", &options.oracle},   {"--witness=", &options.witness},
                        {"--program=", &options.program}, {"--only=", &options.only},
                        {"--chapter=", &options.chapter}, {"--report=", &options.report},
                        {"--keep=", &options.keep}};
  for (const Text& text : texts) {
    absl::string_view word = whole;
    if (!absl::ConsumePrefix(&word, text.prefix)) continue;
    *text.value = std::string(word);
    return absl::OkStatus();
  }
  absl::string_view word = whole;
  if (absl::ConsumePrefix(&word, "--seed=")) return ParseNumber(whole, word, options.seed);
  if (absl::ConsumePrefix(&word, "--samples=")) return ParseNumber(whole, word, options.samples);
  if (absl::ConsumePrefix(&word, "--cases=")) return ParseNumber(whole, word, options.cases);
  for (const auto& [name, value] :
       {std::pair{"--known", &options.show_known}, std::pair{"--verbose", &options.verbose}}) {
    if (word != name) continue;
    *value = true;
    return absl::OkStatus();
  }
  return Refuse(whole,
                "expected --oracle=, --witness=, --program=, --seed=, --samples=, --cases=, "
                "--only=, --chapter=, --report=, --keep=, --known or --verbose");
}

absl::StatusOr<Options> Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) LETHE_RETURN_IF_ERROR(ParseWord(argv[i], options));
  if (options.oracle.empty()) return absl::InvalidArgumentError("--oracle=FILE is needed");
  if (options.witness != "qemu" && options.witness != "hercules") {
    return Refuse("--witness=" + options.witness, "expected qemu or hercules");
  }
  if (options.program.empty()) {
    options.program = options.witness == "qemu" ? "qemu-system-s390x" : "hercules";
  }
  return options;
}

absl::StatusOr<absl::Span<const emulated::Instruction>> Chapter(absl::string_view name) {
  if (name == "control") return emulated::ControlInstructions();
  if (name == "general") return emulated::GeneralInstructions();
  if (name == "float") return emulated::FloatInstructions();
  if (name == "hexfloat") return emulated::HexFloatInstructions();
  if (name == "decimal") return emulated::DecimalInstructions();
  if (name == "execute") return emulated::ExecuteInstructions();
  return Refuse(absl::StrCat("--chapter=", name),
                "expected control, general, float, hexfloat, decimal or execute");
}

// Gone with everything in it, unless it was named by the user.
class Directory {
 public:
  static absl::StatusOr<std::unique_ptr<Directory>> Make(const std::string& keep) {
    if (!keep.empty()) {
      std::error_code error;
      std::filesystem::create_directories(keep, error);
      if (error) return Refuse("--keep=" + keep, error.message());
      return std::unique_ptr<Directory>(new Directory(keep, false));
    }
    std::string path = (std::filesystem::temp_directory_path() / "system-mode-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return absl::ErrnoToStatus(errno, "mkdtemp");
    return std::unique_ptr<Directory>(new Directory(path, true));
  }
  ~Directory() {
    std::error_code ignored;
    if (temporary_) std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  Directory(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}
  const std::string path_;
  const bool temporary_;
};

class Comparison {
 public:
  Comparison(const Options& options, Machine& witness)
      : options_(options),
        witness_(witness),
        generator_(options.seed, witness.has_access_lists(), witness.has_storage_keys()),
        coverage_(witness.name()) {}

  absl::Status Run(const std::vector<std::uint8_t>& oracle) {
    LETHE_RETURN_IF_ERROR(ChooseSamples());
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      for (std::uint32_t k = 0; k < options_.cases; ++k) {
        cases_.emplace_back();
        generator_.MakeCase(samples_[i], static_cast<std::uint32_t>(i), cases_.back());
        if (cases_.size() < kMaxCases) continue;
        LETHE_RETURN_IF_ERROR(RunCases(oracle));
      }
    }
    LETHE_RETURN_IF_ERROR(RunCases(oracle));
    coverage_.AddSeed(options_.seed);
    return absl::OkStatus();
  }
  const Coverage& coverage() const { return coverage_; }

 private:
  static constexpr std::uint64_t kShownPerInstruction = 2;

  absl::Status ChooseSamples() {
    std::vector<absl::Span<const emulated::Instruction>> chapters = emulated::AllChapters();
    for (const auto chapter : chapters) {
      for (const emulated::Instruction& instruction : chapter) {
        coverage_.RowOf(instruction).never = "not asked for";
      }
    }
    if (!options_.chapter.empty()) {
      LETHE_ASSIGN_OR_RETURN(const auto chapter, Chapter(options_.chapter));
      chapters = {chapter};
    }
    for (const auto chapter : chapters) {
      for (const emulated::Instruction& instruction : chapter) {
        if (!options_.only.empty() && instruction.mnemonic != options_.only) continue;
        coverage_.RowOf(instruction).never = ReasonNever(instruction);
        if (!ReasonNever(instruction).empty()) continue;
        for (std::uint32_t i = 0; i < options_.samples; ++i) {
          samples_.push_back(
              generator_.MakeSample(instruction, static_cast<std::uint32_t>(samples_.size())));
        }
      }
    }
    if (samples_.size() > differential::kMaxStubs) {
      return Refuse(absl::StrCat("--samples=", options_.samples), "too many for the storage");
    }
    return absl::OkStatus();
  }

  absl::Status RunCases(const std::vector<std::uint8_t>& oracle) {
    if (cases_.empty()) return absl::OkStatus();
    const auto own = MakeOwnMachine();
    LETHE_ASSIGN_OR_RETURN(const auto theirs, witness_.Run(Image(oracle, samples_, cases_,
                                                                 witness_.has_access_lists())));
    LETHE_ASSIGN_OR_RETURN(const auto ours,
                           own->Run(Image(oracle, samples_, cases_, own->has_access_lists())));
    for (std::size_t i = 0; i < cases_.size(); ++i) Judge(cases_[i], ours[i], theirs[i]);
    cases_.clear();
    return absl::OkStatus();
  }

  void Judge(const MachineCase& request, const MachineResult& ours, const MachineResult& theirs) {
    const Sample& sample = samples_[request.stub];
    Coverage::Row& row = coverage_.RowOf(*sample.instruction);
    if (IsUnknown(ours, theirs)) {
      row.never = "not in this machine";
      return;
    }
    ++row.cases;
    if (theirs.kind == static_cast<std::uint32_t>(Kind::kProgram)) ++row.traps;
    const std::string differences = Differences(sample, ours, theirs);
    if (differences.empty()) {
      ++row.agreeing;
      return;
    }
    const absl::string_view known =
        KnownDeviation(options_.witness, {sample, request, ours, theirs});
    if (!known.empty()) {
      ++row.known[std::string(known)];
      if (options_.show_known) {
        absl::PrintF("%s (%s):%s\n", sample.instruction->mnemonic, known, differences);
      }
      return;
    }
    if (++row.differing > kShownPerInstruction) return;
    const auto& text = sample.stub.instruction;
    absl::PrintF("%s %02x%02x %02x%02x %02x%02x:%s%s\n", sample.instruction->mnemonic, text[0],
                 text[1], text[2], text[3], text[4], text[5], differences, Describe(request));
  }

  const Options& options_;
  Machine& witness_;
  MachineGenerator generator_;
  std::vector<Sample> samples_;
  std::vector<MachineCase> cases_;
  Coverage coverage_;
};

absl::Status Compare(const Options& options, int* status) {
  std::ifstream file(options.oracle, std::ios::binary);
  const std::vector<std::uint8_t> oracle{std::istreambuf_iterator<char>(file), {}};
  if (oracle.empty()) return absl::NotFoundError(options.oracle + ": no oracle program");
  LETHE_ASSIGN_OR_RETURN(const auto directory, Directory::Make(options.keep));
  const auto witness = options.witness == "qemu" ? MakeQemu(options.program, directory->path())
                                                 : MakeHercules(options.program, directory->path());
  Comparison comparison(options, *witness);
  LETHE_RETURN_IF_ERROR(comparison.Run(oracle));
  if (!options.report.empty()) {
    LETHE_RETURN_IF_ERROR(comparison.coverage().Write(options.report));
  }
  comparison.coverage().Print(options.verbose);
  *status = comparison.coverage().AllAgree() ? 0 : 1;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  constexpr int kNotRun = 2;
  constexpr int kSkipped = 77;
  const absl::StatusOr<Options> options = Parse(argc, argv);
  int result = kNotRun;
  const absl::Status status = options.ok() ? Compare(*options, &result) : options.status();
  if (status.ok()) return result;
  if (absl::IsNotFound(status)) {
    absl::PrintF("skipped: %s\n", status.message());
    return kSkipped;
  }
  absl::FPrintF(stderr, "system_mode: %s\n", status.message());
  return kNotRun;
}

}  // namespace
}  // namespace lethe::system_mode

int main(int argc, char** argv) { return lethe::system_mode::Main(argc, argv); }
