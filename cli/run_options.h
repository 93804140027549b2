#ifndef LETHE_CLI_RUN_OPTIONS_H_
#define LETHE_CLI_RUN_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/uuid.h"
#include "cli/host_options.h"
#include "pv/cleaner.h"
#include "pv/destroy_policy.h"
#include "pv/ledger/admission.h"
#include "pv/reaper/helper_block.h"

namespace lethe {

// How the guest ends.
struct TeardownOptions {
  DestroyPolicy policy;
  CleanerOptions cleaner;
  bool reaper = true;
  ReaperPriority reaper_priority = ReaperPriority::kIdle;
  std::string reaper_cgroup;  // empty: stays where the VMM is
  std::string ledger;         // empty: the default directory; "none": no ledger
};

// What a start asks of the host's memory.
struct AdmissionOptions {
  AdmissionMode mode = AdmissionMode::kWait;
  std::chrono::nanoseconds patience = std::chrono::minutes(2);
  std::uint64_t need = 0;  // bytes; 0: the guest's memory
};

struct RunOptions {
  HostOptions host;
  TeardownOptions teardown;
  AdmissionOptions admission;
  std::string name = "lethe";
  std::optional<Uuid> uuid;  // none: a random one
  std::uint64_t memory = std::uint64_t{1} << 30;
  int cpus = 1;
  std::string kernel;
  std::string initrd;
  std::string append;
  std::string image;
  std::string console = "stdio";  // stdio, none, file:PATH
  std::string qmp;                // path of the control socket; empty: none
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
