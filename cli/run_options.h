#ifndef LETHE_CLI_RUN_OPTIONS_H_
#define LETHE_CLI_RUN_OPTIONS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/log.h"
#include "cli/host_options.h"
#include "pv/destroy_policy.h"

namespace lethe {

struct RunOptions {
  HostOptions host;
  std::string name = "lethe";
  std::array<std::uint8_t, 16> uuid{};  // zeros: none was given
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
  std::string log_file;  // empty: standard error
  bool daemonize = false;
  std::string pid_file;  // empty: none
};

void AddRunOptions(CLI::App& command, RunOptions& run);

// What contradicts or is missing, after all options were read; one line for their author.
std::optional<std::string> WhatIsWrong(const RunOptions& run);

}  // namespace lethe

#endif  // LETHE_CLI_RUN_OPTIONS_H_
