#include "emulated-host/kvm/user_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace lethe::emulated {
namespace {

using Transfer = ssize_t (*)(pid_t, const iovec*, unsigned long, const iovec*, unsigned long,
                             unsigned long);

// User-mode emulators of other machines do not offer the system calls for another process's
// memory. A pipe checks addresses as well: what is written to it comes from the caller's memory,
// and what is read goes there. As much at a time as a pipe takes at once.
constexpr std::size_t kPipeful = 4096;

int MoveThroughPipe(const void* from, void* to, std::size_t size) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return -EFAULT;
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  for (std::size_t done = 0; done < size;) {
    const std::size_t length = std::min(size - done, kPipeful);
    const auto expected = static_cast<ssize_t>(length);
    if (write(in.get(), static_cast<const char*>(from) + done, length) != expected) return -EFAULT;
    if (read(out.get(), static_cast<char*>(to) + done, length) != expected) return -EFAULT;
    done += length;
  }
  return 0;
}

// The system call stops at the first bad page and says how far it got.
int Move(Transfer transfer, void* ours, void* theirs, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const iovec local{static_cast<char*>(ours) + done, size - done};
    const iovec remote{static_cast<char*>(theirs) + done, size - done};
    const ssize_t moved = transfer(getpid(), &local, 1, &remote, 1, 0);
    if (moved < 0 && errno == ENOSYS) return -ENOSYS;
    if (moved <= 0) return -EFAULT;
    done += static_cast<std::size_t>(moved);
  }
  return 0;
}

}  // namespace

int CopyFromUser(void* to, std::uintptr_t from, std::size_t size) {
  void* const theirs = reinterpret_cast<void*>(from);
  const int error = Move(&process_vm_readv, to, theirs, size);
  return error == -ENOSYS ? MoveThroughPipe(theirs, to, size) : error;
}

int CopyToUser(std::uintptr_t to, const void* from, std::size_t size) {
  void* const theirs = reinterpret_cast<void*>(to);
  const int error = Move(&process_vm_writev, const_cast<void*>(from), theirs, size);
  return error == -ENOSYS ? MoveThroughPipe(from, theirs, size) : error;
}

}  // namespace lethe::emulated
