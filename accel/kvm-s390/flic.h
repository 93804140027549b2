#ifndef LETHE_ACCEL_KVM_S390_FLIC_H_
#define LETHE_ACCEL_KVM_S390_FLIC_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/descriptor.h"

namespace lethe::kvm {

// The floating interrupt controller of a VM: interruptions that any CPU may take. Calls may come
// from any thread.
class Flic {
 public:
  explicit Flic(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // Makes interruptions pending. Only floating types (service signal, pfault done, virtio, machine
  // check, I/O); the kernel rejects others (EINVAL), after having taken those before them.
  absl::Status Enqueue(absl::Span<const abi::kvm_s390_irq> interruptions) const;
  absl::Status Enqueue(const abi::kvm_s390_irq& interruption) const;

  // The service signal: `parameter` is the SCCB address, or with its low bits the pending event.
  absl::Status EnqueueServiceSignal(std::uint32_t parameter) const;

  // Drops all pending floating interruptions (subsystem reset).
  absl::Status Clear() const;
  // Drops what is pending for one subchannel; succeeds if there is nothing.
  absl::Status ClearIo(std::uint32_t subchannel_id) const;
  // A copy of what is pending.
  absl::StatusOr<std::vector<abi::kvm_s390_irq>> Pending() const;

  // Adapters: registration, masking, and an adapter interruption.
  absl::Status RegisterAdapter(const abi::kvm_s390_io_adapter& adapter) const;
  absl::Status MaskAdapter(std::uint32_t id, bool masked) const;
  absl::Status InjectAdapter(std::uint32_t id) const;

 private:
  Descriptor descriptor_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_FLIC_H_
