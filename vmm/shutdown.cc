#include "vmm/shutdown.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "pv/ledger/ledger.h"
#include "pv/pressure_trigger.h"

namespace lethe::vmm {
namespace {

// An ordinary guest: nothing is secure, the reaper only gives the memory back.
DestroyDecision NothingToDestroy(bool has_reaper) {
  DestroyDecision decision;
  decision.strategy = has_reaper ? ShutdownStrategy::kBulk : ShutdownStrategy::kSync;
  decision.lazy = has_reaper;
  decision.reasons.emplace_back("this host has no protected guests");
  return decision;
}

bool NeedsReaper(ShutdownStrategy strategy) {
  return strategy == ShutdownStrategy::kBulk || strategy == ShutdownStrategy::kTrickle;
}

// It has been killed since the decision was made, or while it was.
void WithoutReaper(DestroyDecision& decision) {
  decision.strategy = ShutdownStrategy::kSync;
  decision.lazy = false;
  decision.fallback = Fallback::kNoReaper;
  decision.reasons.insert(decision.reasons.begin(), "the reaper is gone");
}

}  // namespace

void Shutdown::StartReaper(const ReaperConfig& config, const std::string& guest_name,
                           GuestMemory& memory, std::unique_ptr<kvm::Survivor> survivor,
                           bool may_be_secure) {
  if (!config.wanted) return;
  reaper_cleans_ = survivor != nullptr || !may_be_secure;
  ReaperOptions options;
  options.name = guest_name;
  options.survivor = std::move(survivor);
  options.memory = memory.bytes();
  options.memory_fd = memory.file();
  options.descriptors.insert(options.descriptors.end(), config.descriptors.begin(),
                             config.descriptors.end());
  if (account_.record_descriptor >= 0) options.descriptors.push_back(account_.record_descriptor);
  options.priority = config.priority;
  if (!config.cgroup.empty()) options.cgroup = config.cgroup;
  options.arguments = config.arguments;
  options.record = account_.record;
  options.totals = account_.totals;
  // Of its own: a trigger tells of each event once.
  const std::vector<UniqueFd> triggers = OpenStallTriggers();
  for (const UniqueFd& trigger : triggers) options.pressure_triggers.push_back(trigger.get());
  if (!reaper_cleans_) options.strategy = ShutdownStrategy::kExit;
  auto reaper = Reaper::Start(std::move(options));
  if (!reaper.ok()) {
    log_.Warning(
        absl::StrCat("no reaper, so the end of this process takes as long as its memory "
                     "needs: ",
                     reaper.status().message()));
    return;
  }
  reaper_ = *std::move(reaper);
  for (const std::string& warning : reaper_->warnings()) log_.Debug(warning);
}

std::optional<pid_t> Shutdown::reaper_pid() const {
  if (reaper_ == nullptr) return std::nullopt;
  return reaper_->pid();
}

absl::Status Shutdown::Carry(Protection* protection, absl::string_view reason,
                             std::optional<std::uint64_t> touched) {
  const auto begun = std::chrono::steady_clock::now();
  DestroyDecision decision =
      protection != nullptr ? protection->DecideShutdown() : NothingToDestroy(reaper_alive());
  if (NeedsReaper(decision.shutdown()) && !reaper_alive()) WithoutReaper(decision);
  if (NeedsReaper(decision.shutdown()) && !reaper_cleans_)
    decision.strategy = ShutdownStrategy::kExit;
  EnterDying(decision, touched);
  // Also for the foreground: should this process be killed over it, the reaper goes on.
  if (reaper_ != nullptr)
    reaper_->SetStrategy(reaper_cleans_ ? decision.shutdown() : ShutdownStrategy::kExit);
  left_to_reaper_ = decision.shutdown() != ShutdownStrategy::kSync && reaper_alive();
  if (left_to_reaper_) {
    CountForeground(decision.shutdown(), std::chrono::steady_clock::now() - begun);
    return absl::OkStatus();
  }
  absl::Status status =
      protection != nullptr ? protection->End(reason, decision) : absl::OkStatus();
  if (reaper_ != nullptr) reaper_->Dismiss();
  return status;
}

void Shutdown::LeaveAsItIs(std::optional<std::uint64_t> touched) {
  DestroyDecision decision;
  decision.strategy =
      reaper_alive() && reaper_cleans_ ? ShutdownStrategy::kBulk : ShutdownStrategy::kExit;
  EnterDying(decision, touched);
  left_to_reaper_ = true;
}

// All else about this end is counted by the reaper.
void Shutdown::CountForeground(ShutdownStrategy strategy, std::chrono::nanoseconds time) {
  if (account_.totals == nullptr) return;
  account_.totals->of(TeardownCounterOf(strategy))
      .foreground_ns.fetch_add(static_cast<std::uint64_t>(time.count()), std::memory_order_relaxed);
}

void Shutdown::EnterDying(const DestroyDecision& decision, std::optional<std::uint64_t> touched) {
  if (account_.record == nullptr) return;
  lethe::EnterDying(*account_.record, touched.value_or(0) / kLedgerPageBytes,
                    LedgerStrategyOf(decision.shutdown()), LedgerNow());
}

}  // namespace lethe::vmm
