#include "pv/protection.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "accel/kvm-s390/abi.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "pv/refusal.h"

namespace lethe {
namespace {

constexpr auto kInvalid = static_cast<std::uint64_t>(IplCode::kInvalidForProtection);

absl::Status SetGoing(const kvm::Vcpu& caller) {
  // Load is what makes the Ultravisor take the PSW of the image (or of absolute 0).
  LETHE_RETURN_IF_ERROR(caller.SetState(kvm::VcpuState::kLoad));
  return caller.SetState(kvm::VcpuState::kOperating);
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
      life_cycle_(kvm::PvCommand(vm), events),
      cleaner_(kvm::PvCommand(vm), events) {}

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

absl::Status Protection::Unprotect(absl::string_view reason) {
  LETHE_CHECK(is_protected());
  const DestroyDecision decision = DecideDestroy({.policy = options_.destroy,
                                                  .kernel_can = options_.kernel_can_set_aside,
                                                  .memory_limit = vm_.memory_limit(),
                                                  .guest_memory = options_.guest_memory,
                                                  .host = options_.host_memory()});
  const std::string why = absl::StrCat(reason, ": ", absl::StrJoin(decision.reasons, "; "));
  if (decision.reboot() == RebootStrategy::kDisable) return Destroy(why);
  if (!cleaner_.WaitForRoom(options_.patience))
    return Destroy(absl::StrCat(reason, ": the guest before it still waits to be cleaned"));
  const kvm::PvResult result = life_cycle_.SetAside(why);
  // The secure CPUs are gone, whatever the failure was: only DISABLE leads on.
  if (!result.ok()) return Destroy(absl::StrCat(reason, ": could not be set aside"));
  cleaner_.HandOver();
  return absl::OkStatus();
}

absl::Status Protection::End(absl::string_view reason) {
  const bool exists =
      life_cycle_.state() != PvState::kNormal && life_cycle_.state() != PvState::kLost;
  if (!exists || options_.destroy.shutdown != DestroyMode::kSync) return absl::OkStatus();
  return Destroy(reason);
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
