#include "emulated-host/kvm/user_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lethe::emulated {
namespace {

using Transfer = ssize_t (*)(pid_t, const iovec*, unsigned long, const iovec*, unsigned long,
                             unsigned long);

// The system call stops at the first bad page and says how far it got.
int Move(Transfer transfer, void* ours, void* theirs, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const iovec local{static_cast<char*>(ours) + done, size - done};
    const iovec remote{static_cast<char*>(theirs) + done, size - done};
    const ssize_t moved = transfer(getpid(), &local, 1, &remote, 1, 0);
    if (moved <= 0) return -EFAULT;
    done += static_cast<std::size_t>(moved);
  }
  return 0;
}

}  // namespace

int CopyFromUser(void* to, std::uintptr_t from, std::size_t size) {
  return Move(&process_vm_readv, to, reinterpret_cast<void*>(from), size);
}

int CopyToUser(std::uintptr_t to, const void* from, std::size_t size) {
  return Move(&process_vm_writev, const_cast<void*>(from), reinterpret_cast<void*>(to), size);
}

}  // namespace lethe::emulated
