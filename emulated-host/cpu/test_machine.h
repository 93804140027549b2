#ifndef LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_
#define LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {

// For tests: a machine with some storage and CPUs, and a host that does what the test says.
class TestMachine : public CpuHost {
 public:
  explicit TestMachine(std::uint64_t size = 4 << 20, int cpus = 1,
                       CpuModel model = CpuModel::Default());

  Cpu& cpu(int number = 0) { return *cpus_[number]; }
  CpuGroup& group() { return group_; }
  GuestStorage& storage() { return storage_; }
  std::uint8_t* bytes(std::uint64_t absolute) { return base_ + absolute; }
  std::atomic<std::uint8_t>& key(std::uint64_t absolute) { return keys_[absolute / kPageSize]; }
  std::atomic<std::uint32_t>& state(std::uint64_t absolute) {
    return states_[absolute / kPageSize];
  }

  // Stores instructions from `absolute` on, each given as "hexadecimal bytes  mnemonic operands"
  // (two blanks between). Returns the address behind them.
  std::uint64_t Program(std::uint64_t absolute, std::initializer_list<absl::string_view> lines);
  template <typename T>
  void Set(std::uint64_t absolute, T value) {
    StoreBigEndian<T>(bytes(absolute), value);
  }
  template <typename T>
  T Get(std::uint64_t absolute) {
    return LoadBigEndian<T>(bytes(absolute));
  }
  // New PSW at its real location 0x1a0 ... 0x1f0 of prefix 0.
  void SetNewPsw(std::uint64_t location, std::uint64_t mask, std::uint64_t address) {
    Set<std::uint64_t>(location, mask);
    Set<std::uint64_t>(location + 8, address);
  }
  // All new PSWs lead to a disabled wait whose address is their location.
  void WaitOnInterruptions();
  Exit RunFrom(std::uint64_t address, std::uint64_t mask = kSupervisor, int cpu = 0);

  // CpuHost: what the test put here, else go on.
  Verdict ResolveSecureFault(Cpu& cpu, std::uint64_t absolute, SecureFault fault) override;
  Verdict OnAttention(Cpu& cpu) override;
  std::function<Verdict(Cpu&, std::uint64_t, SecureFault)> on_secure_fault;
  std::function<Verdict(Cpu&)> on_attention;

  static constexpr std::uint64_t kSupervisor = Psw::kExtendedAddressing | Psw::kBasicAddressing;
  static constexpr std::uint64_t kProblem = kSupervisor | Psw::kProblemState;
  static constexpr std::uint64_t kDisabledWait = kSupervisor | Psw::kWait;

 private:
  const CpuModel model_;
  std::vector<std::uint8_t> memory_;
  std::uint8_t* base_ = nullptr;  // on a page boundary of memory_
  std::vector<std::atomic<std::uint8_t>> keys_;
  std::vector<std::atomic<std::uint32_t>> states_;
  std::vector<std::atomic<std::uint8_t>> code_;
  GuestStorage storage_;
  CpuGroup group_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_TEST_MACHINE_H_
