#ifndef LETHE_EMULATED_HOST_KVM_DESCRIPTOR_TABLE_H_
#define LETHE_EMULATED_HOST_KVM_DESCRIPTOR_TABLE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/unique_fd.h"
#include "emulated-host/kvm/kernel_file.h"

namespace lethe::emulated {

// The descriptors of the emulated kernel. Each is a real descriptor of the host, so that numbers
// are unique in the process and may be polled or passed to system calls that only name them. Safe
// for concurrent use; a file that is closed during a call lives until the call returns.
class DescriptorTable {
 public:
  // `announce`, unless it is empty, is told of each descriptor before Install() returns it.
  explicit DescriptorTable(std::function<void(int fd)> announce) : announce_(std::move(announce)) {}

  // The descriptor, which the table owns from now on.
  int Install(UniqueFd fd, std::shared_ptr<KernelFile> file);

  // nullptr when the descriptor is not ours.
  std::shared_ptr<KernelFile> Find(int fd) const;

  // The entry is gone and the host's descriptor closed; the file's last owner destroys it (in the
  // calling thread, when nobody is inside). False: not ours.
  bool Close(int fd);

  void CloseAll();

 private:
  struct Entry {
    UniqueFd fd;
    std::shared_ptr<KernelFile> file;
  };

  const std::function<void(int fd)> announce_;
  mutable std::mutex mutex_;
  std::map<int, Entry> entries_;
};

// A descriptor of the host with `size` bytes behind it (0: none), close-on-exec.
UniqueFd MakeMemoryDescriptor(const char* name, std::size_t size);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_DESCRIPTOR_TABLE_H_
