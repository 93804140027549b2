#ifndef LETHE_VMM_SHUTDOWN_H_
#define LETHE_VMM_SHUTDOWN_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/survivor.h"
#include "base/log.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_totals.h"
#include "pv/protection.h"
#include "pv/reaper/reaper.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

struct ReaperConfig {
  bool wanted = false;
  ReaperPriority priority = ReaperPriority::kIdle;
  std::string cgroup = {};  // directory; empty: that of the VMM
  // Descriptors whose last close takes long: the reaper closes them, not the VMM's end.
  std::vector<int> descriptors = {};
  absl::Span<char> arguments = {};  // of this process, for the reaper's title
};

// Where the end of a guest is entered. Null pointers: nowhere.
struct TeardownAccount {
  LedgerRecord* record = nullptr;
  int record_descriptor = -1;  // its lock says that somebody is responsible
  LedgerTotals* totals = nullptr;
};

// How the process gets rid of its guest when the guest has ended for good: in the foreground, or by
// leaving it to the reaper. Used by the thread that owns the machine.
class Shutdown {
 public:
  // `log` and what `account` points to outlive this.
  Shutdown(const Log& log, TeardownAccount account) : log_(log), account_(account) {}

  // Starts the reaper; without one the log says why. On the main thread, before guest code runs.
  // `may_be_secure`: the host has protected guests. Then a reaper without a survivor cannot clean,
  // and must not give back: it only ends after this process, and the kernel does the rest.
  void StartReaper(const ReaperConfig& config, const std::string& guest_name, GuestMemory& memory,
                   std::unique_ptr<kvm::Survivor> survivor, bool may_be_secure);
  // Any thread, once the reaper was started or not.
  bool reaper_alive() const { return reaper_ != nullptr && reaper_->alive(); }
  std::optional<pid_t> reaper_pid() const;

  // The guest has stopped and none of its CPUs runs any more. `protection` may be null (a host
  // without protected guests). Afterwards either all that was secure is clean, or the reaper knows
  // what to do once this process has ended.
  absl::Status Carry(Protection* protection, absl::string_view reason,
                     std::optional<std::uint64_t> touched);
  // Instead of Carry: a CPU does not come out of the guest, so nobody can tear the VM down before
  // this process is killed.
  void LeaveAsItIs(std::optional<std::uint64_t> touched);
  // The process is to end at once, with its memory as it is.
  bool left_to_reaper() const { return left_to_reaper_; }

 private:
  void CountForeground(ShutdownStrategy strategy, std::chrono::nanoseconds time);
  void EnterDying(const DestroyDecision& decision, std::optional<std::uint64_t> touched);

  const Log& log_;
  const TeardownAccount account_;
  std::unique_ptr<Reaper> reaper_;
  bool reaper_cleans_ = true;
  bool left_to_reaper_ = false;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_SHUTDOWN_H_
