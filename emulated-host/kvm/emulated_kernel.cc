#include "emulated-host/kvm/emulated_kernel.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/string_view.h"
#include "emulated-host/kvm/system_device.h"
#include "emulated-host/kvm/virtual_cpu.h"

namespace lethe::emulated {

EmulatedKernel::EmulatedKernel(EmulatedKernelOptions options)
    : host_(std::make_unique<Host>(std::move(options))) {}

EmulatedKernel::~EmulatedKernel() {
  for (const auto& copy : copies_) {
    if (const std::shared_ptr<DescriptorCopy> alive = copy.lock()) alive->file.reset();
  }
  mappings_.clear();
  host_->descriptors().CloseAll();
}

int EmulatedKernel::Open(const char* path, int) {
  if (absl::string_view(path) != "/dev/kvm") return -ENOENT;
  UniqueFd fd = MakeMemoryDescriptor("kvm", 0);
  if (!fd) return -errno;
  return host_->descriptors().Install(std::move(fd), std::make_shared<SystemDevice>(*host_));
}

int EmulatedKernel::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  const std::shared_ptr<KernelFile> file = host_->descriptors().Find(fd);
  return file ? file->Ioctl(request, argument) : -EBADF;
}

std::intptr_t EmulatedKernel::Map(int fd, std::size_t length) {
  std::shared_ptr<KernelFile> file = host_->descriptors().Find(fd);
  if (!file) return -EBADF;
  if (file->map_size() == 0) return -ENODEV;
  if (length == 0 || length > file->map_size()) return -EINVAL;
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return -errno;
  HoldForMapping(address, std::move(file));
  return reinterpret_cast<std::intptr_t>(address);
}

int EmulatedKernel::Unmap(void* address, std::size_t length) {
  if (munmap(address, length) != 0) return -errno;
  NoteUnmapping(address);
  return 0;
}

int EmulatedKernel::NoteMapping(int fd, void* address) {
  std::shared_ptr<KernelFile> file = host_->descriptors().Find(fd);
  if (!file) return -EBADF;
  if (file->map_size() == 0) return -ENODEV;
  HoldForMapping(address, std::move(file));
  return 0;
}

void EmulatedKernel::NoteUnmapping(void* address) {
  std::map<void*, std::shared_ptr<KernelFile>>::node_type last;  // ends outside of the lock
  const std::lock_guard lock(mappings_mutex_);
  last = mappings_.extract(address);
}

void EmulatedKernel::HoldForMapping(void* address, std::shared_ptr<KernelFile> file) {
  const std::lock_guard lock(mappings_mutex_);
  mappings_[address].swap(file);
}

int EmulatedKernel::Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) {
  const int result = poll(descriptors, count, timeout_milliseconds);
  return result < 0 ? -errno : result;
}

int EmulatedKernel::Kick(int vcpu_fd, pthread_t thread) {
  const std::shared_ptr<KernelFile> file = host_->descriptors().Find(vcpu_fd);
  if (!file) return -EBADF;
  file->Kick(thread);
  return 0;
}

void EmulatedKernel::NoteSignal() { VirtualCpu::NoteSignal(); }

int EmulatedKernel::Close(int fd) {
  if (host_->descriptors().Close(fd)) return 0;
  return close(fd) == 0 ? 0 : -errno;
}

int EmulatedKernel::Adopt(int fd, int copy) {
  std::shared_ptr<KernelFile> file = host_->descriptors().Find(fd);
  if (!file) return -EBADF;
  host_->descriptors().Install(UniqueFd(copy), std::move(file));
  return 0;
}

std::unique_ptr<kvm::Survivor> EmulatedKernel::MakeSurvivor(int vm_fd,
                                                            std::vector<kvm::RunArea> run_areas) {
  const std::shared_ptr<KernelFile> file = host_->descriptors().Find(vm_fd);
  if (!file) return nullptr;
  const auto copy = std::make_shared<DescriptorCopy>(DescriptorCopy{file});
  {
    const std::lock_guard lock(copies_mutex_);
    std::erase_if(copies_, [](const auto& other) { return other.expired(); });
    copies_.push_back(copy);
  }
  return file->MakeSurvivor(vm_fd, std::move(run_areas), copy);
}

}  // namespace lethe::emulated
