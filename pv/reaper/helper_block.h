#ifndef LETHE_PV_REAPER_HELPER_BLOCK_H_
#define LETHE_PV_REAPER_HELPER_BLOCK_H_

#include <linux/filter.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "accel/kvm-s390/survivor.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_totals.h"
#include "pv/shutdown_strategy.h"

namespace lethe {

enum class ReaperPriority : std::uint32_t {
  kIdle,    // SCHED_IDLE, raised to normal under memory pressure where that is permitted
  kNormal,  // as the VMM
};

// What the worker is asked to do.
enum class WorkerTask : std::uint32_t { kCommand, kClose };

// The steps of the helper's start, in order, as it reports a failed one.
enum class HelperStep : std::uint32_t {
  kSession,
  kDescriptors,
  kCapabilities,
  kNoNewPrivileges,
  kWorker,
  kFilter,
  kReady,
};

// What the helper writes to its status pipe, once.
struct HelperReport {
  HelperStep step;
  std::uint32_t error;  // errno value; 0 with kReady
  std::uint32_t oom_score_adj_error;
  std::uint32_t may_raise_priority;
};

inline constexpr std::size_t kMaxPressureTriggers = 4;
inline constexpr std::size_t kMaxKeptDescriptors = 32;

// All memory that the helper uses besides its two stacks: filled in by the VMM before the helper is
// made, then the helper's; only `strategy` is still written by the VMM.
struct HelperBlock {
  // The VM. The memory starts at the guest's absolute 0.
  kvm::Survivor* survivor = nullptr;
  std::uint8_t* memory = nullptr;
  std::uint64_t memory_size = 0;
  std::uint64_t chunk_size = 0;
  int memory_fd = -1;

  // Descriptors of the helper.
  int vmm_pidfd = -1;
  int dismiss_fd = -1;  // eventfd: the VMM wants the helper to end
  int status_fd = -1;   // pipe: HelperReport
  int work_fd = -1;     // eventfd: the worker has a task
  int done_fd = -1;     // eventfd: the worker has done it
  int oom_score_adj_fd = -1;
  std::array<int, kMaxPressureTriggers> pressure_fds = {};
  std::size_t pressure_count = 0;
  std::array<int, kMaxKeptDescriptors> kept = {};  // all that stay open, in order
  std::size_t kept_count = 0;

  ReaperPriority priority = ReaperPriority::kIdle;
  sock_fprog filter = {};
  void* worker_stack_top = nullptr;

  // The process title, and the memory of the process's arguments that shows it.
  std::array<char, 256> title = {};
  char* arguments = nullptr;
  std::size_t arguments_size = 0;

  LedgerRecord* record = nullptr;
  LedgerTotals* totals = nullptr;  // null: nobody counts
  std::atomic<ShutdownStrategy> strategy = ShutdownStrategy::kBulk;

  // From the master to the worker and back; ordered by the eventfds.
  long worker_id = 0;
  WorkerTask task = WorkerTask::kCommand;
  abi::kvm_pv_cmd command = {};
  int result = 0;

  LedgerRecord unlisted = {};  // where `record` points to when there is none

  std::array<std::uint8_t, 16384> residency = {};  // of mincore(2)
};

}  // namespace lethe

#endif  // LETHE_PV_REAPER_HELPER_BLOCK_H_
