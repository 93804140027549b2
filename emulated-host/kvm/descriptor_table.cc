#include "emulated-host/kvm/descriptor_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace lethe::emulated {

int DescriptorTable::Install(UniqueFd fd, std::shared_ptr<KernelFile> file) {
  const int number = fd.get();
  if (announce_) announce_(number);
  Entry previous;
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[number];
  previous = std::exchange(entry, Entry{std::move(fd), std::move(file)});
  // Somebody closed the number behind our back: it is the new descriptor's.
  previous.fd.release();
  return number;
}

std::shared_ptr<KernelFile> DescriptorTable::Find(int fd) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(fd);
  return entry == entries_.end() ? nullptr : entry->second.file;
}

bool DescriptorTable::Close(int fd) {
  Entry closed;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(fd);
    if (entry == entries_.end()) return false;
    closed = std::move(entry->second);
    entries_.erase(entry);
  }
  // The file goes first and outside of the lock: the end of a machine takes its time.
  closed.file.reset();
  return true;
}

void DescriptorTable::CloseAll() {
  std::map<int, Entry> closed;
  {
    const std::lock_guard lock(mutex_);
    closed.swap(entries_);
  }
}

UniqueFd MakeMemoryDescriptor(const char* name, std::size_t size) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC));
  if (fd && size != 0 && ftruncate(fd.get(), static_cast<off_t>(size)) != 0) fd.reset();
  return fd;
}

}  // namespace lethe::emulated
