#include "preload/client_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "preload/emulated_machine.h"

namespace lethe::preload {
namespace {

constexpr std::size_t kRunPageSize = 4096;

bool BelongsHere(const EmulatedMachine& machine) { return machine.process() == getpid(); }

void Complain(absl::string_view message) {
  std::fprintf(stderr, "lethe: no emulated KVM: %.*s\n", static_cast<int>(message.size()),
               message.data());
}

}  // namespace

// Null, with a message: it cannot be made.
EmulatedMachine* ClientProcess::Make() {
  const absl::StatusOr<Settings> settings =
      ReadSettings([](const char* name) -> const char* { return secure_getenv(name); });
  if (!settings.ok()) {
    Complain(settings.status().message());
    return nullptr;
  }
  // The kernel announces descriptors from its first Open() on, when the machine is known.
  absl::StatusOr<std::unique_ptr<EmulatedMachine>> machine =
      EmulatedMachine::Make(*settings, [this](int fd) { owners_.Set(fd, machine_.load()); });
  if (!machine.ok()) {
    Complain(machine.status().message());
    return nullptr;
  }
  return machine->release();
}

EmulatedMachine* ClientProcess::Current() {
  const std::lock_guard lock(making_);
  EmulatedMachine* machine = machine_.load();
  if (machine == nullptr || !BelongsHere(*machine)) {
    machine = Make();
    if (machine != nullptr) machine_.store(machine);
  }
  return machine;
}

std::optional<int> ClientProcess::Open(const char* path, int flags) {
  if (path == nullptr || absl::string_view(path) != "/dev/kvm") return std::nullopt;
  EmulatedMachine* const machine = Current();
  if (machine == nullptr) return -EIO;
  const int fd = machine->kernel().Open(path, flags);
  if (fd < 0) return fd;
  if (owners_.Find(fd) == nullptr) {  // too high a number for us
    machine->kernel().Close(fd);
    return -EMFILE;
  }
  if ((flags & O_CLOEXEC) == 0) fcntl(fd, F_SETFD, 0);
  return fd;
}

std::optional<int> ClientProcess::Ioctl(int fd, unsigned long request, std::uintptr_t argument) {
  EmulatedMachine* const machine = owners_.Find(fd);
  if (machine == nullptr) return std::nullopt;
  if (!BelongsHere(*machine)) return -EIO;
  return machine->kernel().Ioctl(fd, request, argument);
}

std::optional<int> ClientProcess::Close(int fd) {
  EmulatedMachine* const machine = owners_.Take(fd);
  if (machine == nullptr || !BelongsHere(*machine)) return std::nullopt;
  return machine->kernel().Close(fd);
}

void ClientProcess::CloseRange(unsigned first, unsigned last) {
  const unsigned end = std::min(last, unsigned{DescriptorOwners::kLimit - 1});
  for (unsigned fd = first; fd <= end; ++fd) {
    const int number = static_cast<int>(fd);
    if (owners_.Find(number) != nullptr) Close(number);
  }
}

void ClientProcess::NoteCopy(int fd, int copy) {
  EmulatedMachine* const machine = owners_.Find(fd);
  if (machine != nullptr && BelongsHere(*machine)) machine->kernel().Adopt(fd, copy);
}

int ClientProcess::NoteMapping(int fd, void* address) {
  EmulatedMachine* const machine = owners_.Find(fd);
  if (machine == nullptr) return 0;
  if (!BelongsHere(*machine)) return -EIO;
  const int error = machine->kernel().NoteMapping(fd, address);
  if (error == 0) has_mapped_ = true;
  return error;
}

void ClientProcess::NoteUnmapping(void* address, std::size_t length) {
  if (!has_mapped_ || length != kRunPageSize) return;
  EmulatedMachine* const machine = machine_.load();
  if (BelongsHere(*machine)) machine->kernel().NoteUnmapping(address);
}

}  // namespace lethe::preload
