#ifndef LETHE_EMULATED_HOST_KVM_LOCAL_INTERRUPTS_H_
#define LETHE_EMULATED_HOST_KVM_LOCAL_INTERRUPTS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "emulated-host/kvm/interruption.h"

namespace lethe::emulated {

// The interruptions that are pending for one CPU alone. Safe for concurrent use: other CPUs and the
// program above the seam inject, the CPU's thread takes.
class LocalInterrupts {
 public:
  // Rules that need no knowledge of the CPU: -EBUSY for a second external call or stop request.
  // Machine checks and emergency signals of several sources accumulate, others replace.
  int Inject(const abi::kvm_s390_irq& irq);

  InterruptionSet pending() const { return pending_.load(std::memory_order_seq_cst); }
  bool Has(InterruptionKind kind) const { return (pending() & SetOf(kind)) != 0; }

  // Bits of control register 14 that admit the pending repressible machine check.
  std::uint64_t machine_check_subclasses() const;

  // Removes one interruption of the kind; nullopt when there is none (anymore).
  std::optional<abi::kvm_s390_irq> Take(InterruptionKind kind);
  void Clear();

  // All pending ones, as KVM_S390_GET_IRQ_STATE reports them. Nothing is taken.
  std::vector<abi::kvm_s390_irq> List() const;

 private:
  void InjectMachineCheck(const abi::kvm_s390_irq& irq);
  void InjectProgram(const abi::kvm_s390_irq& irq);
  abi::kvm_s390_irq& slot(InterruptionKind kind) { return slots_[static_cast<int>(kind)]; }
  void Add(InterruptionKind kind) { pending_ |= SetOf(kind); }

  mutable std::mutex mutex_;
  std::atomic<InterruptionSet> pending_{0};
  std::array<abi::kvm_s390_irq, kInterruptionKinds> slots_{};
  std::set<std::uint16_t> emergency_sources_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_LOCAL_INTERRUPTS_H_
