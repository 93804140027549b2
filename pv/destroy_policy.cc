#include "pv/destroy_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace lethe {
namespace {

constexpr std::uint64_t kTwoGiB = std::uint64_t{1} << 31;  // PREPARE always cleans this much

// Cleaning this much takes no longer than to set up anything else.
constexpr std::uint64_t kHardlyAnything = std::uint64_t{64} << 20;

// Below this share of the memory, and above this share of waiting time, memory is short: a zombie
// is not left lying about, for swapping its pages out would mean to encrypt each of them.
constexpr std::uint64_t kShortDivisor = 32;
constexpr double kHighPressurePercent = 10.0;

// Below this share it pays to give memory back while the rest is still being cleaned.
constexpr std::uint64_t kTightDivisor = 8;

// A sentence, and what it counts as.
struct Reason {
  Fallback fallback;
  std::string text;
};
using Reasons = std::vector<Reason>;

std::string MiB(std::uint64_t bytes) { return absl::StrFormat("%u MiB", bytes >> 20); }

std::uint64_t Touched(const DestroySituation& s) {
  return std::min(s.touched.value_or(s.guest_memory), s.guest_memory);
}

// A group that holds little else than this guest is full because the guest is, and gets emptier.
bool IsOwnGroup(const CgroupLevel& level, const DestroySituation& s) {
  return level.usage && *level.usage / 2 < Touched(s);
}

bool CanPrepare(const DestroySituation& s) {
  return s.kernel_can && !(s.memory_limit && *s.memory_limit <= kTwoGiB);
}

Reason WhyNoPrepare(const DestroySituation& s) {
  if (!s.kernel_can)
    return {Fallback::kNoCapability, "the kernel does not offer asynchronous destroy"};
  return {
      Fallback::kMemoryLimit,
      absl::StrFormat("a memory limit of %s rules out asynchronous destroy", MiB(*s.memory_limit))};
}

void AddPressure(const DestroySituation& s, Reasons& reasons) {
  if (s.pressure == PressureLevel::kHigh)
    reasons.push_back({Fallback::kPressure, "high memory pressure is signalled"});
  if (s.host.pressure && *s.host.pressure >= kHighPressurePercent)
    reasons.push_back(
        {Fallback::kPressure, absl::StrFormat("memory pressure is %.1f %%", *s.host.pressure)});
}

void AddScarcity(const DestroySituation& s, Reasons& reasons) {
  const HostMemory& host = s.host;
  if (host.total_bytes && host.available_bytes &&
      *host.available_bytes < *host.total_bytes / kShortDivisor) {
    reasons.push_back({Fallback::kLowMemory,
                       absl::StrFormat("only %s of the host's %s of memory are available",
                                       MiB(*host.available_bytes), MiB(*host.total_bytes))});
  }
  for (const CgroupLevel& level : s.cgroup.levels) {
    const std::optional<std::uint64_t> headroom = level.Headroom();
    if (!headroom || *headroom >= *level.limit / kShortDivisor || IsOwnGroup(level, s)) continue;
    reasons.push_back(
        {Fallback::kLowMemory, absl::StrFormat("only %s of the %s of memory cgroup %s are left",
                                               MiB(*headroom), MiB(*level.limit), level.path)});
  }
}

void AddDebt(const DestroySituation& s, Reasons& reasons) {
  if (!s.host.available_bytes || s.owed <= *s.host.available_bytes) return;
  reasons.push_back(
      {Fallback::kDebt,
       absl::StrFormat("%u dying guest%s owe%s %s, more than the %s that are available",
                       s.dying_guests, s.dying_guests == 1 ? "" : "s",
                       s.dying_guests == 1 ? "s" : "", MiB(s.owed), MiB(*s.host.available_bytes))});
}

// Why memory should come back before anything else happens.
Reasons Shortages(const DestroySituation& s) {
  Reasons reasons;
  AddPressure(s, reasons);
  AddScarcity(s, reasons);
  AddDebt(s, reasons);
  return reasons;
}

// Why memory should come back as soon as it is clean, piece by piece.
Reasons Tightness(const DestroySituation& s) {
  Reasons reasons;
  if (s.pressure == PressureLevel::kSome)
    reasons.push_back({Fallback::kPressure, "memory pressure is signalled"});
  const HostMemory& host = s.host;
  if (host.total_bytes && host.available_bytes && *host.available_bytes < Touched(s) &&
      *host.available_bytes < *host.total_bytes / kTightDivisor) {
    reasons.push_back(
        {Fallback::kLowMemory, absl::StrFormat("the guest holds %s and only %s are available",
                                               MiB(Touched(s)), MiB(*host.available_bytes))});
  }
  return reasons;
}

void Append(Reasons& reasons, Reasons others) {
  for (Reason& reason : others) reasons.push_back(std::move(reason));
}

DestroyDecision Decision(std::variant<RebootStrategy, ShutdownStrategy> strategy, bool lazy,
                         Reasons reasons) {
  DestroyDecision decision{strategy, lazy, Fallback::kNone, {}};
  if (!lazy) decision.fallback = reasons.front().fallback;
  for (Reason& reason : reasons) decision.reasons.push_back(std::move(reason.text));
  return decision;
}

Reason AskedFor(DestroyMode mode) {
  return {Fallback::kNone, mode == DestroyMode::kLazy ? "lazy destroy was asked for"
                                                      : "synchronous destroy was asked for"};
}

Reason ToClean(std::uint64_t bytes) {
  return {Fallback::kNone, absl::StrFormat("%s to clean in the background", MiB(bytes))};
}

Reasons WhyNotToSetAside(const DestroySituation& s) {
  Reasons reasons;
  if (s.pressure == PressureLevel::kSome)
    reasons.push_back({Fallback::kPressure,
                       "memory pressure is signalled: no guest is set aside while that lasts"});
  Append(reasons, Shortages(s));
  return reasons;
}

DestroyDecision SetAside(Reason reason, const DestroySituation& s, Reasons in_spite_of = {}) {
  Reasons reasons = {std::move(reason)};
  Append(reasons, std::move(in_spite_of));
  if (s.zombies > 0)
    reasons.push_back(
        {Fallback::kNone,
         absl::StrFormat("%u earlier li%s of the guest %s not clean yet", s.zombies,
                         s.zombies == 1 ? "fe" : "ves", s.zombies == 1 ? "is" : "are")});
  return Decision(RebootStrategy::kSetAside, true, std::move(reasons));
}

DestroyDecision Disable(Reasons reasons) {
  return Decision(RebootStrategy::kDisable, false, std::move(reasons));
}

DestroyDecision DecideReboot(const DestroySituation& s) {
  const DestroyMode mode = s.policy.reboot;
  if (mode == DestroyMode::kSync) return Disable({AskedFor(mode)});
  if (!CanPrepare(s)) return Disable({WhyNoPrepare(s)});
  if (mode == DestroyMode::kLazy) return SetAside(AskedFor(mode), s, WhyNotToSetAside(s));

  if (s.guest_memory <= kTwoGiB) {
    return Disable({{Fallback::kSmallGuest,
                     absl::StrFormat("nothing would be left to clean of %s in the background",
                                     MiB(s.guest_memory))}});
  }
  if (Touched(s) <= kHardlyAnything) {
    return Disable(
        {{Fallback::kSmallGuest,
          absl::StrFormat("only %s were touched: they are clean at once", MiB(Touched(s)))}});
  }
  if (Reasons reasons = WhyNotToSetAside(s); !reasons.empty()) return Disable(std::move(reasons));
  return SetAside(ToClean(std::min(Touched(s), s.guest_memory - kTwoGiB)), s);
}

DestroyDecision Sync(Reasons reasons) {
  return Decision(ShutdownStrategy::kSync, false, std::move(reasons));
}

DestroyDecision Bulk(Reasons reasons) {
  return Decision(ShutdownStrategy::kBulk, true, std::move(reasons));
}

DestroyDecision Exit(Reason reason, const DestroySituation& s) {
  DestroyDecision decision = Decision(ShutdownStrategy::kExit, s.has_reaper, {std::move(reason)});
  if (s.has_reaper) return decision;
  decision.fallback = Fallback::kNoReaper;
  decision.reasons.push_back("there is no reaper: the memory is back when this process has ended");
  return decision;
}

// There is memory to give back, but nothing to clean.
DestroyDecision DecideShutdownOfPlainMemory(const DestroySituation& s) {
  Reason nothing = {Fallback::kNone, "the guest has no secure memory: there is nothing to clean"};
  if (s.policy.shutdown == DestroyMode::kSync)
    return Sync({AskedFor(DestroyMode::kSync), std::move(nothing)});
  if (!s.has_reaper) return Exit(std::move(nothing), s);
  return Bulk({std::move(nothing)});
}

// Why PREPARE and PERFORM with memory given back behind them are not possible.
std::optional<std::string> WhyNoTrickle(const DestroySituation& s) {
  if (!CanPrepare(s)) return WhyNoPrepare(s).text;
  if (!s.is_protected || s.zombies > 0) return "earlier lives of the guest are not clean yet";
  return std::nullopt;
}

DestroyDecision DecideLazyShutdown(const DestroySituation& s, Reasons shortages) {
  Reasons reasons = {s.policy.shutdown == DestroyMode::kLazy ? AskedFor(DestroyMode::kLazy)
                                                             : ToClean(Touched(s))};
  Append(shortages, Tightness(s));
  if (shortages.empty()) return Bulk(std::move(reasons));
  Append(reasons, std::move(shortages));
  const std::optional<std::string> why_not = WhyNoTrickle(s);
  if (!why_not) return Decision(ShutdownStrategy::kTrickle, true, std::move(reasons));
  reasons.push_back(
      {Fallback::kNone, absl::StrCat("memory comes back only when all is clean: ", *why_not)});
  return Bulk(std::move(reasons));
}

DestroyDecision DecideShutdown(const DestroySituation& s) {
  if (s.cannot_destroy)
    return Exit({Fallback::kNone,
                 "the guest could not be destroyed before: the rest is left to the kernel"},
                s);
  if (!s.is_protected && s.zombies == 0) return DecideShutdownOfPlainMemory(s);

  const DestroyMode mode = s.policy.shutdown;
  if (mode == DestroyMode::kSync) return Sync({AskedFor(mode)});
  // DISABLE is quicker than what the kernel does at the end of a process, and whoever issues it can
  // be seen by the OOM killer.
  if (!s.has_reaper)
    return Sync({{Fallback::kNoReaper, "there is no reaper to clean in the background"}});
  // The reaper does not need the kernel's asynchronous destroy, but who has it switched off for the
  // whole host does not expect it.
  if (mode == DestroyMode::kAuto && !s.kernel_can) return Sync({WhyNoPrepare(s)});
  Reasons shortages = Shortages(s);
  if (mode == DestroyMode::kAuto && !shortages.empty()) return Sync(std::move(shortages));
  return DecideLazyShutdown(s, std::move(shortages));
}

absl::Status BadPolicy(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("destroy policy \"", text,
                   "\": expected auto, lazy or sync, or reboot=MODE and shutdown=MODE"));
}

}  // namespace

std::optional<DestroyMode> ParseDestroyMode(absl::string_view name) {
  for (DestroyMode mode : {DestroyMode::kAuto, DestroyMode::kLazy, DestroyMode::kSync})
    if (name == DestroyModeName(mode)) return mode;
  return std::nullopt;
}

absl::string_view DestroyModeName(DestroyMode mode) {
  switch (mode) {
    case DestroyMode::kAuto:
      return "auto";
    case DestroyMode::kLazy:
      return "lazy";
    case DestroyMode::kSync:
      return "sync";
  }
  return "unknown";
}

absl::string_view TeardownKindName(TeardownKind kind) {
  return kind == TeardownKind::kReboot ? "reboot" : "shutdown";
}

absl::StatusOr<DestroyPolicy> ParseDestroyPolicy(absl::string_view text) {
  if (const std::optional<DestroyMode> both = ParseDestroyMode(text))
    return DestroyPolicy{*both, *both};
  std::optional<DestroyMode> reboot;
  std::optional<DestroyMode> shutdown;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> item =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    std::optional<DestroyMode>& mode = item.first == "reboot" ? reboot : shutdown;
    if ((item.first != "reboot" && item.first != "shutdown") || mode) return BadPolicy(text);
    mode = ParseDestroyMode(item.second);
    if (!mode) return BadPolicy(text);
  }
  return DestroyPolicy{reboot.value_or(DestroyMode::kAuto), shutdown.value_or(DestroyMode::kAuto)};
}

std::string FormatDestroyPolicy(const DestroyPolicy& policy) {
  return absl::StrCat("reboot=", DestroyModeName(policy.reboot),
                      ",shutdown=", DestroyModeName(policy.shutdown));
}

absl::string_view FallbackName(Fallback fallback) {
  switch (fallback) {
    case Fallback::kNone:
      return "none";
    case Fallback::kNoCapability:
      return "no-capability";
    case Fallback::kMemoryLimit:
      return "memory-limit";
    case Fallback::kSmallGuest:
      return "small-guest";
    case Fallback::kLowMemory:
      return "low-memory";
    case Fallback::kPressure:
      return "pressure";
    case Fallback::kDebt:
      return "debt";
    case Fallback::kNoReaper:
      return "no-reaper";
    case Fallback::kSlotTaken:
      return "slot-taken";
    case Fallback::kPrepareFailed:
      return "prepare-failed";
    case Fallback::kPerformFailed:
      return "perform-failed";
  }
  return "unknown";
}

absl::string_view StrategyName(RebootStrategy strategy) {
  return strategy == RebootStrategy::kSetAside ? "set-aside" : "disable";
}

absl::string_view StrategyName(ShutdownStrategy strategy) {
  switch (strategy) {
    case ShutdownStrategy::kBulk:
      return "bulk";
    case ShutdownStrategy::kTrickle:
      return "trickle";
    case ShutdownStrategy::kExit:
      return "exit";
    case ShutdownStrategy::kSync:
      return "sync";
  }
  return "unknown";
}

absl::string_view DestroyDecision::strategy_name() const {
  return std::visit([](auto value) { return StrategyName(value); }, strategy);
}

std::string DestroyDecision::ToString() const {
  return absl::StrCat(TeardownKindName(kind()), ": ", strategy_name(),
                      lazy ? " (lazy): " : " (synchronous): ", absl::StrJoin(reasons, "; "));
}

DestroyDecision DecideDestroy(const DestroySituation& situation) {
  return situation.kind == TeardownKind::kReboot ? DecideReboot(situation)
                                                 : DecideShutdown(situation);
}

}  // namespace lethe
