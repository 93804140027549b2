#include "pv/protection.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "accel/kvm-s390/abi.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "pv/command_event.h"
#include "pv/refusal.h"

namespace lethe {
namespace {

constexpr std::uint64_t kPageSize = 4096;

constexpr auto kInvalid = static_cast<std::uint64_t>(IplCode::kInvalidForProtection);

absl::Status SetGoing(const kvm::Vcpu& caller) {
  // Load is what makes the Ultravisor take the PSW of the image (or of absolute 0).
  LETHE_RETURN_IF_ERROR(caller.SetState(kvm::VcpuState::kLoad));
  return caller.SetState(kvm::VcpuState::kOperating);
}

// There is something that DISABLE can destroy.
bool HasConfiguration(PvState state) {
  return state != PvState::kNormal && state != PvState::kLost;
}

std::string Because(absl::string_view reason, const DestroyDecision& decision) {
  return absl::StrCat(reason, ": ", absl::StrJoin(decision.reasons, "; "));
}

}  // namespace

std::uint64_t ProtectFailureCode(const kvm::PvResult& result) {
  // ENABLE has no place in the newer form: its number 0 marks the older one.
  if (result.command == abi::KVM_PV_ENABLE) return kInvalid;
  return std::uint64_t{result.command} << 48 | std::uint64_t{result.rrc} << 32 |
         std::uint64_t{result.rc} << 16 | kInvalid;
}

Protection::Protection(const kvm::Vm& vm, std::vector<kvm::Vcpu*> vcpus, ProtectionOptions options,
                       EventSink& events)
    : vm_(vm),
      vcpus_(std::move(vcpus)),
      options_(std::move(options)),
      events_(events),
      policy_(options_.destroy),
      life_cycle_(kvm::PvCommand(vm), events),
      cleaner_(kvm::PvCommand(vm), CountingCleaner(), events) {}

CleanerOptions Protection::CountingCleaner() {
  CleanerOptions counting = options_.cleaner;
  counting.on_end = [this](const Cleaning& cleaning) {
    options_.cleaner.on_end(cleaning);
    const bool failed =
        cleaning.end == CleaningEnd::kFailed || cleaning.end == CleaningEnd::kInterrupted;
    options_.on_teardown({.part = TeardownOutcome::Part::kBackground,
                          .strategy = RebootStrategy::kSetAside,
                          .duration = cleaning.duration,
                          .pages = cleaning.pages,
                          .fallback = failed ? Fallback::kPerformFailed : Fallback::kNone,
                          .ok = !failed});
  };
  return counting;
}

void Protection::SetPressure(PressureLevel level) {
  pressure_ = level;
  cleaner_.SetUrgent(level != PressureLevel::kNone);
}

std::optional<DestroyDecision> Protection::last_decision(TeardownKind kind) const {
  std::lock_guard lock(decisions_mutex_);
  return kind == TeardownKind::kReboot ? last_reboot_ : last_shutdown_;
}

absl::Status Protection::StopAll() {
  for (kvm::Vcpu* vcpu : vcpus_) LETHE_RETURN_IF_ERROR(vcpu->SetState(kvm::VcpuState::kStopped));
  return absl::OkStatus();
}

kvm::PvResult Protection::CreateWithPatience() {
  // Guests that are being cleaned may hold what this one needs: storage lent to the Ultravisor, or
  // one of its limited number of configurations.
  const bool is_cleaning = !cleaner_.idle();
  kvm::PvResult result = life_cycle_.Create();
  if (!result.ok() && is_cleaning && cleaner_.WaitUntilIdle(options_.patience))
    result = life_cycle_.Create();
  return result;
}

kvm::PvResult Protection::BringIn(absl::Span<const std::uint8_t> header,
                                  absl::Span<const ImageComponent> components) {
  kvm::PvResult result = CreateWithPatience();
  if (result.ok()) result = life_cycle_.SetHeader(header);
  if (result.ok()) result = life_cycle_.Unpack(components);
  if (result.ok()) result = life_cycle_.Verify();
  return result;
}

absl::StatusOr<ProtectOutcome> Protection::Protect(kvm::Vcpu& caller,
                                                   absl::Span<const std::uint8_t> header,
                                                   absl::Span<const ImageComponent> components) {
  LETHE_CHECK(life_cycle_.state() == PvState::kNormal);
  // The Ultravisor's CPUs come into being stopped; KVM tells it only of changes.
  LETHE_RETURN_IF_ERROR(StopAll());
  const kvm::PvResult result = BringIn(header, components);
  if (!result.ok()) return Undo(caller, ProtectFailureCode(result), ExplainRefusal(result));
  if (absl::Status status = SetGoing(caller); !status.ok())
    return Undo(caller, kInvalid, status.message());
  life_cycle_.Start();
  Event event;
  event.name = "protected";
  events_.Report(event);
  return ProtectOutcome{.is_protected = true, .guest_code = 0};
}

absl::StatusOr<ProtectOutcome> Protection::Undo(kvm::Vcpu& caller, std::uint64_t guest_code,
                                                absl::string_view why) {
  events_.Report({.name = "pv-refused", .reason = std::string(why)});
  // A failed ENABLE has undone itself.
  if (life_cycle_.state() != PvState::kNormal)
    LETHE_RETURN_IF_ERROR(Destroy("protected mode was refused"));
  LETHE_RETURN_IF_ERROR(StopAll());
  LETHE_RETURN_IF_ERROR(caller.SetState(kvm::VcpuState::kOperating));
  return ProtectOutcome{.is_protected = false, .guest_code = guest_code};
}

absl::Status Protection::Destroy(absl::string_view reason) {
  const kvm::PvResult result = life_cycle_.Destroy(reason);
  if (!result.ok()) return Annotate(result.ToStatus(), "the protected guest cannot be destroyed");
  cleaner_.Forget();  // DISABLE has cleaned what was set aside, too
  return absl::OkStatus();
}

DestroyDecision Protection::Decide(TeardownKind kind) {
  const HostDebt debt = options_.debt();
  DestroyDecision decision = DecideDestroy({.kind = kind,
                                            .policy = policy_,
                                            .kernel_can = options_.kernel_can_set_aside,
                                            .has_reaper = options_.reaper_alive(),
                                            .is_protected = HasConfiguration(state()),
                                            .cannot_destroy = state() == PvState::kLost,
                                            .memory_limit = vm_.memory_limit(),
                                            .guest_memory = options_.guest_memory,
                                            .touched = options_.touched(),
                                            .zombies = cleaner_.zombies().total(),
                                            .host = options_.host_memory(),
                                            .cgroup = options_.cgroup_memory(),
                                            .pressure = pressure_,
                                            .dying_guests = debt.dying_guests,
                                            .owed = debt.bytes});
  {
    std::lock_guard lock(decisions_mutex_);
    (kind == TeardownKind::kReboot ? last_reboot_ : last_shutdown_) = decision;
  }
  Event event;
  event.name = "decision";
  event.kind = std::string(TeardownKindName(kind));
  event.strategy = std::string(decision.strategy_name());
  event.reason = decision.ToString();
  events_.Report(event);
  return decision;
}

std::optional<std::uint64_t> Protection::TouchedPages() const {
  const std::optional<std::uint64_t> touched = options_.touched();
  if (!touched) return std::nullopt;
  return std::min(*touched, options_.guest_memory) / kPageSize;
}

absl::Status Protection::CarryOut(const DestroyDecision& decision, absl::string_view reason,
                                  TeardownOutcome& outcome) {
  outcome.strategy = RebootStrategy::kDisable;
  if (decision.reboot() == RebootStrategy::kDisable) return Destroy(Because(reason, decision));
  if (!cleaner_.WaitForRoom(options_.patience)) {
    outcome.fallback = Fallback::kSlotTaken;
    return Destroy(absl::StrCat(reason, ": the guest before it still waits to be cleaned"));
  }
  if (!life_cycle_.SetAside(Because(reason, decision)).ok()) {
    // The secure CPUs are gone, whatever the failure was: only DISABLE leads on.
    outcome.fallback = Fallback::kPrepareFailed;
    return Destroy(absl::StrCat(reason, ": could not be set aside"));
  }
  outcome.strategy = RebootStrategy::kSetAside;
  cleaner_.HandOver(outcome.pages);
  return absl::OkStatus();
}

absl::Status Protection::Unprotect(absl::string_view reason) {
  LETHE_CHECK(is_protected());
  const Stopwatch stopwatch;
  const DestroyDecision decision = Decide(TeardownKind::kReboot);
  TeardownOutcome outcome{.strategy = decision.strategy, .fallback = decision.fallback};
  outcome.pages = TouchedPages();
  absl::Status status = CarryOut(decision, reason, outcome);
  outcome.duration = stopwatch.Elapsed();
  outcome.ok = status.ok();
  options_.on_teardown(outcome);
  return status;
}

DestroyDecision Protection::DecideShutdown() { return Decide(TeardownKind::kShutdown); }

absl::Status Protection::End(absl::string_view reason, const DestroyDecision& decision) {
  if (decision.shutdown() != ShutdownStrategy::kSync) return absl::OkStatus();
  const Stopwatch stopwatch;
  absl::Status status;
  if (HasConfiguration(state())) status = Destroy(Because(reason, decision));
  cleaner_.WaitUntilIdle();
  options_.on_teardown({.strategy = decision.strategy,
                        .duration = stopwatch.Elapsed(),
                        .pages = TouchedPages(),
                        .fallback = decision.fallback,
                        .ok = status.ok()});
  return status;
}

absl::Status Protection::SecureReset(SecureResetKind kind, kvm::Vcpu& caller) {
  LETHE_CHECK(is_protected());
  LETHE_RETURN_IF_ERROR(StopAll());
  const kvm::PvResult result = life_cycle_.Reset();
  if (!result.ok()) return Annotate(result.ToStatus(), "reset of a protected guest");
  for (kvm::Vcpu* vcpu : vcpus_) {
    if (kind == SecureResetKind::kModifiedClear)
      LETHE_RETURN_IF_ERROR(vcpu->ClearReset());
    else if (vcpu == &caller)
      LETHE_RETURN_IF_ERROR(vcpu->InitialReset());
    else
      LETHE_RETURN_IF_ERROR(vcpu->NormalReset());
  }
  return SetGoing(caller);
}

}  // namespace lethe
