#include "cli/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace lethe {

absl::StatusOr<std::unique_ptr<PidFile>> PidFile::Write(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write the pid file '", path, "'"));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the pid file '", path, "' belongs to a process that runs"));
  }
  const std::string text = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(file.get(), 0) != 0 ||
      ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write the pid file '", path, "'"));
  return std::unique_ptr<PidFile>(new PidFile(path, std::move(file)));
}

PidFile::~PidFile() { ::unlink(path_.c_str()); }

}  // namespace lethe
