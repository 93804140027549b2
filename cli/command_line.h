#ifndef LETHE_CLI_COMMAND_LINE_H_
#define LETHE_CLI_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/bench_options.h"
#include "cli/emulate_options.h"
#include "cli/exit_status.h"
#include "cli/host_options.h"
#include "cli/ledger_options.h"
#include "cli/run_options.h"

namespace lethe {

struct SealOptions {
  std::string kernel;
  std::string initrd;
  std::string append;
  std::vector<std::string> host_key_documents;
  std::string output;
};

struct CheckOptions {
  HostOptions host;
};

using Command = std::variant<RunOptions, SealOptions, CheckOptions, PsOptions, StatusOptions,
                             WaitOptions, MetricsOptions, BenchTeardownOptions, EmulateOptions>;

// The command to carry out, or none when the text to print (help, version, one error line) is all
// there is; then `status` is what the process ends with.
struct ParsedCommandLine {
  std::optional<Command> command;
  std::string output;
  std::string error;
  ExitStatus status = ExitStatus::kPoweredOff;
};

ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace lethe

#endif  // LETHE_CLI_COMMAND_LINE_H_
