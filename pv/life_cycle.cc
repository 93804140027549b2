#include "pv/life_cycle.h"

#include "base/check.h"
#include "image/header.h"
#include "pv/command_event.h"

namespace lethe {

absl::string_view PvStateName(PvState state) {
  switch (state) {
    case PvState::kNormal:
      return "normal";
    case PvState::kCreated:
      return "created";
    case PvState::kHeaderSet:
      return "header set";
    case PvState::kUnpacked:
      return "unpacked";
    case PvState::kVerified:
      return "verified";
    case PvState::kProtected:
      return "protected";
    case PvState::kHalfDestroyed:
      return "half destroyed";
    case PvState::kLost:
      return "lost";
  }
  return "unknown";
}

void PvLifeCycle::Take(PvStep step) {
  const std::optional<PvState> next = Follow(state_, step);
  LETHE_CHECK(next.has_value());
  state_ = *next;
}

kvm::PvResult PvLifeCycle::Create() {
  LETHE_CHECK(Has(PvStep::kCreate));
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.Enable();
  if (result.ok()) Take(PvStep::kCreate);
  events_.Report(CommandEvent("pv-enable", stopwatch, result));
  return result;
}

kvm::PvResult PvLifeCycle::SetHeader(absl::Span<const std::uint8_t> header) {
  LETHE_CHECK(Has(PvStep::kSetHeader));
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.SetSecureParameters(header);
  if (result.ok()) Take(PvStep::kSetHeader);
  events_.Report(CommandEvent("pv-set-parameters", stopwatch, result));
  return result;
}

kvm::PvResult PvLifeCycle::Unpack(absl::Span<const ImageComponent> components) {
  LETHE_CHECK(!components.empty());
  const Stopwatch stopwatch;
  kvm::PvResult result;
  std::uint64_t pages = 0;
  for (const ImageComponent& component : components) {
    LETHE_CHECK(Has(PvStep::kUnpack));
    result = command_.Unpack(component.address, component.size, component.tweak_prefix);
    if (!result.ok()) break;
    Take(PvStep::kUnpack);
    pages += component.size / kImagePageSize;
  }
  Event event = CommandEvent("pv-unpack", stopwatch, result);
  event.pages = pages;
  events_.Report(event);
  return result;
}

kvm::PvResult PvLifeCycle::Verify() {
  LETHE_CHECK(Has(PvStep::kVerify));
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.Verify();
  if (result.ok()) Take(PvStep::kVerify);
  events_.Report(CommandEvent("pv-verify", stopwatch, result));
  return result;
}

void PvLifeCycle::Start() { Take(PvStep::kStart); }

kvm::PvResult PvLifeCycle::Reset() {
  LETHE_CHECK(Has(PvStep::kReset));
  const Stopwatch stopwatch;
  kvm::PvResult result = command_.UnshareAll();
  if (result.ok()) result = command_.PrepareReset();
  if (result.ok()) Take(PvStep::kReset);
  events_.Report(CommandEvent("pv-reset", stopwatch, result));
  return result;
}

kvm::PvResult PvLifeCycle::SetAside(absl::string_view reason) {
  LETHE_CHECK(Has(PvStep::kSetAside));
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.PrepareCleanup();
  Take(result.ok() ? PvStep::kSetAside : PvStep::kSetAsideFails);
  events_.Report(CommandEvent("prepare", stopwatch, result, reason));
  return result;
}

kvm::PvResult PvLifeCycle::Destroy(absl::string_view reason) {
  LETHE_CHECK(Has(PvStep::kDestroy));
  const Stopwatch stopwatch;
  const kvm::PvResult result = command_.Disable();
  Take(result.ok() ? PvStep::kDestroy : PvStep::kDestroyFails);
  events_.Report(CommandEvent("disable", stopwatch, result, reason));
  return result;
}

}  // namespace lethe
