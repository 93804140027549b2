#include "pv/ledger/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <tuple>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "pv/ledger/ledger_directory.h"
#include "pv/ledger/ledger_names.h"

namespace lethe {
namespace {

constexpr absl::string_view kEntryPrefix = "guest-";
constexpr absl::string_view kUnfinishedPrefix = "new-";
constexpr char kTotalsFile[] = "totals";
constexpr char kAdmissionFile[] = "admission";
constexpr std::time_t kUnfinishedLifetimeSeconds = 60;

// Bytes of an entry file that locks stand on. These are locks of the open file description, not of
// the process (Linux, fcntl(2), F_OFD_SETLK): they pass to whoever shares it, and end with it.
constexpr off_t kOwnerByte = 0;    // held by who is responsible for the guest
constexpr off_t kSweeperByte = 1;  // held for an instant by who turns the entry into a tombstone

struct flock LockOf(short type, off_t byte) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// A write lock, which needs a descriptor that can write. 0, or an errno value.
int TryLock(int fd, off_t byte) {
  struct flock lock = LockOf(F_WRLCK, byte);
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

// Takes no lock. Asking for a read lock sees write locks only: who may merely read an entry cannot
// make it look owned. In doubt there is an owner.
bool HasOwner(int fd) {
  struct flock lock = LockOf(F_RDLCK, kOwnerByte);
  return ::fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

// Unique among the files of a directory for all practical purposes.
std::string FreshSuffix() {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) random = LedgerNow();
  return absl::StrFormat("%d-%016x", ::getpid(), random);
}

// Reads all of `target`, or says that there is less.
bool ReadWhole(int fd, void* target, std::size_t bytes) {
  ssize_t count;
  do {
    count = ::pread(fd, target, bytes, 0);
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(bytes);
}

// A file under a name that readers pass over, until it is complete.
struct UnfinishedFile {
  std::string name;
  UniqueFd fd;
  SharedMapping mapping;
};

// `bytes` zeros, all of them claimed from the file system: it cannot be too full later.
absl::StatusOr<UnfinishedFile> MakeUnfinished(int directory, std::size_t bytes) {
  UnfinishedFile file;
  file.name = absl::StrCat(kUnfinishedPrefix, FreshSuffix());
  file.fd = UniqueFd(::openat(directory, file.name.c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.fd) return absl::ErrnoToStatus(errno, "cannot make a file");
  absl::Cleanup remove = [&] { ::unlinkat(directory, file.name.c_str(), 0); };
  if (const int error = TryLock(file.fd.get(), kOwnerByte))
    return absl::ErrnoToStatus(error, "cannot lock a file");
  if (const int error = ::posix_fallocate(file.fd.get(), 0, static_cast<off_t>(bytes)))
    return absl::ErrnoToStatus(error, absl::StrCat("no room for ", bytes, " bytes"));
  if (::fchmod(file.fd.get(), 0644) != 0)
    return absl::ErrnoToStatus(errno, "cannot set a file's permissions");
  LETHE_ASSIGN_OR_RETURN(file.mapping, SharedMapping::OfFile(file.fd.get(), bytes));
  std::move(remove).Cancel();
  return file;
}

absl::Status CheckGuest(const LedgerGuest& guest) {
  if (IsGuestName(guest.name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", guest.name, "' cannot name a guest; 1 to ",
                                                 LedgerRecord::kNameBytes - 1,
                                                 " letters, digits and . _ - + @ : are accepted"));
}

void FillRecord(void* memory, const LedgerGuest& guest) {
  auto* const record = new (memory) LedgerRecord{};
  const std::uint64_t now = LedgerNow();
  record->magic = LedgerRecord::kMagic;
  record->version = LedgerRecord::kVersion;
  record->bytes = sizeof(LedgerRecord);
  record->memory_bytes = guest.memory_bytes;
  record->created_ns = now;
  std::memcpy(record->name, guest.name.data(), guest.name.size());
  std::memcpy(record->uuid, guest.uuid.data(), guest.uuid.size());
  record->pid.store(static_cast<std::uint32_t>(::getpid()));
  EnterState(*record, LedgerState::kStarting, now);
}

bool AreTotals(const LedgerTotals& totals) {
  return totals.magic == LedgerTotals::kMagic && totals.version == LedgerTotals::kVersion &&
         totals.bytes == sizeof(LedgerTotals);
}

// Why the file behind `fd` cannot be one of the ledger's, if so.
std::optional<std::string> CheckFile(int fd, uid_t directory_owner, std::size_t bytes,
                                     struct stat& information) {
  if (::fstat(fd, &information) != 0) return "it cannot be looked at";
  if (!S_ISREG(information.st_mode)) return "not a regular file";
  const uid_t owner = information.st_uid;
  if (owner != 0 && owner != directory_owner && owner != ::geteuid())
    return absl::StrCat("it belongs to user ", owner);
  if (information.st_size != static_cast<off_t>(bytes))
    return absl::StrCat("it has ", information.st_size, " bytes instead of ", bytes);
  return std::nullopt;
}

// Enters the last state for an owner that cannot any more. The state, if it was this call that did.
std::optional<LedgerState> Bury(int directory, const std::string& id, std::uint64_t now_ns) {
  const UniqueFd fd(::openat(directory, id.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd || TryLock(fd.get(), kSweeperByte) != 0) return std::nullopt;
  LedgerRecord record;
  if (!ReadWhole(fd.get(), &record, sizeof record) || CheckRecord(record)) return std::nullopt;
  if (record.state.load() >= LedgerState::kReleased) return std::nullopt;
  const LedgerState last = WithoutOwner(record.state.load(), record.strategy.load());
  static_assert(sizeof last == sizeof record.state && sizeof now_ns == sizeof record.since_ns);
  if (::pwrite(fd.get(), &now_ns, sizeof now_ns, offsetof(LedgerRecord, since_ns)) !=
          sizeof now_ns ||
      ::pwrite(fd.get(), &last, sizeof last, offsetof(LedgerRecord, state)) != sizeof last)
    return std::nullopt;
  return last;
}

// Left by a process that was killed while it made an entry.
void SweepUnfinished(int directory, const std::string& name) {
  const UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat information;
  if (!fd || ::fstat(fd.get(), &information) != 0 || !S_ISREG(information.st_mode)) return;
  if (information.st_mtime + kUnfinishedLifetimeSeconds > ::time(nullptr)) return;
  if (!HasOwner(fd.get())) ::unlinkat(directory, name.c_str(), 0);
}

absl::StatusOr<std::vector<std::string>> NamesIn(int directory) {
  UniqueFd fd(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, "cannot list it");
  DIR* const stream = ::fdopendir(fd.get());
  if (stream == nullptr) return absl::ErrnoToStatus(errno, "cannot list it");
  fd.release();  // the stream's now
  absl::Cleanup close = [stream] { ::closedir(stream); };
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

}  // namespace

std::uint64_t LedgerNow() {
  timespec now;
  LETHE_CHECK(::clock_gettime(CLOCK_REALTIME, &now) == 0);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

absl::StatusOr<LedgerEntry> LedgerEntry::Unlisted(const LedgerGuest& guest) {
  LETHE_RETURN_IF_ERROR(CheckGuest(guest));
  LETHE_ASSIGN_OR_RETURN(SharedMapping mapping, SharedMapping::OfZeros(sizeof(LedgerRecord)));
  FillRecord(mapping.address(), guest);
  return LedgerEntry("", UniqueFd(), std::move(mapping));
}

LedgerEntry::~LedgerEntry() {
  if (mapping_.address() == nullptr) return;  // moved from
  if (handed_over_) {
    mapping_.release();
    fd_.release();
  } else if (record().state.load() < LedgerState::kReleased) {
    EnterReleased(record(), LedgerNow());
  }
}

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Open(const std::string& directory) {
  return Open(directory, /*make=*/true);
}

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::OpenForReading(const std::string& directory) {
  return Open(directory, /*make=*/false);
}

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Open(const std::string& directory, bool make) {
  const std::string path = directory.empty() ? DefaultLedgerDirectory() : directory;
  LETHE_ASSIGN_OR_RETURN(LedgerDirectory opened, OpenLedgerDirectory(path, make));
  auto ledger = std::unique_ptr<Ledger>(new Ledger(path, std::move(opened.fd), opened.owner));
  if (!ledger->MapTotals(make).ok()) {
    LETHE_ASSIGN_OR_RETURN(ledger->totals_, SharedMapping::OfZeros(sizeof(LedgerTotals)));
  }
  return ledger;
}

absl::Status Ledger::MapTotals(bool make) {
  constexpr int kAttempts = 8;  // others make and replace the file at the same time
  for (int attempt = 0; fd_ && attempt < kAttempts; ++attempt) {
    const UniqueFd file(
        ::openat(fd_.get(), kTotalsFile, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    const bool missing = !file && errno == ENOENT;
    if (!file && !missing) return absl::ErrnoToStatus(errno, "cannot open the totals");
    if (file) {
      struct stat information;
      LedgerTotals totals;
      if (!CheckFile(file.get(), owner_, sizeof totals, information) &&
          ReadWhole(file.get(), &totals, sizeof totals) && AreTotals(totals)) {
        LETHE_ASSIGN_OR_RETURN(totals_, SharedMapping::OfFile(file.get(), sizeof totals));
        return absl::OkStatus();
      }
    }
    if (!make) break;
    LETHE_RETURN_IF_ERROR(MakeTotals(/*replace=*/!missing));
  }
  return absl::UnavailableError("no totals");
}

absl::Status Ledger::MakeTotals(bool replace) {
  LETHE_ASSIGN_OR_RETURN(const UnfinishedFile file,
                         MakeUnfinished(fd_.get(), sizeof(LedgerTotals)));
  absl::Cleanup remove = [&] { ::unlinkat(fd_.get(), file.name.c_str(), 0); };
  auto* const totals = new (file.mapping.address()) LedgerTotals{};
  totals->magic = LedgerTotals::kMagic;
  totals->version = LedgerTotals::kVersion;
  totals->bytes = sizeof(LedgerTotals);
  const int result = replace ? ::renameat(fd_.get(), file.name.c_str(), fd_.get(), kTotalsFile)
                             : ::linkat(fd_.get(), file.name.c_str(), fd_.get(), kTotalsFile, 0);
  if (result != 0 && errno != EEXIST) return absl::ErrnoToStatus(errno, "cannot make the totals");
  return absl::OkStatus();
}

absl::StatusOr<LedgerEntry> Ledger::AddEntry(const LedgerGuest& guest) {
  LETHE_RETURN_IF_ERROR(CheckGuest(guest));
  const std::string context = absl::StrCat("ledger directory '", directory_, "'");
  if (!fd_) return absl::FailedPreconditionError(absl::StrCat(context, ": it does not exist"));
  absl::StatusOr<UnfinishedFile> file = MakeUnfinished(fd_.get(), sizeof(LedgerRecord));
  if (!file.ok()) return Annotate(file.status(), context);
  FillRecord(file->mapping.address(), guest);
  std::string id = absl::StrCat(kEntryPrefix, file->name.substr(kUnfinishedPrefix.size()));
  if (::renameat(fd_.get(), file->name.c_str(), fd_.get(), id.c_str()) != 0) {
    const absl::Status status = absl::ErrnoToStatus(errno, context);
    ::unlinkat(fd_.get(), file->name.c_str(), 0);
    return status;
  }
  totals()->guests_started.fetch_add(1, std::memory_order_relaxed);
  return LedgerEntry(std::move(id), std::move(file->fd), std::move(file->mapping));
}

// NotFound: gone meanwhile. Else an error's message says why the file is not believed.
absl::StatusOr<LedgerSnapshot> Ledger::ReadEntry(const std::string& id, std::uint64_t now_ns) {
  const UniqueFd fd(
      ::openat(fd_.get(), id.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return absl::NotFoundError("it is gone");
  if (!fd) return absl::InvalidArgumentError(std::strerror(errno));
  struct stat information;
  if (auto wrong = CheckFile(fd.get(), owner_, sizeof(LedgerRecord), information))
    return absl::InvalidArgumentError(*wrong);
  // In this order: if there is no owner, what is read after is the last word.
  const bool owned = HasOwner(fd.get());
  LedgerRecord record;
  if (!ReadWhole(fd.get(), &record, sizeof record))
    return absl::InvalidArgumentError("it was cut off");
  if (auto wrong = CheckRecord(record)) return absl::InvalidArgumentError(*wrong);

  LedgerSnapshot snapshot = MakeSnapshot(record, owned, now_ns);
  snapshot.id = id;
  snapshot.owner_uid = information.st_uid;
  if (owned) return snapshot;
  if (record.state.load() < LedgerState::kReleased) {
    if (Bury(fd_.get(), id, now_ns) == LedgerState::kDied)
      totals()->owners_died.fetch_add(1, std::memory_order_relaxed);
  } else if (snapshot.in_state > kTombstoneLifetime) {
    ::unlinkat(fd_.get(), id.c_str(), 0);
    return absl::NotFoundError("its time is up");
  }
  return snapshot;
}

absl::StatusOr<std::vector<LedgerSnapshot>> Ledger::Read(std::vector<std::string>* ignored) {
  std::vector<LedgerSnapshot> entries;
  if (!fd_) return entries;
  absl::StatusOr<std::vector<std::string>> names = NamesIn(fd_.get());
  if (!names.ok())
    return Annotate(names.status(), absl::StrCat("ledger directory '", directory_, "'"));
  const std::uint64_t now = LedgerNow();
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, kUnfinishedPrefix)) SweepUnfinished(fd_.get(), name);
    if (!absl::StartsWith(name, kEntryPrefix)) continue;
    absl::StatusOr<LedgerSnapshot> entry = ReadEntry(name, now);
    if (entry.ok()) {
      entries.push_back(*std::move(entry));
    } else if (ignored != nullptr && !absl::IsNotFound(entry.status())) {
      ignored->push_back(absl::StrCat(directory_, "/", name, ": ", entry.status().message()));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created_ns, a.id) < std::tie(b.created_ns, b.id);
  });
  return entries;
}

absl::Status Ledger::ReadTotals(LedgerTotals& totals) {
  const std::string context = absl::StrCat("totals in '", directory_, "'");
  const UniqueFd file(
      fd_ ? ::openat(fd_.get(), kTotalsFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1);
  if (!fd_ || (!file && errno == ENOENT)) return absl::NotFoundError(context);
  if (!file) return absl::ErrnoToStatus(errno, context);
  struct stat information;
  if (auto wrong = CheckFile(file.get(), owner_, sizeof totals, information))
    return absl::InvalidArgumentError(absl::StrCat(context, ": ", *wrong));
  if (!ReadWhole(file.get(), &totals, sizeof totals) || !AreTotals(totals))
    return absl::InvalidArgumentError(absl::StrCat(context, ": not of this version"));
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Ledger::TryLockAdmission() {
  if (!fd_) return absl::FailedPreconditionError("the ledger's directory does not exist");
  UniqueFd file(::openat(fd_.get(), kAdmissionFile,
                         O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (!file) return absl::ErrnoToStatus(errno, "cannot open the ledger's admission file");
  const int error = TryLock(file.get(), kOwnerByte);
  if (error == EAGAIN || error == EACCES)
    return absl::UnavailableError("somebody else decides on an admission");
  if (error != 0) return absl::ErrnoToStatus(error, "cannot lock the ledger's admission file");
  return file;
}

}  // namespace lethe
