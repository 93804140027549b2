#include "pv/reaper/guest_pages.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "base/system_call.h"

namespace lethe {
namespace {

constexpr std::uint64_t kBlockSize = 512;  // stx_blocks, whatever the file system's is

}  // namespace

std::uint64_t GuestPages::CountAll() const {
  return block_.memory_fd >= 0 ? FilePages() : Count(0, size());
}

std::uint64_t GuestPages::Count(std::uint64_t from, std::uint64_t to) const {
  const std::uint64_t step = block_.residency.size() * kLedgerPageBytes;
  std::uint64_t present = 0;
  for (std::uint64_t at = from; at < to; at += step) {
    const std::uint64_t length = std::min(step, to - at);
    if (SystemCall(SYS_mincore, Argument(block_.memory + at), static_cast<long>(length),
                   Argument(block_.residency.data())) != 0)
      continue;
    const std::uint64_t pages = length / kLedgerPageBytes;
    for (std::uint64_t page = 0; page < pages; ++page) present += block_.residency[page] & 1;
  }
  return present;
}

std::int64_t GuestPages::Release(std::uint64_t from, std::uint64_t to) {
  return block_.memory_fd >= 0 ? Punch(from, to) : Discard(from, to);
}

std::int64_t GuestPages::Punch(std::uint64_t from, std::uint64_t to) {
  const std::uint64_t before = FilePages();
  if (SystemCall(SYS_fallocate, block_.memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 static_cast<long>(from), static_cast<long>(to - from)) != 0)
    return -1;
  return static_cast<std::int64_t>(before - std::min(before, FilePages()));
}

std::int64_t GuestPages::Discard(std::uint64_t from, std::uint64_t to) {
  const auto present = static_cast<std::int64_t>(Count(from, to));
  const long start = Argument(block_.memory + from);
  const auto length = static_cast<long>(to - from);
  if (SystemCall(SYS_madvise, start, length, MADV_DONTNEED) == 0) return present;
  // Locked memory cannot be discarded, but unmapped.
  return SystemCall(SYS_munmap, start, length) == 0 ? present : -1;
}

std::uint64_t GuestPages::FilePages() const {
  struct statx status;
  status.stx_blocks = 0;
  SystemCall(SYS_statx, block_.memory_fd, Argument(""), AT_EMPTY_PATH, STATX_BLOCKS,
             Argument(&status));
  return status.stx_blocks * kBlockSize / kLedgerPageBytes;
}

}  // namespace lethe
