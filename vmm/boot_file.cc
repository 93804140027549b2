#include "vmm/boot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace lethe::vmm {

absl::StatusOr<BootFile> BootFile::Open(const std::string& path) {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return absl::ErrnoToStatus(errno, path);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return absl::ErrnoToStatus(errno, path);
  if (!S_ISREG(status.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  if (status.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": empty file"));
  return BootFile(path, std::move(file), static_cast<std::uint64_t>(status.st_size));
}

absl::Status BootFile::ReadBytes(std::uint64_t offset, absl::Span<std::uint8_t> to) const {
  if (to.size() > size_ || offset > size_ - to.size())
    return absl::OutOfRangeError(absl::StrCat(path_, ": truncated"));
  for (std::size_t done = 0; done < to.size();) {
    const ssize_t count =
        pread(file_.get(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, path_);
    if (count == 0) return absl::OutOfRangeError(absl::StrCat(path_, ": truncated"));
    done += static_cast<std::size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status BootFile::Load(std::uint64_t offset, std::uint64_t length, GuestMemory& memory,
                            GuestAddress to) const {
  if (!memory.Contains(to, length)) {
    return Error(absl::StrCat("does not fit into the guest's memory of ", memory.size() >> 20,
                              " MiB (", length, " bytes at 0x", absl::Hex(to.value()), ")"));
  }
  if (length > size_ || offset > size_ - length) return Error("truncated");
  return Annotate(memory.LoadFromFile(file_, offset, length, to), path_);
}

absl::Status BootFile::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
}

}  // namespace lethe::vmm
