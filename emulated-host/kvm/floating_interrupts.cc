#include "emulated-host/kvm/floating_interrupts.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lethe::emulated {
namespace {

using Kind = InterruptionKind;

constexpr std::uint32_t kServiceEventBits = 0x3;
constexpr std::uint32_t kServiceAddressBits = ~std::uint32_t{0x7};
// Stands for the address that the Ultravisor will put in its place.
constexpr std::uint32_t kProtectedServiceAddress = 0x43000;

constexpr std::uint64_t kChannelReportPending = 1u << 28;  // control register 14

constexpr std::size_t kMaxInputOutput = 266250;
constexpr std::size_t kMaxVirtio = 87381;
constexpr std::size_t kMaxPageFaults = 64 * 255;

std::uint32_t SubchannelOf(const abi::kvm_s390_irq& irq) {
  return std::uint32_t{irq.u.io.subchannel_id} << 16 | irq.u.io.subchannel_nr;
}

}  // namespace

std::deque<abi::kvm_s390_irq>* FloatingInterrupts::Queue(Kind kind) {
  if (kind == Kind::kVirtio) return &virtio_;
  if (kind == Kind::kPageFaultCompleted) return &page_fault_completed_;
  if (SetOf(kind) & kInputOutputSet) {
    return &input_output_[static_cast<int>(kind) - static_cast<int>(Kind::kInputOutput0)];
  }
  return nullptr;
}

int FloatingInterrupts::Inject(const abi::kvm_s390_irq& irq) {
  const std::optional<Kind> kind = KindOf(irq);
  if (!kind) return -EINVAL;
  const std::lock_guard lock(mutex_);
  if (*kind == Kind::kService) {
    InjectService(irq.u.ext.ext_params);
    return 0;
  }
  if (SetOf(*kind) & kMachineCheckSet) {
    machine_check_.type = abi::KVM_S390_MCHK;
    machine_check_.u.mchk.cr14 |= irq.u.mchk.cr14 & kChannelReportPending;
    machine_check_.u.mchk.mcic |= irq.u.mchk.mcic;
    pending_ |= SetOf(Kind::kRepressibleMachineCheck);
    return 0;
  }
  std::deque<abi::kvm_s390_irq>* queue = Queue(*kind);
  if (queue == nullptr) return -EINVAL;
  const bool input_output = (SetOf(*kind) & kInputOutputSet) != 0;
  const std::size_t count = input_output ? input_output_count_ : queue->size();
  const std::size_t limit = input_output             ? kMaxInputOutput
                            : *kind == Kind::kVirtio ? kMaxVirtio
                                                     : kMaxPageFaults;
  if (count >= limit) return -EBUSY;
  queue->push_back(irq);
  if (input_output) ++input_output_count_;
  pending_ |= SetOf(*kind);
  return 0;
}

void FloatingInterrupts::InjectService(std::uint32_t parameter) {
  service_parameter_ |= parameter & kServiceEventBits;
  if (service_parameter_ & kServiceEventBits) pending_ |= SetOf(Kind::kServiceEvent);
  if (service_parameter_ & kServiceAddressBits) return;
  if ((parameter & kServiceAddressBits) == 0) return;
  service_parameter_ |= parameter & kServiceAddressBits;
  pending_ |= SetOf(Kind::kService);
}

std::uint64_t FloatingInterrupts::machine_check_subclasses() const {
  if ((pending_ & kMachineCheckSet) == 0) return 0;
  const std::lock_guard lock(mutex_);
  return machine_check_.u.mchk.cr14;
}

std::optional<abi::kvm_s390_irq> FloatingInterrupts::Take(Kind kind) {
  const std::lock_guard lock(mutex_);
  if ((pending_ & SetOf(kind)) == 0) return std::nullopt;
  if (kind == Kind::kService) return TakeService();
  if (kind == Kind::kServiceEvent) return TakeServiceEvent();
  if (kind == Kind::kRepressibleMachineCheck) {
    pending_ &= ~SetOf(kind);
    return std::exchange(machine_check_, abi::kvm_s390_irq{});
  }
  if (SetOf(kind) & kInputOutputSet) {
    return RemoveInputOutput(
        static_cast<unsigned>(kind) - static_cast<unsigned>(Kind::kInputOutput0), std::nullopt);
  }
  std::deque<abi::kvm_s390_irq>& queue = *Queue(kind);
  const abi::kvm_s390_irq irq = queue.front();
  queue.pop_front();
  if (queue.empty()) pending_ &= ~SetOf(kind);
  return irq;
}

std::optional<abi::kvm_s390_irq> FloatingInterrupts::TakeService() {
  if (masked_ & SetOf(Kind::kService)) return std::nullopt;
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_SERVICE;
  irq.u.ext.ext_params = std::exchange(service_parameter_, 0);
  pending_ &= ~(SetOf(Kind::kService) | SetOf(Kind::kServiceEvent));
  if (protected_) masked_ |= SetOf(Kind::kService);
  return irq;
}

std::optional<abi::kvm_s390_irq> FloatingInterrupts::TakeServiceEvent() {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_SERVICE;
  irq.u.ext.ext_params = service_parameter_ & kServiceEventBits;
  service_parameter_ &= ~kServiceEventBits;
  pending_ &= ~SetOf(Kind::kServiceEvent);
  return irq;
}

std::optional<abi::kvm_s390_irq> FloatingInterrupts::RemoveInputOutput(
    unsigned subclass, std::optional<std::uint32_t> subchannel) {
  std::deque<abi::kvm_s390_irq>& queue = input_output_[subclass];
  const auto found = std::find_if(queue.begin(), queue.end(), [&](const abi::kvm_s390_irq& irq) {
    return !subchannel || SubchannelOf(irq) == *subchannel;
  });
  if (found == queue.end()) return std::nullopt;
  const abi::kvm_s390_irq irq = *found;
  queue.erase(found);
  --input_output_count_;
  if (queue.empty()) pending_ &= ~SetOf(InputOutputKind(subclass));
  return irq;
}

std::optional<abi::kvm_s390_irq> FloatingInterrupts::TakeInputOutput(
    std::uint8_t subclasses, std::optional<std::uint32_t> subchannel) {
  const std::lock_guard lock(mutex_);
  for (unsigned subclass = 0; subclass < 8; ++subclass) {
    if ((subclasses & (0x80 >> subclass)) == 0) continue;
    if (auto irq = RemoveInputOutput(subclass, subchannel)) return irq;
  }
  return std::nullopt;
}

void FloatingInterrupts::Clear() {
  const std::lock_guard lock(mutex_);
  pending_ = 0;
  service_parameter_ = 0;
  machine_check_ = {};
  page_fault_completed_.clear();
  virtio_.clear();
  for (auto& queue : input_output_) queue.clear();
  input_output_count_ = 0;
  if (!protected_) masked_ = 0;
}

std::vector<abi::kvm_s390_irq> FloatingInterrupts::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<abi::kvm_s390_irq> list;
  for (const auto& queue : input_output_) list.insert(list.end(), queue.begin(), queue.end());
  list.insert(list.end(), page_fault_completed_.begin(), page_fault_completed_.end());
  list.insert(list.end(), virtio_.begin(), virtio_.end());
  if (service_parameter_ != 0) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_SERVICE;
    irq.u.ext.ext_params = service_parameter_;
    list.push_back(irq);
  }
  if (pending_ & kMachineCheckSet) list.push_back(machine_check_);
  return list;
}

void FloatingInterrupts::MaskService(bool masked) {
  if (masked) {
    masked_ |= SetOf(Kind::kService);
  } else {
    masked_ &= ~SetOf(Kind::kService);
  }
}

void FloatingInterrupts::AcknowledgeServiceCall() {
  const std::lock_guard lock(mutex_);
  service_parameter_ |= kProtectedServiceAddress;
  pending_ |= SetOf(Kind::kService);
  masked_ &= ~SetOf(Kind::kService);
}

}  // namespace lethe::emulated
