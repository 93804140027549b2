#include "cli/guest_account.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "cli/progress_bar.h"
#include "cli/quantity.h"
#include "pv/available_memory.h"

namespace lethe {
namespace {

constexpr auto kLookInterval = std::chrono::seconds(1);

std::string WaitingText(const AdmissionProgress& progress) {
  const LedgerDebt& debt = progress.debt;
  std::string text =
      absl::StrFormat("%s of %s available, %s owed", FormatSize(progress.available_bytes),
                      FormatSize(progress.need_bytes), FormatSize(debt.pages * kLedgerPageBytes));
  if (debt.pages_per_second > 0)
    absl::StrAppend(&text, ", ", FormatSize(debt.pages_per_second * kLedgerPageBytes), "/s");
  if (progress.ready_in) absl::StrAppend(&text, ", ready in ", FormatDuration(*progress.ready_in));
  return text;
}

double FractionOf(const AdmissionProgress& progress) {
  if (progress.short_at_first_bytes == 0) return 0;
  return 1 - static_cast<double>(progress.short_bytes) /
                 static_cast<double>(progress.short_at_first_bytes);
}

TeardownCounter CounterOf(const TeardownOutcome& outcome) {
  if (const auto* reboot = std::get_if<RebootStrategy>(&outcome.strategy)) {
    return *reboot == RebootStrategy::kSetAside ? TeardownCounter::kRebootSetAside
                                                : TeardownCounter::kRebootDisable;
  }
  return TeardownCounterOf(std::get<ShutdownStrategy>(outcome.strategy));
}

std::optional<FallbackCounter> CounterOf(Fallback fallback) {
  switch (fallback) {
    case Fallback::kNone:
      return std::nullopt;
    case Fallback::kNoCapability:
      return FallbackCounter::kNoCapability;
    case Fallback::kMemoryLimit:
      return FallbackCounter::kMemoryLimit;
    case Fallback::kSmallGuest:
      return FallbackCounter::kSmallGuest;
    case Fallback::kLowMemory:
      return FallbackCounter::kLowMemory;
    case Fallback::kDebt:
      return FallbackCounter::kZombieLimit;
    case Fallback::kPressure:
      return FallbackCounter::kPressure;
    case Fallback::kNoReaper:
      return FallbackCounter::kNoReaper;
    case Fallback::kSlotTaken:
      return FallbackCounter::kSlotTaken;
    case Fallback::kPerformFailed:
      return FallbackCounter::kPerformFailed;
    case Fallback::kPrepareFailed:
      return FallbackCounter::kPrepareFailed;
  }
  return FallbackCounter::kOther;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GuestAccount>> GuestAccount::Open(const std::string& directory,
                                                                 const LedgerGuest& guest,
                                                                 const Log& log) {
  if (directory != "none") {
    absl::StatusOr<std::unique_ptr<Ledger>> ledger = Ledger::Open(directory);
    absl::StatusOr<LedgerEntry> entry =
        ledger.ok() ? (*ledger)->AddEntry(guest) : absl::StatusOr<LedgerEntry>(ledger.status());
    if (entry.ok()) {
      return std::unique_ptr<GuestAccount>(
          new GuestAccount(*std::move(ledger), *std::move(entry), log));
    }
    log.Warning(absl::StrCat("the guest is not entered in a ledger: ", entry.status().message()));
  }
  LETHE_ASSIGN_OR_RETURN(LedgerEntry entry, LedgerEntry::Unlisted(guest));
  return std::unique_ptr<GuestAccount>(new GuestAccount(nullptr, std::move(entry), log));
}

GuestAccount::~GuestAccount() { StopWatching(); }

absl::Status GuestAccount::Admit(const AdmissionRequest& request, std::function<bool()> cancelled) {
  ProgressBar bar("lethe: waiting for memory", ProgressBar::StandardError());
  AdmissionWorld world = AdmissionWorld::Real(
      [] { return FindAvailableMemory(ReadHostMemory(), ReadCgroupMemory()); });
  world.cancelled = std::move(cancelled);
  world.progress = [&bar](const AdmissionProgress& progress) {
    bar.Update(FractionOf(progress), WaitingText(progress));
  };
  const auto outcome = Admission(ledger_.get(), std::move(world)).Admit(request, entry_);
  bar.Finish();
  if (!outcome.ok()) return outcome.status();
  if (!outcome->warning.empty()) log_.Warning(outcome->warning);
  if (outcome->waited > std::chrono::nanoseconds(0) && outcome->warning.empty())
    log_.Info(absl::StrCat("waited ", FormatDuration(outcome->waited), " for memory"));
  return absl::OkStatus();
}

vmm::TeardownAccount GuestAccount::teardown_account() const {
  return {&record(), entry_.fd(), ledger_ == nullptr ? nullptr : ledger_->totals()};
}

HostDebt GuestAccount::debt() {
  if (ledger_ == nullptr) return {};
  const auto entries = ledger_->Read();
  if (!entries.ok()) return {};
  const LedgerDebt debt = DebtOf(*entries);
  return {static_cast<unsigned>(debt.guests), debt.pages * kLedgerPageBytes};
}

void GuestAccount::Count(const TeardownOutcome& outcome) {
  if (ledger_ == nullptr) return;
  LedgerTotals& totals = *ledger_->totals();
  TeardownTotals& of_kind = totals.of(CounterOf(outcome));
  const auto nanoseconds = static_cast<std::uint64_t>(outcome.duration.count());
  if (outcome.part == TeardownOutcome::Part::kBackground) {
    of_kind.background_ns.fetch_add(nanoseconds, std::memory_order_relaxed);
  } else {
    of_kind.count.fetch_add(1, std::memory_order_relaxed);
    of_kind.foreground_ns.fetch_add(nanoseconds, std::memory_order_relaxed);
    of_kind.pages.fetch_add(outcome.pages.value_or(0), std::memory_order_relaxed);
  }
  if (const auto fallback = CounterOf(outcome.fallback))
    totals.of(*fallback).fetch_add(1, std::memory_order_relaxed);
}

void GuestAccount::Report(const Event& event) {
  if (event.name == "first-instruction" || event.name == "resume") {
    EnterState(record(), LedgerState::kRunning, LedgerNow());
  } else if (event.name == "pause") {
    EnterState(record(), LedgerState::kPaused, LedgerNow());
  } else if (event.name == "perform-begin") {
    record().set_aside.fetch_add(1, std::memory_order_relaxed);
  } else if (event.name == "perform-end") {
    record().set_aside.fetch_sub(1, std::memory_order_relaxed);
  }
}

void GuestAccount::WatchMemory(std::function<std::optional<std::uint64_t>()> touched) {
  if (ledger_ == nullptr) return;
  watcher_ = std::thread([this, touched = std::move(touched)] {
    pthread_setname_np(pthread_self(), "ledger");
    const auto end = std::chrono::steady_clock::now() + kPromiseLifetime;
    std::unique_lock lock(mutex_);
    while (!stop_ && std::chrono::steady_clock::now() < end) {
      if (const auto bytes = touched())
        record().touched_pages.store(*bytes / kLedgerPageBytes, std::memory_order_relaxed);
      changed_.wait_for(lock, kLookInterval, [this] { return stop_; });
    }
  });
}

void GuestAccount::StopWatching() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

void GuestAccount::HandOver() { entry_.HandOver(); }

}  // namespace lethe
