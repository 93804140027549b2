#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace lethe {

absl::StatusOr<Bytes> ReadFile(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read '", path, "'"));
  struct stat information;
  if (::fstat(fd.get(), &information) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read '", path, "'"));
  if (!S_ISREG(information.st_mode))
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a regular file"));
  const auto size = static_cast<std::size_t>(information.st_size);
  if (size > limit)
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has ", size, " bytes; at most ", limit, " are accepted"));
  Bytes content(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(fd.get(), content.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read '", path, "'"));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  content.resize(done);
  return content;
}

absl::Status WriteFile(const std::string& path, absl::Span<const std::uint8_t> content,
                       unsigned mode) {
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", path, "'"));
  absl::Cleanup remove = [&] { ::unlink(temporary.c_str()); };
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::write(fd.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", path, "'"));
    done += static_cast<std::size_t>(count);
  }
  if (::fchmod(fd.get(), mode) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", path, "'"));
  std::move(remove).Cancel();
  return absl::OkStatus();
}

}  // namespace lethe
