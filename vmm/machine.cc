#include "vmm/machine.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "vmm/exit_handler.h"
#include "vmm/ipl.h"
#include "vmm/resets.h"
#include "vmm/service_call.h"

namespace lethe::vmm {
namespace {

// How long Pause and Continue wait for the owner and the CPUs.
constexpr absl::Duration kOrderPatience = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<Machine>> Machine::Create(const MachineConfig& config,
                                                         const Surroundings& surroundings) {
  LETHE_RETURN_IF_ERROR(Validate(config));
  LETHE_ASSIGN_OR_RETURN(kvm::System system, kvm::System::Open(surroundings.kernel));
  if (config.cpus > system.capabilities().max_vcpus) {
    return absl::InvalidArgumentError(absl::StrCat(config.cpus, " CPUs; this host offers at most ",
                                                   system.capabilities().max_vcpus));
  }
  LETHE_ASSIGN_OR_RETURN(std::unique_ptr<Console> console, Console::Open(config.console));
  LETHE_ASSIGN_OR_RETURN(GuestMemory memory,
                         GuestMemory::Create(config.memory_size, config.memory_backing));
  LETHE_ASSIGN_OR_RETURN(kvm::Vm vm, system.CreateVm());
  LETHE_RETURN_IF_ERROR(EnableCapabilities(system, vm));
  LETHE_RETURN_IF_ERROR(vm.SetMemoryLimit(memory.size()));
  LETHE_RETURN_IF_ERROR(vm.SetMemorySlot(
      {0, 0, memory.size(), reinterpret_cast<void*>(memory.slot_address()), false}));
  LETHE_ASSIGN_OR_RETURN(kvm::Flic flic, vm.CreateFlic());

  std::unique_ptr<Machine> machine(new Machine(config, surroundings, std::move(system),
                                               std::move(memory), std::move(vm), std::move(flic),
                                               std::move(console)));
  LETHE_RETURN_IF_ERROR(machine->AddCpus());
  machine->PrepareProtection(surroundings);
  machine->StartReaper();
  return machine;
}

Machine::Machine(const MachineConfig& config, const Surroundings& surroundings, kvm::System system,
                 GuestMemory memory, kvm::Vm vm, kvm::Flic flic, std::unique_ptr<Console> console)
    : config_(config),
      log_(surroundings.log),
      events_(surroundings.events),
      system_(std::move(system)),
      memory_(std::move(memory)),
      vm_(std::move(vm)),
      flic_(std::move(flic)),
      console_(std::move(console)),
      guest_console_([this](absl::string_view text) { ConsoleOutput(text); }),
      event_facility_(EventTypes()),
      sclp_(SclpDescription(), event_facility_),
      ipl_blocks_(memory_.size()),
      storage_operands_(memory_),
      platform_{memory_,
                cpus_,
                sclp_,
                flic_,
                requests_,
                ipl_blocks_,
                ipl_mutex_,
                log_,
                &storage_operands_,
                system_.capabilities().protected_guests,
                config_.name,
                config_.uuid},
      shutdown_(surroundings.log, surroundings.account) {
  Event memory_event;
  memory_event.name = "memory";
  memory_event.host_address = memory_.slot_address();
  memory_event.size = memory_.size();
  events_.Report(memory_event);
}

Machine::~Machine() {
  console_->Stop();
  AllOut out(cpus_);
  cpus_.End();
}

absl::Status Machine::EnableCapabilities(const kvm::System& system, const kvm::Vm& vm) {
  const kvm::Capabilities& host = system.capabilities();
  if (!host.user_sigp || !host.channel_subsystem)
    return absl::FailedPreconditionError("this KVM lacks SIGP or I/O in user space");
  LETHE_RETURN_IF_ERROR(vm.EnableCapability(abi::KVM_CAP_S390_USER_SIGP));
  if (host.user_stsi) LETHE_RETURN_IF_ERROR(vm.EnableCapability(abi::KVM_CAP_S390_USER_STSI));
  if (host.vector_registers)
    LETHE_RETURN_IF_ERROR(vm.EnableCapability(abi::KVM_CAP_S390_VECTOR_REGISTERS));
  if (host.guarded_storage) LETHE_RETURN_IF_ERROR(vm.EnableCapability(abi::KVM_CAP_S390_GS));
  return absl::OkStatus();
}

absl::Status Machine::AddCpus() {
  for (unsigned address = 0; address < config_.cpus; ++address) {
    LETHE_ASSIGN_OR_RETURN(std::unique_ptr<kvm::Vcpu> vcpu, vm_.CreateVcpu(address));
    // From here on it is us who decide which CPUs run.
    LETHE_RETURN_IF_ERROR(vcpu->SetState(kvm::VcpuState::kStopped));
    if (address == 0) LETHE_RETURN_IF_ERROR(vcpu->EnableCapability(abi::KVM_CAP_S390_CSS_SUPPORT));
    VcpuThread& thread = cpus_.Add(
        std::move(vcpu),
        [this](VcpuThread& cpu, const kvm::VcpuExit& exit) {
          return HandleExit(cpu, exit, platform_);
        },
        [this](VcpuThread&, absl::Status status) { requests_.Post(Failure{std::move(status)}); });
    LETHE_RETURN_IF_ERROR(ResetCpu(thread, CpuReset::kClear));
  }
  return absl::OkStatus();
}

void Machine::StartReaper() {
  std::vector<kvm::Vcpu*> vcpus;
  for (const auto& cpu : cpus_.all()) vcpus.push_back(&cpu->vcpu());
  shutdown_.StartReaper(config_.reaper, config_.name, memory_, vm_.MakeSurvivor(vcpus),
                        system_.capabilities().protected_guests);
}

void Machine::PrepareProtection(const Surroundings& surroundings) {
  const kvm::Capabilities& host = system_.capabilities();
  if (!host.protected_guests) return;
  std::vector<kvm::Vcpu*> vcpus;
  for (const auto& cpu : cpus_.all()) vcpus.push_back(&cpu->vcpu());
  ProtectionOptions options;
  options.destroy = config_.destroy;
  options.kernel_can_set_aside = host.protected_async_disable;
  options.guest_memory = memory_.size();
  options.touched = [this] { return memory_.touched(); };
  options.debt = surroundings.debt;
  options.on_teardown = surroundings.on_teardown;
  options.cleaner = config_.cleaner;
  options.reaper_alive = [this] { return shutdown_.reaper_alive(); };
  protection_.emplace(vm_, std::move(vcpus), std::move(options), events_);
}

std::vector<SclpEventType> Machine::EventTypes() {
  LineModeConsole& line_mode = guest_console_.line_mode();
  Vt220Console& vt220 = guest_console_.vt220();
  return {
      {LineModeConsole::kCommandEventType, "operator command", &line_mode, nullptr},
      {LineModeConsole::kMessageEventType, "message", nullptr, &line_mode},
      {Vt220Console::kEventType, "VT220 console", &vt220, &vt220},
      {QuiesceSignal::kEventType, "signal quiesce", &quiesce_, nullptr},
  };
}

SclpConfiguration Machine::SclpDescription() const {
  SclpConfiguration description{memory_.size(), {}};
  for (unsigned address = 0; address < config_.cpus; ++address)
    description.cpus.push_back(static_cast<std::uint8_t>(address));
  return description;
}

absl::StatusOr<Outcome> Machine::Run() {
  absl::StatusOr<Outcome> outcome = Start();
  const bool never_ran = run_state() == RunState::kPrelaunch;
  if (!outcome.ok() && !IsOver(run_state())) Enter(RunState::kInternalError);
  requests_.Close();
  if (never_ran) return outcome;
  const absl::Status concluded =
      Conclude(outcome.ok() ? RunStateName(run_state()) : outcome.status().message());
  if (outcome.ok() && !concluded.ok()) return concluded;
  return outcome;
}

absl::Status Machine::Conclude(absl::string_view reason) {
  console_->Stop();
  if (std::optional<AllOut> out; !stuck_ && TakeCpusOut(out).ok()) cpus_.End();
  if (stuck_) {
    shutdown_.LeaveAsItIs(memory_.touched());
    return absl::OkStatus();
  }
  events_.Report({.name = "stopped", .kind = "shutdown"});
  return shutdown_.Carry(protection(), reason, memory_.touched());
}

absl::Status Machine::TakeCpusOut(std::optional<AllOut>& out) {
  for (;;) {
    out.emplace(cpus_, kBarrierPatience);
    if (out->status().ok()) return absl::OkStatus();
    for (const auto& cpu : cpus_.all())
      stuck_ = stuck_ || cpu->whereabouts().place == Whereabouts::Place::kGuest;
    if (stuck_) return out->status();
    log_.Warning(out->status().message());
  }
}

absl::StatusOr<Outcome> Machine::Start() {
  LETHE_RETURN_IF_ERROR(Load(0));
  LETHE_RETURN_IF_ERROR(
      console_->Start({[this](absl::string_view bytes) { return ConsoleInput(bytes); },
                       [this] { End(Cause::kUser); }}));
  Enter(RunState::kRunning);
  Report("first-instruction");
  cpus_.Start();
  return ServeRequests();
}

absl::StatusOr<Outcome> Machine::ServeRequests() {
  for (;;) {
    const MachineRequest request = requests_.Wait(/*but_guests=*/pause_.has_value());
    std::optional<AllOut> out;
    LETHE_RETURN_IF_ERROR(TakeCpusOut(out));
    absl::StatusOr<std::optional<Outcome>> outcome = Serve(request);
    if (outcome.ok() && !outcome->has_value()) continue;
    cpus_.End();  // while they are out: they do not enter the guest again
    if (!outcome.ok()) return outcome.status();
    return **outcome;
  }
}

void Machine::Enter(RunState state) {
  LETHE_CHECK(MayFollow(run_state(), state));
  run_state_ = state;
}

std::string Machine::uuid() const { return FormatUuid(config_.uuid); }

absl::Status Machine::Pause() {
  const auto served = std::make_shared<absl::Notification>();
  requests_.Post(PauseMachine{served});
  return WaitUntilServed(*served);
}

absl::Status Machine::Continue() {
  const auto served = std::make_shared<absl::Notification>();
  requests_.Post(ContinueMachine{served});
  return WaitUntilServed(*served);
}

absl::Status Machine::WaitUntilServed(absl::Notification& served) const {
  if (!served.WaitForNotificationWithTimeout(kOrderPatience))
    return absl::DeadlineExceededError(
        "the guest's CPUs have not stopped yet (does nobody read its console?); the order stands");
  if (IsOver(run_state())) return absl::FailedPreconditionError("the guest has ended");
  return absl::OkStatus();
}

absl::Status Machine::Reset(Cause cause) {
  if (IsOver(run_state())) return absl::FailedPreconditionError("the guest has ended");
  requests_.Post(ResetMachine{cause});
  return absl::OkStatus();
}

void Machine::End(Cause cause) {
  console_->Abandon();  // a CPU may be waiting in it
  requests_.Post(EndMachine{cause});
}

absl::Status Machine::RequestPowerDown() {
  if (!event_facility_.Listening(QuiesceSignal::kEventType))
    return absl::FailedPreconditionError(
        "the guest does not listen for power-down requests (still booting?)");
  quiesce_.Raise();
  LETHE_RETURN_IF_ERROR(SignalPendingEvents(event_facility_, flic_));
  Report("power-down-request");
  return absl::OkStatus();
}

absl::Status Machine::Load(unsigned cpu) {
  LETHE_ASSIGN_OR_RETURN(const Psw psw, LoadBootFiles(config_.boot, memory_));
  VcpuThread& first = *cpus_.Find(cpu);
  first.vcpu().set_psw(psw);
  return first.SetActivity(Activity::kOperating);
}

absl::StatusOr<std::optional<Outcome>> Machine::Serve(const MachineRequest& request) {
  struct Visitor {
    Machine& machine;
    using Result = absl::StatusOr<std::optional<Outcome>>;
    Result GoOn(absl::Status status) const {
      if (!status.ok()) return status;
      machine.LetCpusGo();
      return std::nullopt;
    }
    Result operator()(const ReIpl& r) const {
      return GoOn(machine.ServeReset(r.cpu, Cause::kGuestReset));
    }
    Result operator()(const RestartInPlace& r) const {
      return GoOn(machine.ServeRestartInPlace(r));
    }
    Result operator()(const StartProtected& r) const {
      return GoOn(machine.ServeStartProtected(r));
    }
    Result operator()(const ResetMachine& r) const { return GoOn(machine.ServeReset(0, r.cause)); }
    Result operator()(const PauseMachine& r) const {
      machine.ServePause(r);
      return std::nullopt;
    }
    Result operator()(const ContinueMachine& r) const {
      machine.ServeContinue(r);
      return std::nullopt;
    }
    Result operator()(const PowerOff&) const {
      machine.Enter(RunState::kShutdown);
      machine.Report("power-off", "", Cause::kGuestShutdown);
      return Outcome{};
    }
    Result operator()(const Crash& crash) const {
      machine.Enter(RunState::kGuestPanicked);
      machine.ReportCrash(crash);
      return Outcome{Outcome::Kind::kCrashed, crash.cpu, crash.psw, crash.reason};
    }
    Result operator()(const Failure& failure) const { return failure.status; }
    Result operator()(const EndMachine& end) const {
      machine.Enter(RunState::kShutdown);
      machine.Report("end", "", end.cause);
      return Outcome{Outcome::Kind::kEnded, 0, {}, "ended on request"};
    }
  };
  return std::visit(Visitor{*this}, request);
}

// The CPUs stay out: the owner holds them as long as the machine is paused.
void Machine::ServePause(const PauseMachine& request) {
  if (run_state() == RunState::kRunning) {
    Enter(RunState::kPaused);
    pause_.emplace(cpus_);
    Report("pause");
  }
  request.served->Notify();
}

void Machine::ServeContinue(const ContinueMachine& request) {
  if (run_state() == RunState::kPaused) {
    Enter(RunState::kRunning);
    pause_.reset();
    Report("resume");
  }
  request.served->Notify();
}

// CPUs that parked with a request wait for its outcome; a reset has made all other requests void.
void Machine::LetCpusGo() {
  for (const auto& cpu : cpus_.all()) cpu->Unpark();
}

absl::Status Machine::ServeReset(unsigned cpu, Cause cause) {
  Report("reset-request", "load clear", cause);
  LETHE_RETURN_IF_ERROR(StopCpus(cpus_));
  requests_.DropGuestRequests();
  LETHE_RETURN_IF_ERROR(SubsystemReset(flic_, event_facility_));
  if (protection_ && protection_->is_protected())
    LETHE_RETURN_IF_ERROR(protection_->Unprotect("reboot"));
  platform_.operands = &storage_operands_;
  LETHE_RETURN_IF_ERROR(ResetCpus(cpus_, cpu, CpuReset::kClear, CpuReset::kClear));
  LETHE_RETURN_IF_ERROR(Load(cpu));
  Report("guest-restarted", "", cause);
  return absl::OkStatus();
}

absl::Status Machine::ServeRestartInPlace(const RestartInPlace& request) {
  Report("reset-request", request.clear ? "modified clear" : "load normal", Cause::kSubsystemReset);
  LETHE_RETURN_IF_ERROR(StopCpus(cpus_));
  requests_.DropGuestRequests();
  LETHE_RETURN_IF_ERROR(SubsystemReset(flic_, event_facility_));
  VcpuThread& first = *cpus_.Find(request.cpu);
  if (protection_ && protection_->is_protected()) {
    LETHE_RETURN_IF_ERROR(protection_->SecureReset(
        request.clear ? SecureResetKind::kModifiedClear : SecureResetKind::kLoadNormal,
        first.vcpu()));
  } else {
    LETHE_RETURN_IF_ERROR(ResetCpus(cpus_, request.cpu,
                                    request.clear ? CpuReset::kClear : CpuReset::kInitial,
                                    request.clear ? CpuReset::kClear : CpuReset::kNormal));
    const std::optional<Be64> word = memory_.Read<Be64>(GuestAddress(0));
    first.vcpu().set_psw(ExpandShortPsw(*word));
  }
  LETHE_RETURN_IF_ERROR(first.SetActivity(Activity::kOperating));
  Report("guest-restarted", "", Cause::kSubsystemReset);
  return absl::OkStatus();
}

std::optional<Machine::ProtectionInput> Machine::CopyProtectionInput() {
  std::lock_guard lock(ipl_mutex_);
  const IplParameters* const parameters = ipl_blocks_.protected_parameters();
  if (parameters == nullptr) return std::nullopt;
  ProtectionInput input{Bytes(parameters->header_size), parameters->components};
  if (!memory_.CopyOut(GuestAddress(parameters->header_address), absl::MakeSpan(input.header)))
    return std::nullopt;
  return input;
}

absl::Status Machine::ServeStartProtected(const StartProtected& request) {
  LETHE_RETURN_IF_ERROR(StopCpus(cpus_));
  requests_.DropGuestRequests();
  LETHE_RETURN_IF_ERROR(SubsystemReset(flic_, event_facility_));
  LETHE_RETURN_IF_ERROR(ResetCpus(cpus_, request.cpu, CpuReset::kNormal, CpuReset::kClear));
  VcpuThread& caller = *cpus_.Find(request.cpu);
  ProtectOutcome outcome{false, static_cast<std::uint64_t>(IplCode::kInvalidForProtection)};
  if (const std::optional<ProtectionInput> input = CopyProtectionInput(); input && protection_) {
    LETHE_ASSIGN_OR_RETURN(outcome,
                           protection_->Protect(caller.vcpu(), input->header, input->components));
  }
  if (outcome.is_protected) {
    platform_.operands = &secure_operands_;
  } else {
    // ENABLE masks service signals, and one that fails over a CPU leaves them masked (Linux 6.12,
    // arch/s390/kvm/pv.c): the guest would wait for ever for its next service call. This unmasks.
    LETHE_RETURN_IF_ERROR(flic_.Clear());
    caller.vcpu().registers().gprs[request.result_register] = outcome.guest_code;
  }
  return caller.SetActivity(Activity::kOperating);
}

std::size_t Machine::ConsoleInput(absl::string_view bytes) {
  const std::size_t taken = guest_console_.Input(bytes);
  // A guest that cannot be told now reads its events when it is told the next time.
  const absl::Status told = SignalPendingEvents(event_facility_, flic_);
  if (!told.ok()) log_.Warning(absl::StrCat("console input: ", told.message()));
  return taken;
}

void Machine::ConsoleOutput(absl::string_view text) {
  if (!wrote_.exchange(true)) Report("first-output");
  console_->Write(text);
}

void Machine::Report(absl::string_view event, std::string reason, std::optional<Cause> cause) {
  Event report;
  report.name = std::string(event);
  report.reason = std::move(reason);
  if (cause) report.cause = std::string(CauseName(*cause));
  events_.Report(report);
}

void Machine::ReportCrash(const Crash& crash) {
  Event report;
  report.name = "crash";
  report.reason = crash.reason;
  report.cause = std::string(CauseName(Cause::kGuestPanic));
  report.cpu = crash.cpu;
  report.psw_mask = crash.psw.mask;
  report.psw_address = crash.psw.address;
  events_.Report(report);
}

}  // namespace lethe::vmm
