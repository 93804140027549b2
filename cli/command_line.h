#ifndef LETHE_CLI_COMMAND_LINE_H_
#define LETHE_CLI_COMMAND_LINE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/log.h"
#include "cli/exit_status.h"
#include "pv/destroy_policy.h"

namespace lethe {

// Which host runs the guest.
enum class Accelerator { kAuto, kKvm, kEmulated };

struct HostOptions {
  Accelerator accelerator = Accelerator::kAuto;
  std::chrono::nanoseconds uvc_cost{0};  // of the emulated host's Ultravisor calls
  std::string host_key;                  // private key file; empty: the user's own
};

struct RunOptions {
  HostOptions host;
  std::uint64_t memory = std::uint64_t{1} << 30;
  int cpus = 1;
  std::string kernel;
  std::string initrd;
  std::string append;
  std::string image;
  DestroyMode destroy = DestroyMode::kAuto;
  std::string console = "stdio";  // stdio, none, file:PATH
  std::string events;             // file of JSON lines; empty: none
  LogLevel log_level = LogLevel::kInfo;
};

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

using Command = std::variant<RunOptions, SealOptions, CheckOptions>;

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
