#include "pv/ledger/ledger_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lethe {
namespace {

// Set to an absolute path, as the XDG Base Directory Specification demands.
absl::string_view DirectoryVariable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? value : "";
}

std::string What(const std::string& path) { return absl::StrCat("ledger directory '", path, "'"); }

// Linux, open(2): with O_NOFOLLOW, O_DIRECTORY on a symbolic link fails with ENOTDIR.
int OpenDirectory(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

}  // namespace

std::string DefaultLedgerDirectory() {
  const uid_t user = ::geteuid();
  if (user == 0) return "/run/lethe";
  if (const auto runtime = DirectoryVariable("XDG_RUNTIME_DIR"); !runtime.empty())
    return absl::StrCat(runtime, "/lethe");
  const auto temporary = DirectoryVariable("TMPDIR");
  return absl::StrCat(temporary.empty() ? "/tmp" : temporary, "/lethe-", user);
}

absl::StatusOr<LedgerDirectory> OpenLedgerDirectory(const std::string& path, bool make) {
  const uid_t user = ::geteuid();
  const mode_t mode = user == 0 ? 0755 : 0700;
  if (make && ::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make the ", What(path)));
  LedgerDirectory directory;
  directory.fd = UniqueFd(OpenDirectory(path));
  if (!directory.fd && errno == ENOENT && !make) return directory;
  if (!directory.fd)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open the ", What(path)));

  struct stat information;
  if (::fstat(directory.fd.get(), &information) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at the ", What(path)));
  directory.owner = information.st_uid;
  if (directory.owner != user && directory.owner != 0)
    return absl::PermissionDeniedError(absl::StrCat("the ", What(path), " belongs to user ",
                                                    directory.owner,
                                                    "; it must belong to root or to user ", user));
  if ((information.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return absl::PermissionDeniedError(absl::StrCat(
        "the ", What(path), " can be written to by others; take that right away (chmod go-w)"));
  return directory;
}

}  // namespace lethe
