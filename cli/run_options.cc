#include "cli/run_options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/uuid.h"
#include "cli/option_values.h"
#include "cli/quantity.h"
#include "pv/ledger/ledger_names.h"
#include "pv/thread_priority.h"
#include "vmm/monitor/monitor_socket.h"

namespace lethe {
namespace {

constexpr unsigned kMostCleaners = 16;

absl::StatusOr<unsigned> ParseCleaners(absl::string_view text) {
  unsigned count = 0;
  if (!absl::SimpleAtoi(text, &count) || count < 1 || count > kMostCleaners)
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is out of range; 1 to ", kMostCleaners, " are accepted"));
  return count;
}

void AddTeardownOptions(CLI::App& command, TeardownOptions& teardown) {
  AddParsed(command, "--destroy", teardown.policy, ParseDestroyPolicy,
            "When a protected guest's memory is destroyed: auto, lazy (in the background) or sync, "
            "or separately as reboot=MODE,shutdown=MODE (auto)")
      ->type_name("MODE");
  AddParsed(command, "--cleaners", teardown.cleaner.concurrency, ParseCleaners,
            "How many past lives of the guest are cleaned at the same time (1)")
      ->type_name("COUNT");
  AddChoice<CleanerPriority>(command, "--cleaner-priority", teardown.cleaner.priority,
                             {{"auto", CleanerPriority::kAuto},
                              {"idle", CleanerPriority::kIdle},
                              {"normal", CleanerPriority::kNormal}},
                             "Priority of cleaning while nobody waits for it (auto: idle where "
                             "that can be left again)");
  AddParsed(command, "--cleaner-cpus", teardown.cleaner.cpus, ParseCpuList,
            "Host CPUs that clean (all)")
      ->type_name("LIST");
  AddChoice<bool>(command, "--reaper", teardown.reaper, {{"on", true}, {"off", false}},
                  "Helper process that cleans up after this one has ended (on)");
  AddChoice<ReaperPriority>(command, "--reaper-priority", teardown.reaper_priority,
                            {{"idle", ReaperPriority::kIdle}, {"normal", ReaperPriority::kNormal}},
                            "Priority of that process while memory is not short (idle)");
  command
      .add_option("--reaper-cgroup", teardown.reaper_cgroup,
                  "Existing control group that the helper process moves to")
      ->type_name("DIRECTORY");
  command
      .add_option("--ledger", teardown.ledger,
                  "Where running and dying guests are entered; none: nowhere (the directory that "
                  "lethe ps reads)")
      ->type_name("DIRECTORY");
}

void AddAdmissionOptions(CLI::App& command, AdmissionOptions& admission) {
  AddChoice<AdmissionMode>(command, "--admission", admission.mode,
                           {{"off", AdmissionMode::kOff},
                            {"start", AdmissionMode::kStart},
                            {"wait", AdmissionMode::kWait},
                            {"strict", AdmissionMode::kStrict}},
                           "When memory is short and dying guests owe some: wait for it, and past "
                           "the deadline fail (wait) or start all the same (start); strict: fail "
                           "also if nothing is owed; off: do not look (wait)");
  AddParsed(command, "--admission-deadline", admission.patience, ParseDuration,
            "How long to wait for memory (120s)")
      ->type_name("TIME");
  AddParsed(command, "--admission-need", admission.need, ParseMemorySize,
            "How much memory must be available (that of the guest)")
      ->type_name("SIZE");
}

}  // namespace

void AddRunOptions(CLI::App& command, RunOptions& run) {
  command.add_option("-n,--name", run.name, "Name of the guest (lethe)")->type_name("NAME");
  AddParsed(command, "-u,--uuid", run.uuid, ParseUuid, "UUID of the guest (a random one)")
      ->type_name("UUID");
  command.add_option("-k,--kernel", run.kernel, "Linux kernel or ELF program to start")
      ->type_name("FILE");
  command.add_option("-i,--initrd", run.initrd, "Initial RAM disk")->type_name("FILE");
  command.add_option("-a,--append", run.append, "Kernel command line")->type_name("TEXT");
  command.add_option("-p,--image", run.image, "Protected image to start (see lethe seal)")
      ->type_name("FILE");
  AddParsed(command, "-m,--memory", run.memory, ParseMemorySize, "Guest memory (1G)")
      ->type_name("SIZE");
  command.add_option("-c,--cpus", run.cpus, "Guest CPUs (1)")->type_name("COUNT");
  AddTeardownOptions(command, run.teardown);
  AddAdmissionOptions(command, run.admission);
  command
      .add_option("--console", run.console,
                  "Where the guest's console is: stdio (Ctrl-A x ends the guest), none, "
                  "file:PATH (output only)")
      ->type_name("stdio|none|file:PATH");
  AddParsed(command, "--qmp", run.qmp, vmm::ParseMonitorAddress,
            "Control socket that speaks QMP, for this user (unix:PATH)")
      ->type_name("unix:PATH");
  command
      .add_option("--events", run.events, "Write life-cycle events to FILE, one JSON object a line")
      ->type_name("FILE");
  AddChoice<LogLevel>(command, "--log", run.log_level,
                      {{"error", LogLevel::kError},
                       {"warning", LogLevel::kWarning},
                       {"info", LogLevel::kInfo},
                       {"debug", LogLevel::kDebug}},
                      "What to report on standard error (info)");
  command.add_option("--log-file", run.log_file, "Report to FILE instead of standard error")
      ->type_name("FILE");
  command.add_flag("--daemonize", run.daemonize,
                   "Go on in the background once the guest runs (needs --console none or file:)");
  command.add_option("--pidfile", run.pid_file, "Write the number of the process to FILE")
      ->type_name("FILE");
  AddHostOptions(command, run.host);
}

std::optional<std::string> WhatIsWrong(const RunOptions& run) {
  if (run.kernel.empty() && run.image.empty()) return "nothing to run; give --kernel or --image";
  if (!IsGuestName(run.name))
    return absl::StrCat("--name: '", run.name,
                        "' is no name; write 1 to 63 letters, digits and . _ - + @ :");
  if (!run.kernel.empty() && !run.image.empty()) return "--kernel and --image exclude each other";
  if (!run.image.empty() && (!run.initrd.empty() || !run.append.empty()))
    return "--initrd and --append are part of a protected image; give them to lethe seal";
  if (run.cpus < 1 || run.cpus > 248)
    return absl::StrCat("--cpus: ", run.cpus, " is out of range; 1 to 248 are accepted");
  if (run.console != "stdio" && run.console != "none" && run.console.rfind("file:", 0) != 0)
    return absl::StrCat("--console: '", run.console,
                        "' is not known; write stdio, none or file:PATH");
  if (run.daemonize && run.console == "stdio")
    return "--daemonize leaves no terminal to --console stdio; write none or file:PATH";
  if (run.console == "file:") return "--console: file: needs a path";
  return std::nullopt;
}

}  // namespace lethe
