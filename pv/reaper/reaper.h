#ifndef LETHE_PV_REAPER_REAPER_H_
#define LETHE_PV_REAPER_REAPER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/survivor.h"
#include "base/unique_fd.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_totals.h"
#include "pv/reaper/helper_block.h"
#include "pv/shutdown_strategy.h"

namespace lethe {

struct ReaperOptions {
  std::string name;  // the guest's, for the process title

  // The VM. Null: nothing of the memory is secure; the helper only gives it back.
  std::unique_ptr<kvm::Survivor> survivor;

  // The guest's memory, which starts at absolute 0: whole pages. `memory_fd` is the memory file
  // that backs it from offset 0 on; -1: private memory.
  absl::Span<std::uint8_t> memory;
  int memory_fd = -1;

  // Further descriptors that stay open in the helper, besides those that the survivor needs: those
  // whose open file description is to live as long as the helper (the ledger entry and its lock).
  std::vector<int> descriptors;

  ShutdownStrategy strategy = ShutdownStrategy::kBulk;  // until SetStrategy: that of a crash
  ReaperPriority priority = ReaperPriority::kIdle;
  std::vector<int> pressure_triggers;   // PSI triggers: POLLPRI, with POLLERR when dead
  std::uint64_t chunk_size = 64 << 20;  // bytes released between two looks at the pressure
  std::optional<std::string> cgroup;    // directory of the cgroup that the helper is moved to
  absl::Span<char> arguments;           // the area of argv, for the process title; may be empty

  // The guest's entry, mapped at least until this process ends; null: not listed. Start enters the
  // helper's id. The helper tells there what it does, in the states "dying" (which a VMM that ends
  // by itself has entered before; else it was a crash) and "released"; without the latter the
  // kernel gives back what is left while the helper ends.
  LedgerRecord* record = nullptr;
  // Counts, pages, time in the background and fallbacks are added there by the helper; null: not
  // counted. The time in the foreground is the VMM's to add.
  LedgerTotals* totals = nullptr;
};

// A process that shares the memory of this one, the VMM, and outlives it: it cleans the guest's
// memory and gives it back after this process has ended, however that happened. The VMM itself is
// gone within milliseconds then, whatever the size of the guest (what is left of the memory belongs
// to the helper).
//
// The helper is made before any guest code runs. It has its own descriptors, session, signal state
// (everything blocked) and stacks, no capabilities, a system call filter, and everything it will
// ever need; after the VMM's end it takes no lock and allocates nothing. The kernel lets it command
// the VM because it asks for the memory, not for the process that made the VM.
//
// Start it after the last fork(2) of the VMM (--daemonize): the helper watches the calling process
// and shares its memory. Start it from the main thread: the thread pointer is shared with the
// calling thread, whose thread-local storage should live as long as the process.
//
// A SIGKILL of the helper is no loss but of time: whoever shares the memory last gives it back,
// page by page. (Supervisors that kill a whole cgroup do that; hence ReaperOptions::cgroup.)
class Reaper {
 public:
  // Returns when the helper is ready: confined, and watching this process.
  static absl::StatusOr<std::unique_ptr<Reaper>> Start(ReaperOptions options);

  // Dismisses the helper. A VMM that wants its reaper to do its work ends with _exit(2), or keeps
  // this object alive up to its end.
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // False: something has killed the helper, or it was dismissed; the VMM's end will take as long as
  // its memory needs. Any thread.
  bool alive() const;
  pid_t pid() const { return pid_; }  // any thread; also of a helper that is gone

  // What the helper does when this process ends. Any thread, any time.
  void SetStrategy(ShutdownStrategy strategy);

  // Ends the helper and waits for its end; it touches nothing. It holds the VM no more afterwards.
  // The owner's thread.
  void Dismiss();

  // What could not be had, a line each; the reaper works without.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  // The block and both stacks, each stack above a guard page.
  class Memory {
   public:
    static absl::StatusOr<Memory> Map();
    Memory(Memory&& other) noexcept;
    Memory& operator=(Memory&&) = delete;
    ~Memory();

    HelperBlock& block() const;
    void* master_stack_top() const;
    void* worker_stack_top() const;

   private:
    explicit Memory(void* base) : base_(base) {}
    void* base_;
  };

  Reaper(Memory memory, std::unique_ptr<kvm::Survivor> survivor, std::vector<sock_filter> filter);

  absl::Status OpenDescriptors(const ReaperOptions& options);
  void FillBlock(const ReaperOptions& options);
  absl::Status KeepDescriptors(const ReaperOptions& options);
  absl::Status Clone();
  absl::Status AwaitReady();
  void MoveToCgroup(const std::string& directory);
  void Reap();

  Memory memory_;
  std::unique_ptr<kvm::Survivor> survivor_;
  std::vector<sock_filter> filter_;
  std::vector<std::string> warnings_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;  // readable when the helper has ended
  bool reaped_ = false;
  UniqueFd dismiss_;
  UniqueFd status_;                      // our end
  std::vector<UniqueFd> of_the_helper_;  // until it has its copies
};

}  // namespace lethe

#endif  // LETHE_PV_REAPER_REAPER_H_
