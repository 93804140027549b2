#include "accel/kvm-s390/linux_kernel.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "base/system_call.h"

namespace lethe::kvm {
namespace {

void InterruptOnly(int) {}

int ResultOf(int result) { return result < 0 ? -errno : result; }

class LinuxSurvivor final : public Survivor {
 public:
  LinuxSurvivor(int vm_fd, std::vector<RunArea> run_areas)
      : vm_fd_(vm_fd), run_areas_(std::move(run_areas)) {}

  Needs needs() const override { return {.descriptors = {vm_fd_}}; }

  int Command(abi::kvm_pv_cmd& command) override {
    return static_cast<int>(
        SystemCall(SYS_ioctl, vm_fd_, abi::KVM_S390_PV_COMMAND, Argument(&command)));
  }

  void Close() override {
    for (const RunArea& area : run_areas_)
      SystemCall(SYS_munmap, Argument(area.address), static_cast<long>(area.length));
    SystemCall(SYS_close, vm_fd_);
  }

 private:
  const int vm_fd_;
  const std::vector<RunArea> run_areas_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LinuxKernel>> LinuxKernel::Create(int kick_signal) {
  struct sigaction action = {};
  action.sa_handler = InterruptOnly;  // no SA_RESTART: KVM_RUN must return
  struct sigaction previous;
  if (sigaction(kick_signal, &action, &previous) != 0)
    return absl::ErrnoToStatus(errno, "the signal that interrupts vCPUs");
  return std::unique_ptr<LinuxKernel>(new LinuxKernel(kick_signal, previous));
}

LinuxKernel::LinuxKernel(int kick_signal, const struct sigaction& previous)
    : kick_signal_(kick_signal), previous_(previous) {}

LinuxKernel::~LinuxKernel() { sigaction(kick_signal_, &previous_, nullptr); }

int LinuxKernel::Open(const char* path, int flags) {
  return ResultOf(::open(path, flags | O_CLOEXEC));
}

int LinuxKernel::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  return ResultOf(::ioctl(fd, request, argument));
}

std::intptr_t LinuxKernel::Map(int fd, std::size_t length) {
  void* address = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return address == MAP_FAILED ? -errno : reinterpret_cast<std::intptr_t>(address);
}

int LinuxKernel::Unmap(void* address, std::size_t length) {
  return ResultOf(::munmap(address, length));
}

int LinuxKernel::Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) {
  return ResultOf(::poll(descriptors, count, timeout_milliseconds));
}

int LinuxKernel::Kick(int, pthread_t thread) { return -pthread_kill(thread, kick_signal_); }

int LinuxKernel::Close(int fd) { return ResultOf(::close(fd)); }

std::unique_ptr<Survivor> LinuxKernel::MakeSurvivor(int vm_fd, std::vector<RunArea> run_areas) {
  return std::make_unique<LinuxSurvivor>(vm_fd, std::move(run_areas));
}

}  // namespace lethe::kvm
