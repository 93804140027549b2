// A client of KVM for IBM Z as small as one can be: no part of Lethe but the names of the
// interface. Opens /dev/kvm, makes a machine, runs a program in it, and prints what that says by
// DIAGNOSE; then does what clients do to descriptors. One line for each step, status 1 at the first
// that fails.

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "accel/kvm-s390/abi.h"

namespace abi = lethe::abi;

namespace {

constexpr std::size_t kMemory = 4 << 20;
constexpr std::uint64_t kProgram = 0x1000;
constexpr std::uint64_t kLoop = 0x2000;
constexpr std::uint64_t kArchitectureMode = 0x0000000180000000;  // 64-bit addressing
constexpr std::uint64_t kWaitForEver = 0x0002000180000000;

// Each character by DIAGNOSE X'F0', then a disabled wait.
constexpr unsigned char kCode[] = {
    0xc0, 0x30, 0x00, 0x00, 0x00, 0x11,  // LARL 3,text
    0xe3, 0x20, 0x30, 0x00, 0x00, 0x90,  // LLGC 2,0(3)
    0x12, 0x22,                          // LTR  2,2
    0xa7, 0x84, 0x00, 0x08,              // JZ   the LPSWE
    0x83, 0x20, 0x00, 0xf0,              // DIAG 2,0,0xf0
    0xa7, 0x3b, 0x00, 0x01,              // AGHI 3,1
    0xa7, 0xf4, 0xff, 0xf6,              // J    the LLGC
    0xb2, 0xb2, 0x02, 0x00,              // LPSWE 0x200
};
constexpr unsigned char kBranchToItself[] = {0xa7, 0xf4, 0x00, 0x00};  // J *

constexpr char kText[] = "hello from the guest";

void Step(const char* what, bool done) {
  std::printf("%s: %s\n", what, done ? "ok" : std::strerror(errno));
  if (!done) std::exit(1);
}

void StoreBigEndian(unsigned char* to, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) to[i] = static_cast<unsigned char>(value);
}

abi::kvm_run* run;

void Kick(int) { run->immediate_exit = 1; }

std::string WhatTheGuestSays(int cpu) {
  std::string said;
  while (ioctl(cpu, abi::KVM_RUN, 0) == 0 && run->exit_reason == abi::KVM_EXIT_S390_SIEIC &&
         run->s390_sieic.icptcode == abi::ICPT_INST && run->s390_sieic.ipa == 0x8320) {
    said += static_cast<char>(run->s.regs.gprs[2]);
  }
  return said;
}

void* KickSoon(void* thread) {
  usleep(50'000);
  pthread_kill(*static_cast<pthread_t*>(thread), SIGUSR1);
  return nullptr;
}

// A signal whose handler sets immediate_exit ends a KVM_RUN that would go on for ever.
bool SignalEndsRun(int cpu) {
  struct sigaction action = {};
  action.sa_handler = Kick;
  sigaction(SIGUSR1, &action, nullptr);
  run->psw_mask = kArchitectureMode;
  run->psw_addr = kLoop;
  pthread_t self = pthread_self();
  pthread_t kicker;
  if (pthread_create(&kicker, nullptr, KickSoon, &self) != 0) return false;
  const bool interrupted = ioctl(cpu, abi::KVM_RUN, 0) == -1 && errno == EINTR;
  pthread_join(kicker, nullptr);
  run->immediate_exit = 0;
  return interrupted && run->exit_reason == abi::KVM_EXIT_INTR && run->psw_addr == kLoop;
}

bool ChildIsRefused(int vm) {
  const pid_t child = fork();
  if (child == 0) _exit(ioctl(vm, abi::KVM_CREATE_VCPU, 9) == -1 && errno == EIO ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

bool CopyOutlivesOriginal(int system) {
  const int copy = fcntl(system, F_DUPFD_CLOEXEC, 100);
  const int second = dup2(copy, 200);
  return copy >= 100 && second == 200 && close(system) == 0 && close(copy) == 0 &&
         ioctl(copy, abi::KVM_GET_API_VERSION, 0) == -1 && errno == EBADF &&
         ioctl(second, abi::KVM_GET_API_VERSION, 0) == 12 && close(second) == 0;
}

}  // namespace

int main() {
  const int system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  Step("open /dev/kvm", system >= 0);
  Step("close-on-exec", fcntl(system, F_GETFD) == FD_CLOEXEC);
  Step("API version 12", ioctl(system, abi::KVM_GET_API_VERSION, 0) == 12);
  const int vm = ioctl(system, abi::KVM_CREATE_VM, 0);
  Step("machine", vm >= 0);

  // A guest's memory begins at a multiple of 1 MiB.
  void* const reserved =
      mmap(nullptr, 2 * kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Step("memory", reserved != MAP_FAILED);
  const std::uintptr_t start = (reinterpret_cast<std::uintptr_t>(reserved) + 0xfffff) & ~0xfffffUL;
  auto* const memory = reinterpret_cast<unsigned char*>(start);
  std::memcpy(memory + kProgram, kCode, sizeof(kCode));
  std::strcpy(reinterpret_cast<char*>(memory + kProgram + sizeof(kCode)), kText);
  std::memcpy(memory + kLoop, kBranchToItself, sizeof(kBranchToItself));
  StoreBigEndian(memory + 0x200, kWaitForEver);
  StoreBigEndian(memory + 0x208, 0x4711);
  abi::kvm_userspace_memory_region slot{0, 0, 0, kMemory, start};
  Step("memory slot", ioctl(vm, abi::KVM_SET_USER_MEMORY_REGION, &slot) == 0);

  const int cpu = ioctl(vm, abi::KVM_CREATE_VCPU, 0);
  Step("CPU", cpu >= 0);
  const int size = ioctl(system, abi::KVM_GET_VCPU_MMAP_SIZE, 0);
  void* const page =
      mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  Step("run structure", page != MAP_FAILED);
  Step("a machine cannot be mapped",
       mmap(nullptr, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED && errno == ENODEV);
  run = static_cast<abi::kvm_run*>(page);
  run->psw_mask = kArchitectureMode;
  run->psw_addr = kProgram;

  const std::string said = WhatTheGuestSays(cpu);
  std::printf("guest: %s\n", said.c_str());
  Step("the guest's words", said == kText);
  Step("a disabled wait", run->s390_sieic.icptcode == abi::ICPT_WAIT && run->psw_addr == 0x4711);
  Step("memory keeps what the client wrote", memory[0x200 + 15] == 0x11);
  Step("a signal ends KVM_RUN", SignalEndsRun(cpu));
  Step("a child is refused", ChildIsRefused(vm));
  Step("copies of descriptors", CopyOutlivesOriginal(system));
  Step("the end", close(vm) == 0 && close(cpu) == 0 && munmap(page, 4096) == 0);
  Step("descriptors are gone", ioctl(vm, abi::KVM_CREATE_VCPU, 1) == -1 && errno == EBADF);
  return 0;
}
