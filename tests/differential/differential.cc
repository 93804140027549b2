// Runs single instructions with random operands on our CPU and under another emulator and compares
// everything that a program can see.
//
//   differential --oracle=PROGRAM [--emulator=COMMAND] [--seed=N] [--samples=N] [--cases=N]
//                [--rounds=N] [--jobs=N] [--only=MNEMONIC] [--report=FILE] [--verbose]
//   differential --add=FILE [--add=FILE ...] [--report=FILE] [--verbose]
//
// --samples: different encodings of each instruction in a round; --cases: inputs for each of them;
// --jobs: so many such runs at a time, each with numbers of its own. --report writes what
// coverage.h describes; --add runs nothing and sums such reports, of different seeds. The last line
// is 'N instructions (rows), N cases, N known deviations, N differ'. Ends with 0 (all agree), 1
// (something differs), 2 (did not run), 77 (no oracle here).

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/differential/coverage.h"
#include "tests/differential/worker.h"

namespace lethe::differential {
namespace {

struct Options {
  std::string oracle;
  std::string emulator = "qemu-s390x-static";
  std::uint64_t seed = 1;
  std::uint32_t samples = 8;
  std::uint32_t cases = 32;
  std::uint32_t rounds = 1;
  std::uint32_t jobs = 1;
  std::string only;
  std::string report;
  std::vector<std::string> add;
  bool verbose = false;
};

absl::Status Refuse(absl::string_view word, absl::string_view accepted) {
  return absl::InvalidArgumentError(absl::StrFormat("'%s': %s", word, accepted));
}

template <typename T>
absl::Status ParseNumber(absl::string_view word, absl::string_view value, std::uint64_t limit,
                         T& number) {
  std::uint64_t parsed = 0;
  if (!absl::SimpleAtoi(value, &parsed) || parsed == 0 || parsed > limit) {
    return Refuse(word, absl::StrFormat("expected a number from 1 to %d", limit));
  }
  number = static_cast<T>(parsed);
  return absl::OkStatus();
}

absl::Status ParseWord(absl::string_view whole, Options& options) {
  absl::string_view word = whole;
  constexpr std::uint64_t kMany = 1'000'000'000;
  if (absl::ConsumePrefix(&word, "--oracle=")) {
    options.oracle = std::string(word);
  } else if (absl::ConsumePrefix(&word, "--emulator=")) {
    options.emulator = std::string(word);
  } else if (absl::ConsumePrefix(&word, "--seed=")) {
    return ParseNumber(whole, word, ~std::uint64_t{0} >> 8, options.seed);
  } else if (absl::ConsumePrefix(&word, "--samples=")) {
    return ParseNumber(whole, word, kMaxStubs, options.samples);
  } else if (absl::ConsumePrefix(&word, "--cases=")) {
    return ParseNumber(whole, word, kMany, options.cases);
  } else if (absl::ConsumePrefix(&word, "--rounds=")) {
    return ParseNumber(whole, word, kMany, options.rounds);
  } else if (absl::ConsumePrefix(&word, "--jobs=")) {
    return ParseNumber(whole, word, 255, options.jobs);
  } else if (absl::ConsumePrefix(&word, "--only=")) {
    options.only = std::string(word);
  } else if (absl::ConsumePrefix(&word, "--report=")) {
    options.report = std::string(word);
  } else if (absl::ConsumePrefix(&word, "--add=")) {
    options.add.emplace_back(word);
  } else if (word == "--verbose") {
    options.verbose = true;
  } else {
    return Refuse(whole,
                  "expected --oracle=, --emulator=, --seed=, --samples=, --cases=, --rounds=, "
                  "--jobs=, --only=, --report=, --add= or --verbose");
  }
  return absl::OkStatus();
}

absl::Status CheckOnly(const std::string& only) {
  if (only.empty()) return absl::OkStatus();
  for (const auto chapter : emulated::AllChapters()) {
    for (const emulated::Instruction& instruction : chapter) {
      if (instruction.mnemonic != only) continue;
      const std::string reason = ReasonNever(instruction);
      return reason.empty() ? absl::OkStatus() : Refuse("--only=" + only, reason);
    }
  }
  return Refuse("--only=" + only, "expected a mnemonic of the instruction table, such as AGRK");
}

absl::StatusOr<Options> Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) LETHE_RETURN_IF_ERROR(ParseWord(argv[i], options));
  if (options.oracle.empty() && options.add.empty()) {
    return absl::InvalidArgumentError("--oracle=PROGRAM or --add=FILE is needed");
  }
  LETHE_RETURN_IF_ERROR(CheckOnly(options.only));
  return options;
}

absl::StatusOr<Coverage> Compare(const Options& options) {
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  std::vector<absl::Status> statuses(options.jobs);
  for (std::uint32_t i = 0; i < options.jobs; ++i) {
    workers.push_back(std::make_unique<Worker>(
        Worker::Work{.oracle = {options.emulator, "-cpu", "max", options.oracle},
                     .seed = options.seed << 8 | i,
                     .rounds = options.rounds,
                     .samples = options.samples,
                     .cases = options.cases,
                     .only = options.only}));
    threads.emplace_back([&, i] { statuses[i] = workers[i]->Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) LETHE_RETURN_IF_ERROR(status);
  Coverage coverage(Worker::kWitness);
  coverage.AddSeed(options.seed);
  for (const auto& worker : workers) {
    coverage.AddPart(worker->coverage());
    for (const std::string& text : worker->differences()) absl::PrintF("%s\n", text);
  }
  return coverage;
}

absl::StatusOr<Coverage> Sum(const std::vector<std::string>& files) {
  LETHE_ASSIGN_OR_RETURN(Coverage sum, Coverage::Read(files.front()));
  for (std::size_t i = 1; i < files.size(); ++i) {
    LETHE_ASSIGN_OR_RETURN(const Coverage next, Coverage::Read(files[i]));
    const absl::Status added = sum.Add(next);
    if (!added.ok()) return Refuse("--add=" + files[i], added.message());
  }
  return sum;
}

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "differential: %s\n", status.message());
  return 2;
}

int Main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  const absl::StatusOr<Options> options = Parse(argc, argv);
  if (!options.ok()) return Fail(options.status());
  const bool adding = !options->add.empty();
  if (!adding && access(options->oracle.c_str(), X_OK) != 0) {
    absl::PrintF("skipped: no oracle program at %s\n", options->oracle);
    return kSkipped;
  }
  const absl::StatusOr<Coverage> coverage = adding ? Sum(options->add) : Compare(*options);
  if (!coverage.ok()) {
    if (adding || !absl::IsNotFound(coverage.status())) return Fail(coverage.status());
    absl::PrintF("skipped: %s: %s\n", options->emulator, coverage.status().message());
    return kSkipped;
  }
  if (!options->report.empty()) {
    const absl::Status written = coverage->Write(options->report);
    if (!written.ok()) return Fail(written);
  }
  coverage->Print(options->verbose);
  return coverage->AllAgree() ? 0 : 1;
}

}  // namespace
}  // namespace lethe::differential

int main(int argc, char** argv) { return lethe::differential::Main(argc, argv); }
