#include "pv/reaper/system_call_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <bit>
#include <cstddef>

namespace lethe {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__s390x__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_S390X;
#else
#error "Lethe runs on x86-64 and s390x"
#endif

// Of an argument, which has 64 bits.
constexpr std::size_t kLowerHalf = std::endian::native == std::endian::big ? 4 : 0;

sock_filter Load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter Return(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
// Goes on with the next instruction if equal, else skips `count`.
sock_filter SkipUnlessEqual(std::uint32_t value, std::uint8_t count) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
}

}  // namespace

std::vector<sock_filter> MakeSystemCallFilter(const std::vector<std::uint32_t>& allowed,
                                              std::uint32_t ioctl_request) {
  std::vector<sock_filter> filter = {
      Load(offsetof(seccomp_data, arch)),
      SkipUnlessEqual(kArchitecture, 1),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      Return(SECCOMP_RET_KILL_PROCESS),
      Load(offsetof(seccomp_data, nr)),
      SkipUnlessEqual(SYS_ioctl, 4),
      Load(offsetof(seccomp_data, args[1]) + kLowerHalf),
      SkipUnlessEqual(ioctl_request, 1),
      Return(SECCOMP_RET_ALLOW),
      Return(SECCOMP_RET_KILL_PROCESS),
  };
  for (const std::uint32_t number : allowed) {
    filter.push_back(SkipUnlessEqual(number, 1));
    filter.push_back(Return(SECCOMP_RET_ALLOW));
  }
  filter.push_back(Return(SECCOMP_RET_KILL_PROCESS));
  return filter;
}

}  // namespace lethe
