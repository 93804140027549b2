#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/end_order.h"
#include "cli/fault_report.h"
#include "cli/followers.h"
#include "cli/guest_account.h"
#include "cli/guest_host.h"
#include "cli/machine_config.h"
#include "cli/pid_file.h"
#include "cli/termination.h"
#include "cli/uvc_meter.h"
#include "pv/pressure_watcher.h"
#include "vmm/machine.h"
#include "vmm/machine_teardown.h"
#include "vmm/monitor/monitor.h"

namespace lethe {
namespace {

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

// Has the machine's teardowns respect what is signalled about memory, if the host signals it.
std::unique_ptr<PressureWatcher> WatchPressure(PressureTriggers triggers, vmm::Machine& machine,
                                               const Log& log) {
  Protection* const protection = machine.protection();
  if (protection == nullptr) return nullptr;
  auto watcher = PressureWatcher::Start(
      std::move(triggers),
      {.on_change = [protection](PressureLevel level) { protection->SetPressure(level); }}, log);
  if (watcher.ok()) return *std::move(watcher);
  log.Warning(absl::StrCat("memory pressure is not followed: ", watcher.status().message()));
  return nullptr;
}

// The machine's life. Afterwards only its memory is left, if at all.
absl::StatusOr<vmm::Outcome> Live(vmm::Machine& machine, vmm::Monitor* monitor,
                                  GuestAccount& account, EndOrder& end_order) {
  end_order.Serve(machine);
  account.WatchMemory([&machine] { return machine.touched_memory(); });
  std::optional<vmm::MachineTeardown> teardown;
  if (machine.protection() != nullptr) teardown.emplace(machine);
  if (monitor != nullptr) monitor->Serve(machine, teardown ? &*teardown : nullptr);
  absl::StatusOr<vmm::Outcome> outcome = machine.Run();
  if (monitor != nullptr) monitor->Detach();
  account.StopWatching();
  return outcome;
}

absl::StatusOr<ExitStatus> RunGuest(const RunOptions& options, const Log& log, Daemon* daemon,
                                    std::unique_ptr<PidFile> pid_file) {
  Followers followers;
  LETHE_RETURN_IF_ERROR(AddFollowers(options, log, daemon, followers));
  EventFan& events = followers.events;
  events.Report({.name = "process-start"});
  std::unique_ptr<GuestAccount> account;  // is told of the exit, too
  const absl::Cleanup exit = [&] { events.Report({.name = "exit"}); };
  EndOrder end_order;
  LETHE_ASSIGN_OR_RETURN(auto termination, Termination::Claim());
  LETHE_ASSIGN_OR_RETURN(auto host, GuestHost::Open(options.host, log));
  vmm::MachineConfig config = MachineConfigOf(options, *host);
  LETHE_RETURN_IF_ERROR(vmm::Validate(config));
  PressureTriggers triggers = OpenPressureTriggers();
  for (const PressureTrigger& trigger : triggers.triggers)
    config.reaper.descriptors.push_back(trigger.fd.get());
  LETHE_ASSIGN_OR_RETURN(account,
                         GuestAccount::Open(options.teardown.ledger,
                                            {config.name, config.uuid, config.memory_size}, log));
  events.Add(*account);
  std::optional<UvcMeter> meter;
  if (const emulated::UvcCounters* calls = host->ultravisor_calls()) meter.emplace(*calls, events);

  termination->Watch([&] { end_order.Give(); });
  const absl::Status admitted =
      account->Admit(AdmissionRequestOf(options), [&] { return end_order.given(); });
  if (absl::IsCancelled(admitted)) {
    log.Info(absl::StrCat("guest ended from outside: its start was ", admitted.message()));
    return ExitStatus::kEnded;
  }
  LETHE_RETURN_IF_ERROR(admitted);
  LETHE_ASSIGN_OR_RETURN(
      auto machine,
      vmm::Machine::Create(config,
                           {host->kernel(), log, meter ? static_cast<EventSink&>(*meter) : events,
                            account->teardown_account(), [&] { return account->debt(); },
                            [&](const TeardownOutcome& outcome) { account->Count(outcome); }}));
  std::unique_ptr<PressureWatcher> pressure = WatchPressure(std::move(triggers), *machine, log);
  const absl::StatusOr<vmm::Outcome> outcome =
      Live(*machine, followers.monitor.get(), *account, end_order);
  termination->Stop();
  absl::StatusOr<ExitStatus> status =
      outcome.ok() ? absl::StatusOr<ExitStatus>(Tell(*outcome, log)) : outcome.status();
  if (machine->left_to_reaper()) {
    // All that other processes see of us goes; the memory, and what holds it, stays as it is.
    if (!status.ok()) log.Error(status.status().message());
    events.Report({.name = "exit"});
    if (followers.monitor) followers.monitor->End();  // a cleaner may still report to it
    pid_file.reset();
    account->HandOver();
    ::_exit(static_cast<int>(status.value_or(ExitStatus::kFailure)));
  }
  pressure.reset();
  machine.reset();
  if (outcome.ok()) events.Report({.name = "released", .kind = "shutdown"});
  return status;
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
    return RunGuest(options, Log::ToStandardError(options.log_level), daemon.get(),
                    std::move(pid_file));
  LETHE_ASSIGN_OR_RETURN(const Log log, Log::ToFile(options.log_file, options.log_level));
  absl::StatusOr<ExitStatus> status = RunGuest(options, log, daemon.get(), std::move(pid_file));
  // The caller tells the user, but there may be no one any more.
  if (!status.ok()) log.Error(status.status().message());
  return status;
}

}  // namespace lethe
