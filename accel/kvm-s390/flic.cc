#include "accel/kvm-s390/flic.h"

#include "accel/kvm-s390/attribute.h"
#include "base/status_macros.h"

namespace lethe::kvm {

absl::Status Flic::Enqueue(absl::Span<const abi::kvm_s390_irq> interruptions) const {
  return Annotate(
      SetAttribute(descriptor_, abi::KVM_DEV_FLIC_ENQUEUE,
                   interruptions.size() * sizeof(abi::kvm_s390_irq), interruptions.data()),
      "floating interruption");
}

absl::Status Flic::Enqueue(const abi::kvm_s390_irq& interruption) const {
  return Enqueue(absl::MakeConstSpan(&interruption, 1));
}

absl::Status Flic::EnqueueServiceSignal(std::uint32_t parameter) const {
  abi::kvm_s390_irq interruption = {};
  interruption.type = abi::KVM_S390_INT_SERVICE;
  interruption.u.ext.ext_params = parameter;
  return Enqueue(interruption);
}

absl::Status Flic::Clear() const {
  return SetAttribute(descriptor_, abi::KVM_DEV_FLIC_CLEAR_IRQS, 0, nullptr);
}

absl::Status Flic::ClearIo(std::uint32_t subchannel_id) const {
  return SetAttribute(descriptor_, abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, sizeof(subchannel_id),
                      &subchannel_id);
}

absl::StatusOr<std::vector<abi::kvm_s390_irq>> Flic::Pending() const {
  std::vector<abi::kvm_s390_irq> interruptions(1024);
  while (true) {
    const std::size_t bytes = interruptions.size() * sizeof(abi::kvm_s390_irq);
    absl::StatusOr<int> count =
        GetAttribute(descriptor_, abi::KVM_DEV_FLIC_GET_ALL_IRQS, bytes, interruptions.data());
    if (count.ok()) {
      interruptions.resize(static_cast<std::size_t>(*count));
      return interruptions;
    }
    // ENOMEM: there are more.
    if (!absl::IsResourceExhausted(count.status()) || bytes * 2 > abi::KVM_S390_FLIC_MAX_BUFFER)
      return count.status();
    interruptions.resize(interruptions.size() * 2);
  }
}

absl::Status Flic::RegisterAdapter(const abi::kvm_s390_io_adapter& adapter) const {
  return SetAttribute(descriptor_, abi::KVM_DEV_FLIC_ADAPTER_REGISTER, 0, &adapter);
}

absl::Status Flic::MaskAdapter(std::uint32_t id, bool masked) const {
  abi::kvm_s390_io_adapter_req request = {};
  request.id = id;
  request.type = abi::KVM_S390_IO_ADAPTER_MASK;
  request.mask = masked ? 1 : 0;
  return SetAttribute(descriptor_, abi::KVM_DEV_FLIC_ADAPTER_MODIFY, 0, &request);
}

absl::Status Flic::InjectAdapter(std::uint32_t id) const {
  return SetAttribute(descriptor_, abi::KVM_DEV_FLIC_AIRQ_INJECT, id, nullptr);
}

}  // namespace lethe::kvm
