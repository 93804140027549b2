#include "vmm/guest_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

absl::StatusOr<UniqueFd> CreateMemoryFile(std::uint64_t size) {
  UniqueFd file(memfd_create("lethe-guest-memory", MFD_CLOEXEC));
  if (!file) return absl::ErrnoToStatus(errno, "cannot create the guest's memory file");
  if (ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot size the guest's memory file to ",
                                                   size / kMemoryIncrement, " MiB"));
  }
  return file;
}

std::uint8_t* AlignUp(std::uint8_t* address, std::uintptr_t alignment) {
  const auto value = reinterpret_cast<std::uintptr_t>(address);
  return address + ((alignment - value % alignment) % alignment);
}

}  // namespace

absl::StatusOr<GuestMemory> GuestMemory::Create(std::uint64_t size, MemoryBacking backing) {
  LETHE_CHECK(size != 0 && size % kMemoryIncrement == 0);
  UniqueFd file;
  if (backing == MemoryBacking::kShared) {
    LETHE_ASSIGN_OR_RETURN(file, CreateMemoryFile(size));
  }
  // Reserve one increment more than needed, so that an aligned base lies within.
  const std::size_t reserved = size + kMemoryIncrement;
  void* const reservation =
      mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reservation == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot reserve ", size / kMemoryIncrement,
                                                   " MiB of address space for the guest"));
  }
  auto* const start = static_cast<std::uint8_t*>(reservation);
  std::uint8_t* const base = AlignUp(start, kMemoryIncrement);
  GuestMemory memory(start, reserved, base, size, std::move(file));

  const int flags =
      MAP_FIXED | MAP_NORESERVE | (memory.file_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
  const int descriptor = memory.file_ ? memory.file_.get() : -1;
  if (mmap(base, size, PROT_READ | PROT_WRITE, flags, descriptor, 0) == MAP_FAILED) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot map ", size / kMemoryIncrement, " MiB for the guest"));
  }
  return memory;
}

GuestMemory::GuestMemory(std::uint8_t* reservation, std::size_t reserved, std::uint8_t* base,
                         std::uint64_t size, UniqueFd file)
    : reservation_(reservation),
      reserved_(reserved),
      base_(base),
      size_(size),
      file_(std::move(file)) {}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : reservation_(std::exchange(other.reservation_, nullptr)),
      reserved_(other.reserved_),
      base_(other.base_),
      size_(other.size_),
      file_(std::move(other.file_)) {}

GuestMemory::~GuestMemory() {
  if (reservation_ != nullptr) munmap(reservation_, reserved_);
}

bool GuestMemory::CopyOut(GuestAddress from, absl::Span<std::uint8_t> to) const {
  if (!Contains(from, to.size())) return false;
  std::memcpy(to.data(), base_ + from.value(), to.size());
  return true;
}

bool GuestMemory::CopyIn(GuestAddress to, absl::Span<const std::uint8_t> from) {
  if (!Contains(to, from.size())) return false;
  std::memcpy(base_ + to.value(), from.data(), from.size());
  return true;
}

std::optional<std::uint64_t> GuestMemory::touched() const {
  if (!file_) {
    // Documentation/filesystems/proc.rst, statm: size and resident, in pages.
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    if (!(std::ifstream("/proc/self/statm") >> size >> resident)) return std::nullopt;
    return std::min(size_, resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  }
  struct stat status;
  if (fstat(file_.get(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

absl::Status GuestMemory::LoadFromFile(const UniqueFd& file, std::uint64_t offset,
                                       std::uint64_t length, GuestAddress to) {
  if (!Contains(to, length)) {
    return absl::InvalidArgumentError(absl::StrCat(length, " bytes at ", absl::Hex(to.value()),
                                                   " do not fit into the guest's memory"));
  }
  for (std::uint64_t done = 0; done < length;) {
    const ssize_t count = pread(file.get(), base_ + to.value() + done, length - done,
                                static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "cannot read");
    if (count == 0) return absl::DataLossError("the file ends early");
    done += static_cast<std::uint64_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace lethe::vmm
