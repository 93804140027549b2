#ifndef LETHE_PV_LEDGER_LEDGER_H_
#define LETHE_PV_LEDGER_LEDGER_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "base/uuid.h"
#include "pv/ledger/ledger_record.h"
#include "pv/ledger/ledger_snapshot.h"
#include "pv/ledger/ledger_totals.h"
#include "pv/ledger/shared_mapping.h"

namespace lethe {

struct LedgerGuest {
  std::string name;  // IsGuestName (pv/ledger/ledger_names.h)
  Uuid uuid = {};
  std::uint64_t memory_bytes = 0;
};

// A guest's own entry: a mapped record and the descriptor of its file, on which a lock says that
// somebody is responsible for it. Lock and mapping belong to the open file description, which a
// process made by clone(2) shares: the entry is owned until the last of them has closed the
// descriptor *and* given up the mapping, which the kernel does after it has freed the memory that
// they share.
class LedgerEntry {
 public:
  // An entry in no ledger: nobody sees it and fd() is -1. For hosts without a usable directory.
  static absl::StatusOr<LedgerEntry> Unlisted(const LedgerGuest& guest);

  LedgerEntry(LedgerEntry&&) = default;
  LedgerEntry& operator=(LedgerEntry&&) = delete;
  // Unless handed over: enters "released" and gives the entry up.
  ~LedgerEntry();

  LedgerRecord& record() const { return *static_cast<LedgerRecord*>(mapping_.address()); }
  int fd() const { return fd_.get(); }
  const std::string& id() const { return id_; }  // LedgerSnapshot::id; empty: unlisted

  // For the end of a VMM that leaves the rest to its reaper: from now on destruction neither enters
  // anything, nor unmaps the record, nor closes the descriptor.
  void HandOver() { handed_over_ = true; }

 private:
  friend class Ledger;
  LedgerEntry(std::string id, UniqueFd fd, SharedMapping mapping)
      : id_(std::move(id)), fd_(std::move(fd)), mapping_(std::move(mapping)) {}

  std::string id_;
  UniqueFd fd_;
  SharedMapping mapping_;
  bool handed_over_ = false;
};

// A directory of entries, one file per guest of this host (or of this user), and one file of
// totals. Any number of processes read and write it at the same time.
//
// Who is believed: entries of the directory's owner, of root and of the reader's own user. The
// directory must belong to root or to the reader's user and be writable to its owner only. Files
// are readable by everybody who can reach the directory; a file that is not a well-formed entry is
// ignored. Only the owner (a write lock, which needs write access) can make an entry look alive.
//
// Safe for use by several threads.
class Ledger {
 public:
  static constexpr std::chrono::minutes kTombstoneLifetime{10};

  // Makes the directory (not its parents) if it is not there. `directory`: empty: the default,
  // DefaultLedgerDirectory() in pv/ledger/ledger_directory.h.
  static absl::StatusOr<std::unique_ptr<Ledger>> Open(const std::string& directory);
  // Makes nothing: a directory that does not exist is an empty ledger.
  static absl::StatusOr<std::unique_ptr<Ledger>> OpenForReading(const std::string& directory);
  ~Ledger() { totals_.release(); }

  // A visible entry in state kStarting, owned by the caller. ResourceExhausted if the file system
  // is full: all space is claimed here, so that the record can be written to ever after.
  absl::StatusOr<LedgerEntry> AddEntry(const LedgerGuest& guest);

  // All entries, oldest first. Sweeps as far as permissions go: entries without an owner become
  // tombstones ("died", or "released" if that was how they were to end), tombstones past their time
  // are removed. `ignored`: if given, receives one line for each file that is not believed.
  absl::StatusOr<std::vector<LedgerSnapshot>> Read(std::vector<std::string>* ignored = nullptr);

  // The host-wide counters to add to, never null. If there is no room or no right to keep them they
  // are counted in vain. Mapped for the rest of the process, since a reaper that shares its memory
  // goes on counting.
  LedgerTotals* totals() const { return static_cast<LedgerTotals*>(totals_.address()); }
  // A copy of the counters, for those who only may read. NotFound: none were ever kept.
  absl::Status ReadTotals(LedgerTotals& totals);

  // Held by who decides on an admission, across the processes of this ledger. Ends with the
  // returned descriptor. Unavailable (try again) while somebody else has it.
  absl::StatusOr<UniqueFd> TryLockAdmission();

  const std::string& directory() const { return directory_; }

 private:
  Ledger(std::string directory, UniqueFd fd, uid_t owner)
      : directory_(std::move(directory)), fd_(std::move(fd)), owner_(owner) {}

  static absl::StatusOr<std::unique_ptr<Ledger>> Open(const std::string& directory, bool make);
  absl::Status MapTotals(bool make);
  absl::Status MakeTotals(bool replace);
  absl::StatusOr<LedgerSnapshot> ReadEntry(const std::string& id, std::uint64_t now_ns);

  const std::string directory_;
  const UniqueFd fd_;  // none: the directory does not exist
  const uid_t owner_;
  SharedMapping totals_;
};

// CLOCK_REALTIME, in nanoseconds: what records are dated with.
std::uint64_t LedgerNow();

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_H_
