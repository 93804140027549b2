#include "cli/bench_options.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cli/option_values.h"
#include "cli/quantity.h"

namespace lethe {
namespace {

// "a,b,c", each once.
template <typename T, typename Parse>
auto ListOf(Parse parse) {
  return [parse](const std::string& text) -> absl::StatusOr<std::vector<T>> {
    std::vector<T> list;
    for (const absl::string_view part : absl::StrSplit(text, ',')) {
      LETHE_ASSIGN_OR_RETURN(T value, parse(part));
      if (std::find(list.begin(), list.end(), value) == list.end())
        list.push_back(std::move(value));
    }
    return list;
  };
}

absl::StatusOr<std::string> ParseMode(absl::string_view text) {
  if (text == "lazy" || text == "sync" || text == "auto") return std::string(text);
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not known; write some of lazy,sync,auto"));
}

// What the benchmark's guest needs at least, and what a size is rounded to by nobody.
absl::StatusOr<std::uint64_t> ParseSize(absl::string_view text) {
  constexpr std::uint64_t kLeast = std::uint64_t{64} << 20;
  LETHE_ASSIGN_OR_RETURN(const std::uint64_t size, ParseMemorySize(text));
  if (size >= kLeast) return size;
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is too small; at least 64M"));
}

}  // namespace

void AddBench(CLI::App& app, BenchTeardownOptions& teardown) {
  CLI::App* const bench = app.add_subcommand("bench", "Measure what this host and Lethe achieve");
  bench->require_subcommand(1);
  CLI::App& command = *bench->add_subcommand(
      "teardown", "How long reboot and power-off of guests take that have filled their memory");
  AddParsed(command, "--sizes", teardown.sizes, ListOf<std::uint64_t>(ParseSize),
            "Memory of the guests (4G,8G,16G); a size for which this host has not enough memory "
            "available is left out")
      ->type_name("SIZE,...");
  AddParsed(command, "--costs", teardown.costs, ListOf<std::chrono::nanoseconds>(ParseDuration),
            "What each Ultravisor call of the emulated host takes (0,1us)")
      ->type_name("TIME,...");
  AddParsed(command, "--modes", teardown.modes, ListOf<std::string>(ParseMode),
            "How guests' memory is destroyed (lazy,sync)")
      ->type_name("MODE,...");
  command.add_option("--rounds", teardown.rounds, "How often to measure each (1)")
      ->type_name("COUNT")
      ->check(CLI::Range(1, 1000));
  command.add_option("--qemu", teardown.qemu, "QEMU to compare with, or off (qemu-system-s390x)")
      ->type_name("PROGRAM|off");
  command.add_option("--program", teardown.program, "Lethe to measure (this one)")
      ->type_name("FILE");
  command
      .add_option("-d,--host-key-document", teardown.host_key_document,
                  "Measure on this machine's own KVM, with this document of its host key (the "
                  "emulated host is measured)")
      ->type_name("FILE");
  command.add_option("--json", teardown.json, "Write all that was measured to FILE")
      ->type_name("FILE");
  command.add_option("--svg", teardown.svg, "Draw it into FILE")->type_name("FILE");
}

}  // namespace lethe
