#include <csignal>
#include <memory>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/event_fan.h"
#include "cli/event_log.h"
#include "cli/fault_report.h"
#include "cli/guest_host.h"
#include "cli/pid_file.h"
#include "cli/termination.h"
#include "cli/uvc_meter.h"
#include "vmm/machine.h"

namespace lethe {
namespace {

vmm::ConsoleConfig ConsoleOf(absl::string_view text) {
  vmm::ConsoleConfig console;
  if (text == "none") {
    console.kind = vmm::ConsoleConfig::Kind::kNone;
  } else if (absl::ConsumePrefix(&text, "file:")) {
    console.kind = vmm::ConsoleConfig::Kind::kFile;
    console.path = std::string(text);
  }
  return console;
}

vmm::MachineConfig ConfigOf(const RunOptions& options, const GuestHost& host) {
  vmm::MachineConfig config;
  config.name = options.name;
  config.uuid = options.uuid.value_or(RandomUuid());
  config.memory_size = options.memory;
  // The emulated host needs memory that it can map a second time.
  config.memory_backing =
      host.emulated() ? vmm::MemoryBacking::kShared : vmm::MemoryBacking::kPrivate;
  config.cpus = static_cast<unsigned>(options.cpus);
  config.boot.kernel = options.kernel;
  config.boot.protected_image = options.image;
  config.boot.initrd = options.initrd;
  config.boot.command_line = options.append;
  config.console = ConsoleOf(options.console);
  config.destroy = options.teardown.policy;
  return config;
}

ExitStatus Tell(const vmm::Outcome& outcome, const Log& log) {
  switch (outcome.kind) {
    case vmm::Outcome::Kind::kPoweredOff:
      return ExitStatus::kPoweredOff;
    case vmm::Outcome::Kind::kCrashed:
      log.Error(absl::StrFormat("guest crashed: %s on CPU %d, PSW %016x %016x", outcome.reason,
                                outcome.cpu, outcome.psw.mask, outcome.psw.address));
      return ExitStatus::kGuestCrashed;
    case vmm::Outcome::Kind::kEnded:
      log.Info("guest ended from outside");
      return ExitStatus::kEnded;
  }
  return ExitStatus::kFailure;
}

absl::StatusOr<ExitStatus> RunGuest(const RunOptions& options, const Log& log, Daemon* daemon) {
  LETHE_ASSIGN_OR_RETURN(auto event_log, EventLog::Open(log, options.events));
  EventFan events;
  events.Add(*event_log);
  events.Report({.name = "process-start"});
  const absl::Cleanup exit = [&] { events.Report({.name = "exit"}); };
  LETHE_ASSIGN_OR_RETURN(auto termination, Termination::Claim());
  LETHE_ASSIGN_OR_RETURN(auto host, GuestHost::Open(options.host, log));

  std::optional<UvcMeter> meter;
  if (const emulated::UvcCounters* calls = host->ultravisor_calls()) meter.emplace(*calls, events);
  EventSink& sink = meter ? static_cast<EventSink&>(*meter) : events;
  if (daemon != nullptr) {
    events.Add([daemon](const Event& event) {
      if (event.name == "first-instruction") daemon->Ready();
    });
  }

  LETHE_ASSIGN_OR_RETURN(
      auto machine, vmm::Machine::Create(ConfigOf(options, *host), {host->kernel(), log, sink}));
  termination->Watch([&] { machine->End(vmm::Cause::kSignal); });
  const absl::StatusOr<vmm::Outcome> outcome = machine->Run();
  termination->Stop();
  machine.reset();
  if (!outcome.ok()) return outcome.status();
  return Tell(*outcome, log);
}

}  // namespace

absl::StatusOr<ExitStatus> Run(const RunOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  ReportRefusedPages();
  std::unique_ptr<Daemon> daemon;
  if (options.daemonize) {
    LETHE_ASSIGN_OR_RETURN(daemon, Daemon::Detach());
  }
  std::unique_ptr<PidFile> pid_file;
  if (!options.pid_file.empty()) {
    LETHE_ASSIGN_OR_RETURN(pid_file, PidFile::Write(options.pid_file));
  }
  if (options.log_file.empty())
    return RunGuest(options, Log::ToStandardError(options.log_level), daemon.get());
  LETHE_ASSIGN_OR_RETURN(const Log log, Log::ToFile(options.log_file, options.log_level));
  absl::StatusOr<ExitStatus> status = RunGuest(options, log, daemon.get());
  // The caller tells the user, but there may be no one any more.
  if (!status.ok()) log.Error(status.status().message());
  return status;
}

}  // namespace lethe
