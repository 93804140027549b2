#ifndef LETHE_EMULATED_HOST_KVM_FLOATING_INTERRUPTS_H_
#define LETHE_EMULATED_HOST_KVM_FLOATING_INTERRUPTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "emulated-host/kvm/interruption.h"

namespace lethe::emulated {

// The interruptions that any CPU of a machine may take. Safe for concurrent use.
//
// Service signals: one SCCB address and the event bits can be pending; a second SCCB address is
// dropped. For a protected guest the SCCB part stays masked from its delivery until the guest has
// called the service processor again; events pass at any time.
class FloatingInterrupts {
 public:
  // -EINVAL: not a floating type; -EBUSY: the queue is full.
  int Inject(const abi::kvm_s390_irq& irq);

  // What could be delivered now (the masked service signal is not in it).
  InterruptionSet pending() const { return pending_.load(std::memory_order_seq_cst) & ~masked_; }
  std::uint64_t machine_check_subclasses() const;

  std::optional<abi::kvm_s390_irq> Take(InterruptionKind kind);

  // Removes one I/O interruption of a subclass in `subclasses` (bit 7: subclass 0, as in control
  // register 6 bits 32-39) and, if `subchannel` is given (id << 16 | number), of that subchannel.
  // Lowest subclass number first.
  std::optional<abi::kvm_s390_irq> TakeInputOutput(std::uint8_t subclasses,
                                                   std::optional<std::uint32_t> subchannel);

  void Clear();
  std::vector<abi::kvm_s390_irq> List() const;

  // The protected guest's own view of service signals (see above).
  void MaskService(bool masked);
  // The guest's SERVICE CALL notification: pending with a parameter that stands for the SCCB, and
  // no longer masked.
  void AcknowledgeServiceCall();
  // Masks the service signal again after a delivery, as long as the machine is protected.
  void set_protected(bool value) { protected_ = value; }

 private:
  std::deque<abi::kvm_s390_irq>* Queue(InterruptionKind kind);
  std::optional<abi::kvm_s390_irq> TakeService();
  std::optional<abi::kvm_s390_irq> TakeServiceEvent();
  void InjectService(std::uint32_t parameter);
  std::optional<abi::kvm_s390_irq> RemoveInputOutput(unsigned subclass,
                                                     std::optional<std::uint32_t> subchannel);

  mutable std::mutex mutex_;
  std::atomic<InterruptionSet> pending_{0};
  std::atomic<InterruptionSet> masked_{0};
  std::atomic<bool> protected_{false};
  std::uint32_t service_parameter_ = 0;
  abi::kvm_s390_irq machine_check_{};
  std::deque<abi::kvm_s390_irq> page_fault_completed_;
  std::deque<abi::kvm_s390_irq> virtio_;
  std::array<std::deque<abi::kvm_s390_irq>, 8> input_output_;
  std::size_t input_output_count_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_FLOATING_INTERRUPTS_H_
