#include "emulated-host/kvm/flic_device.h"

#include <cerrno>
#include <vector>

#include "emulated-host/kvm/user_memory.h"

namespace lethe::emulated {

struct FlicDeviceTable {
  using Handler = int (FlicDevice::*)(const abi::kvm_device_attr&);

  static constexpr IoctlRow<FlicDevice> kRows[] = {
      {abi::KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR", &FlicDevice::SetAttribute},
      {abi::KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR", &FlicDevice::GetAttribute},
      {abi::KVM_HAS_DEVICE_ATTR, "KVM_HAS_DEVICE_ATTR", &FlicDevice::HasAttribute},
  };

  struct Group {
    std::uint32_t number;
    Handler set;
    Handler get;
  };
  static constexpr Group kGroups[] = {
      {abi::KVM_DEV_FLIC_GET_ALL_IRQS, nullptr, &FlicDevice::GetAll},
      {abi::KVM_DEV_FLIC_ENQUEUE, &FlicDevice::Enqueue, nullptr},
      {abi::KVM_DEV_FLIC_CLEAR_IRQS, &FlicDevice::ClearAll, nullptr},
      {abi::KVM_DEV_FLIC_APF_ENABLE, &FlicDevice::SwitchPageFaults, nullptr},
      {abi::KVM_DEV_FLIC_APF_DISABLE_WAIT, &FlicDevice::SwitchPageFaults, nullptr},
      {abi::KVM_DEV_FLIC_ADAPTER_REGISTER, &FlicDevice::RegisterAdapter, nullptr},
      {abi::KVM_DEV_FLIC_ADAPTER_MODIFY, &FlicDevice::ModifyAdapter, nullptr},
      {abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, &FlicDevice::ClearInputOutput, nullptr},
      {abi::KVM_DEV_FLIC_AISM, &FlicDevice::SetMode, nullptr},
      {abi::KVM_DEV_FLIC_AIRQ_INJECT, &FlicDevice::InjectAdapterInterruption, nullptr},
      {abi::KVM_DEV_FLIC_AISM_ALL, &FlicDevice::SetModes, &FlicDevice::GetModes},
  };

  static const Group* Find(std::uint32_t number) {
    for (const Group& group : kGroups) {
      if (group.number == number) return &group;
    }
    return nullptr;
  }
};

int FlicDevice::Ioctl(unsigned long request, std::uintptr_t argument) {
  if (!machine_->IsInOwnMemory()) return -EIO;
  return DispatchIoctl(FlicDeviceTable::kRows, *this, request, argument);
}

int FlicDevice::SetAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  const FlicDeviceTable::Group* group = FlicDeviceTable::Find(attribute.group);
  if (group == nullptr || group->set == nullptr) return -EINVAL;
  return (this->*group->set)(attribute);
}

int FlicDevice::GetAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  const FlicDeviceTable::Group* group = FlicDeviceTable::Find(attribute.group);
  if (group == nullptr || group->get == nullptr) return -EINVAL;
  return (this->*group->get)(attribute);
}

int FlicDevice::HasAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  return FlicDeviceTable::Find(attribute.group) != nullptr ? 0 : -ENXIO;
}

int FlicDevice::GetAll(const abi::kvm_device_attr& attribute) {
  if (attribute.attr == 0 || attribute.attr > abi::KVM_S390_FLIC_MAX_BUFFER) return -EINVAL;
  const std::vector<abi::kvm_s390_irq> list = machine_->floating().List();
  if (list.size() > attribute.attr / sizeof(abi::kvm_s390_irq)) return -ENOMEM;
  if (const int error =
          CopyToUser(attribute.addr, list.data(), list.size() * sizeof(abi::kvm_s390_irq));
      error != 0) {
    return error;
  }
  return static_cast<int>(list.size());
}

int FlicDevice::Enqueue(const abi::kvm_device_attr& attribute) {
  constexpr std::size_t kSize = sizeof(abi::kvm_s390_irq);
  if (attribute.attr % kSize != 0 || attribute.attr > abi::KVM_S390_FLIC_MAX_BUFFER) {
    return -EINVAL;
  }
  for (std::uint64_t offset = 0; offset < attribute.attr; offset += kSize) {
    abi::kvm_s390_irq irq;
    if (const int error = Fetch(attribute.addr + offset, irq); error != 0) return error;
    if (const int error = machine_->InjectFloating(irq); error != 0) return error;
  }
  return 0;
}

int FlicDevice::ClearAll(const abi::kvm_device_attr&) {
  machine_->floating().Clear();
  return 0;
}

// The host reports no page faults, so there are none to wait for.
int FlicDevice::SwitchPageFaults(const abi::kvm_device_attr&) { return 0; }

int FlicDevice::RegisterAdapter(const abi::kvm_device_attr& attribute) {
  abi::kvm_s390_io_adapter description;
  if (const int error = Fetch(attribute.addr, description); error != 0) return error;
  return machine_->adapters().Register(description);
}

int FlicDevice::ModifyAdapter(const abi::kvm_device_attr& attribute) {
  abi::kvm_s390_io_adapter_req request;
  if (const int error = Fetch(attribute.addr, request); error != 0) return error;
  return machine_->adapters().Modify(request);
}

int FlicDevice::ClearInputOutput(const abi::kvm_device_attr& attribute) {
  if (attribute.flags != 0 || attribute.attr != sizeof(std::uint32_t)) return -EINVAL;
  std::uint32_t subchannel = 0;
  if (const int error = Fetch(attribute.addr, subchannel); error != 0) return error;
  if (subchannel == 0) return -EINVAL;
  machine_->floating().TakeInputOutput(0xff, subchannel);
  return 0;
}

int FlicDevice::SetMode(const abi::kvm_device_attr& attribute) {
  if (!Suppresses()) return -EOPNOTSUPP;
  abi::kvm_s390_ais_req request;
  if (const int error = Fetch(attribute.addr, request); error != 0) return error;
  return machine_->adapters().SetMode(request);
}

int FlicDevice::SetModes(const abi::kvm_device_attr& attribute) {
  if (!Suppresses()) return -EOPNOTSUPP;
  abi::kvm_s390_ais_all modes;
  if (const int error = Fetch(attribute.addr, modes); error != 0) return error;
  machine_->adapters().set_modes(modes);
  return 0;
}

int FlicDevice::GetModes(const abi::kvm_device_attr& attribute) {
  if (attribute.attr < sizeof(abi::kvm_s390_ais_all)) return -EINVAL;
  if (!Suppresses()) return -EOPNOTSUPP;
  return Put(attribute.addr, machine_->adapters().modes());
}

int FlicDevice::InjectAdapterInterruption(const abi::kvm_device_attr& attribute) {
  // The kernel looks at 32 bits.
  return machine_->adapters().Interrupt(static_cast<std::uint32_t>(attribute.attr), Suppresses());
}

}  // namespace lethe::emulated
