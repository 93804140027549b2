#include "emulated-host/kvm/interrupt_adapters.h"

#include <cerrno>

namespace lethe::emulated {
namespace {

constexpr std::uint8_t kMaxSubclass = 7;
constexpr std::uint32_t kAdapterWord = 0x80000000;
constexpr int kSubclassShift = 27;

std::uint8_t SubclassBit(std::uint8_t subclass) {
  return subclass > kMaxSubclass ? 0 : static_cast<std::uint8_t>(0x80 >> subclass);
}

}  // namespace

int InterruptAdapters::Register(const abi::kvm_s390_io_adapter& description) {
  if (description.id >= abi::MAX_S390_IO_ADAPTERS) return -EINVAL;
  const std::lock_guard lock(mutex_);
  return adapters_.emplace(description.id, Adapter{description}).second ? 0 : -EINVAL;
}

int InterruptAdapters::Modify(const abi::kvm_s390_io_adapter_req& request) {
  const std::lock_guard lock(mutex_);
  const auto adapter = adapters_.find(request.id);
  if (adapter == adapters_.end()) return -EINVAL;
  switch (request.type) {
    case abi::KVM_S390_IO_ADAPTER_MASK:
      if (adapter->second.description.maskable == 0) return -EINVAL;
      adapter->second.masked = request.mask != 0;
      return 0;
    case abi::KVM_S390_IO_ADAPTER_MAP:
    case abi::KVM_S390_IO_ADAPTER_UNMAP:
      return 0;
    default:
      return -EINVAL;
  }
}

std::optional<InterruptAdapters::Adapter> InterruptAdapters::Find(std::uint32_t id) const {
  const std::lock_guard lock(mutex_);
  const auto adapter = adapters_.find(id);
  if (adapter == adapters_.end()) return std::nullopt;
  return adapter->second;
}

int InterruptAdapters::Interrupt(std::uint32_t id, bool suppression) {
  const std::optional<Adapter> adapter = Find(id);
  if (!adapter) return -EINVAL;
  const std::uint8_t subclass = adapter->description.isc;
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_INT_IO(true, 0, 0, 0);
  irq.u.io.io_int_word = kAdapterWord | std::uint32_t{subclass} << kSubclassShift;
  if (!suppression || (adapter->description.flags & abi::KVM_S390_ADAPTER_SUPPRESSIBLE) == 0) {
    return inject_(irq);
  }
  const std::lock_guard lock(mutex_);
  const std::uint8_t bit = SubclassBit(subclass);
  if ((modes_.nimm & bit) != 0) return 0;
  const int error = inject_(irq);
  if (error == 0) modes_.nimm |= modes_.simm & bit;
  return error;
}

int InterruptAdapters::SetMode(const abi::kvm_s390_ais_req& request) {
  if (request.isc > kMaxSubclass || request.mode > abi::KVM_S390_AIS_MODE_SINGLE) return -EINVAL;
  const std::uint8_t bit = SubclassBit(request.isc);
  const std::lock_guard lock(mutex_);
  modes_.nimm &= static_cast<std::uint8_t>(~bit);
  modes_.simm &= static_cast<std::uint8_t>(~bit);
  if (request.mode == abi::KVM_S390_AIS_MODE_SINGLE) modes_.simm |= bit;
  return 0;
}

abi::kvm_s390_ais_all InterruptAdapters::modes() const {
  const std::lock_guard lock(mutex_);
  return modes_;
}

void InterruptAdapters::set_modes(const abi::kvm_s390_ais_all& modes) {
  const std::lock_guard lock(mutex_);
  modes_ = modes;
}

}  // namespace lethe::emulated
