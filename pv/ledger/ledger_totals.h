#ifndef LETHE_PV_LEDGER_LEDGER_TOTALS_H_
#define LETHE_PV_LEDGER_LEDGER_TOTALS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "pv/shutdown_strategy.h"

namespace lethe {

// What the counters tell apart. New members go before kCount, with a name in ledger_names.cc and
// a new LedgerTotals::kVersion.
enum class TeardownCounter : std::uint32_t {
  kRebootSetAside,
  kRebootDisable,
  kShutdownBulk,
  kShutdownTrickle,
  kShutdownExit,
  kShutdownSync,
  kCrash,  // the VMM was killed; its reaper or the kernel cleaned up
  kCount,
};

// Of a VMM that came to its end by itself. Inlined, also for the reaper.
[[gnu::always_inline]] inline constexpr TeardownCounter TeardownCounterOf(
    ShutdownStrategy strategy) {
  switch (strategy) {
    case ShutdownStrategy::kBulk:
      return TeardownCounter::kShutdownBulk;
    case ShutdownStrategy::kTrickle:
      return TeardownCounter::kShutdownTrickle;
    case ShutdownStrategy::kExit:
      return TeardownCounter::kShutdownExit;
    case ShutdownStrategy::kSync:
      break;
  }
  return TeardownCounter::kShutdownSync;
}

// Why a teardown that might have been lazy was not.
enum class FallbackCounter : std::uint32_t {
  kNoCapability,  // KVM_CAP_S390_PROTECTED_ASYNC_DISABLE
  kMemoryLimit,   // of the VM, at most 2 GiB
  kSmallGuest,    // not worth it
  kLowMemory,     // host or control group
  kPressure,      // pressure stall information
  kZombieLimit,   // too many configurations being destroyed already
  kSlotTaken,     // the slot for a set-aside configuration did not become free in time
  kPrepareFailed,
  kPerformFailed,
  kNoReaper,
  kOther,
  kCount,
};

enum class AdmissionCounter : std::uint32_t {
  kAtOnce,        // enough was available
  kAfterWaiting,  // ... after memory had come back
  kShort,         // started although memory was short
  kRefused,
  kCount,
};

struct TeardownTotals {
  std::atomic<std::uint64_t> count;
  std::atomic<std::uint64_t> foreground_ns;  // reboot: the pause; shutdown: request to stopped
  std::atomic<std::uint64_t> background_ns;  // until everything was clean, or released
  std::atomic<std::uint64_t> pages;          // cleaned (reboot) or returned (shutdown)
};

// Host-wide counters since the ledger's directory was made: one file that all processes map shared.
// Relaxed fetch_add from anywhere, also from a reaper; they only ever grow.
struct LedgerTotals {
  static constexpr std::uint64_t kMagic = 0x4c65746865546f74;  // "LetheTot" on a big-endian host
  static constexpr std::uint32_t kVersion = 1;

  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t bytes;
  TeardownTotals teardowns[static_cast<std::size_t>(TeardownCounter::kCount)];
  std::atomic<std::uint64_t> fallbacks[static_cast<std::size_t>(FallbackCounter::kCount)];
  std::atomic<std::uint64_t> admissions[static_cast<std::size_t>(AdmissionCounter::kCount)];
  std::atomic<std::uint64_t> admission_wait_ns;  // spent waiting, by all
  std::atomic<std::uint64_t> guests_started;
  std::atomic<std::uint64_t> owners_died;  // entries found without an owner and not released

  TeardownTotals& of(TeardownCounter counter) {
    return teardowns[static_cast<std::size_t>(counter)];
  }
  std::atomic<std::uint64_t>& of(FallbackCounter counter) {
    return fallbacks[static_cast<std::size_t>(counter)];
  }
  std::atomic<std::uint64_t>& of(AdmissionCounter counter) {
    return admissions[static_cast<std::size_t>(counter)];
  }
};

static_assert(std::is_standard_layout_v<LedgerTotals> &&
              std::is_trivially_destructible_v<LedgerTotals>);
static_assert(sizeof(LedgerTotals) < 4096);

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_TOTALS_H_
