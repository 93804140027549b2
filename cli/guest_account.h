#ifndef LETHE_CLI_GUEST_ACCOUNT_H_
#define LETHE_CLI_GUEST_ACCOUNT_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/log.h"
#include "pv/event_sink.h"
#include "pv/ledger/admission.h"
#include "pv/ledger/ledger.h"
#include "pv/protection.h"
#include "vmm/shutdown.h"

namespace lethe {

// This guest in the ledger of the host: its entry, which follows its life, and what the ledger says
// about others. Without a usable directory the entry is seen by nobody, and nobody owes anything.
class GuestAccount : public EventSink {
 public:
  // `directory`: as --ledger. What cannot be had is a warning in the log.
  static absl::StatusOr<std::unique_ptr<GuestAccount>> Open(const std::string& directory,
                                                            const LedgerGuest& guest,
                                                            const Log& log);
  // Gives the entry up as released, unless it was handed over.
  ~GuestAccount() override;

  // Lets the guest in, now or once memory has come back, with its progress on standard error.
  // Errors: as Admission::Admit.
  absl::Status Admit(const AdmissionRequest& request, std::function<bool()> cancelled);

  vmm::TeardownAccount teardown_account() const;
  HostDebt debt();
  void Count(const TeardownOutcome& outcome);

  // Follows the guest: "first-instruction", "pause", "resume", "perform-begin",
  // "perform-end".
  void Report(const Event& event) override;
  // Enters how much memory the guest has in use, once a second, for as long as others count on it.
  // `touched` in bytes; may be called until StopWatching().
  void WatchMemory(std::function<std::optional<std::uint64_t>()> touched);
  void StopWatching();

  // The reaper has the entry from the end of this process on.
  void HandOver();

 private:
  GuestAccount(std::unique_ptr<Ledger> ledger, LedgerEntry entry, const Log& log)
      : log_(log), ledger_(std::move(ledger)), entry_(std::move(entry)) {}
  LedgerRecord& record() const { return entry_.record(); }

  const Log& log_;
  const std::unique_ptr<Ledger> ledger_;  // null: none
  LedgerEntry entry_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread watcher_;
};

}  // namespace lethe

#endif  // LETHE_CLI_GUEST_ACCOUNT_H_
