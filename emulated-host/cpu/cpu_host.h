#ifndef LETHE_EMULATED_HOST_CPU_CPU_HOST_H_
#define LETHE_EMULATED_HOST_CPU_CPU_HOST_H_

#include <cstdint>

namespace lethe::emulated {

class Cpu;

enum class SecureFault : std::uint8_t {
  kSecureStorageAccess,     // 0x3d: not a secure CPU, the page is secure
  kNonSecureStorageAccess,  // 0x3e: a secure CPU, the page is not secure
  kSecureStorageViolation,  // 0x3f: a secure CPU, the page is another configuration's
};

// What a CPU asks of the host around it (for KVM: of the in-kernel half). Called on the CPU's own
// thread, with the CPU counted as outside of guest execution: purges do not wait for it.
class CpuHost {
 public:
  virtual ~CpuHost() = default;

  enum class Verdict : std::uint8_t { kContinue, kLeave };

  // The page at guest absolute address `absolute` does not admit this CPU. kContinue: try again.
  // kLeave: Cpu::Run returns Exit::kHost with the PSW at the instruction (nothing done).
  virtual Verdict ResolveSecureFault(Cpu& cpu, std::uint64_t absolute, SecureFault fault) = 0;

  // Between two instructions, after Cpu::RequestAttention() or when the PSW or CR 0, 6, 14 newly
  // enabled interruptions while Cpu::SetInterruptionPending(true) was in force: the host may
  // deliver one interruption after the other through Cpu::Present*(), and says whether to go on.
  virtual Verdict OnAttention(Cpu& cpu) = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_HOST_H_
