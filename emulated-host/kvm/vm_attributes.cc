#include "emulated-host/kvm/vm_attributes.h"

#include <cerrno>
#include <mutex>

#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Attribute = abi::kvm_device_attr;

constexpr unsigned kMultipleEpochFacility = 139;
constexpr unsigned kKeyWrappingFacility = 76;

// --- memory --------------------------------------------------------------------------------------

// The guest's address space ends where a table of the depth that `limit` needs ends.
std::uint64_t RoundedLimit(std::uint64_t limit) {
  for (const int bits : {31, 42, 53}) {
    if (limit <= std::uint64_t{1} << bits) return std::uint64_t{1} << bits;
  }
  return ~std::uint64_t{0};
}

int SetMemory(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.attr != abi::KVM_S390_VM_MEM_LIMIT_SIZE) return -ENXIO;
  std::uint64_t limit = 0;
  if (const int error = Fetch(attribute.addr, limit); error != 0) return error;
  if (limit > machine.host().options().highest_address) return -E2BIG;
  if (limit == 0) return -EINVAL;
  const std::lock_guard lock(machine.lock());
  if (machine.cpu_count() != 0) return -EBUSY;
  machine.settings().memory_limit = RoundedLimit(limit);
  return 0;
}

int GetMemory(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.attr != abi::KVM_S390_VM_MEM_LIMIT_SIZE) return -ENXIO;
  // The host's maximum, also after a smaller limit has been set.
  return Put(attribute.addr, machine.host().options().highest_address);
}

int HasMemory(VirtualMachine&, const Attribute& attribute) {
  return attribute.attr == abi::KVM_S390_VM_MEM_LIMIT_SIZE ? 0 : -ENXIO;
}

// --- TOD clock -----------------------------------------------------------------------------------

int SetTod(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.flags != 0) return -EINVAL;
  const std::lock_guard lock(machine.lock());
  // The Ultravisor keeps the clock of protected guests.
  if (machine.protection().active()) return -EOPNOTSUPP;
  switch (attribute.attr) {
    case abi::KVM_S390_VM_TOD_LOW: {
      std::uint64_t tod = 0;
      if (const int error = Fetch(attribute.addr, tod); error != 0) return error;
      machine.group().SetTod(tod);
      return 0;
    }
    case abi::KVM_S390_VM_TOD_HIGH: {
      std::uint8_t high = 0;
      if (const int error = Fetch(attribute.addr, high); error != 0) return error;
      return high == 0 ? 0 : -EINVAL;
    }
    case abi::KVM_S390_VM_TOD_EXT: {
      abi::kvm_s390_vm_tod_clock clock;
      if (const int error = Fetch(attribute.addr, clock); error != 0) return error;
      if (clock.epoch_idx != 0 && !machine.cpu_model().HasFacility(kMultipleEpochFacility)) {
        return -EINVAL;
      }
      machine.group().SetTod(clock.tod);
      return 0;
    }
    default:
      return -ENXIO;
  }
}

int GetTod(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.flags != 0) return -EINVAL;
  switch (attribute.attr) {
    case abi::KVM_S390_VM_TOD_LOW:
      return Put(attribute.addr, machine.group().Tod());
    case abi::KVM_S390_VM_TOD_HIGH:
      return Put(attribute.addr, std::uint8_t{0});
    case abi::KVM_S390_VM_TOD_EXT: {
      abi::kvm_s390_vm_tod_clock clock{};
      clock.tod = machine.group().Tod();
      return Put(attribute.addr, clock);
    }
    default:
      return -ENXIO;
  }
}

// The extended attribute works, and is not announced: so it is in the kernel.
int HasTod(VirtualMachine&, const Attribute& attribute) {
  return attribute.attr <= abi::KVM_S390_VM_TOD_HIGH ? 0 : -ENXIO;
}

// --- cryptography --------------------------------------------------------------------------------

int SetCryptography(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.attr <= abi::KVM_S390_VM_CRYPTO_DISABLE_DEA_KW) {
    const std::lock_guard lock(machine.lock());
    return machine.cpu_model().HasFacility(kKeyWrappingFacility) ? 0 : -EINVAL;
  }
  // No adjunct processors.
  return attribute.attr <= abi::KVM_S390_VM_CRYPTO_DISABLE_APIE ? -EOPNOTSUPP : -ENXIO;
}

int HasCryptography(VirtualMachine&, const Attribute& attribute) {
  return attribute.attr <= abi::KVM_S390_VM_CRYPTO_DISABLE_DEA_KW ? 0 : -ENXIO;
}

// --- CPU model -----------------------------------------------------------------------------------

int SetCpuModel(VirtualMachine& machine, const Attribute& attribute) {
  const std::lock_guard lock(machine.lock());
  return machine.cpu_model().Set(attribute.attr, attribute.addr, machine.cpu_count() != 0);
}

int GetCpuModel(VirtualMachine& machine, const Attribute& attribute) {
  const std::lock_guard lock(machine.lock());
  return machine.cpu_model().Get(attribute.attr, attribute.addr);
}

int HasCpuModel(VirtualMachine&, const Attribute& attribute) {
  return GuestCpuModel::Has(attribute.attr);
}

// --- migration mode ------------------------------------------------------------------------------

int SetMigration(VirtualMachine& machine, const Attribute& attribute) {
  const std::lock_guard lock(machine.lock());
  std::atomic<bool>& mode = machine.settings().migration_mode;
  switch (attribute.attr) {
    case abi::KVM_S390_VM_MIGRATION_START:
      if (!mode && machine.slots().empty()) return -EINVAL;
      mode = true;
      return 0;
    case abi::KVM_S390_VM_MIGRATION_STOP:
      mode = false;
      return 0;
    default:
      return -ENXIO;
  }
}

int GetMigration(VirtualMachine& machine, const Attribute& attribute) {
  if (attribute.attr != abi::KVM_S390_VM_MIGRATION_STATUS) return -ENXIO;
  return Put(attribute.addr, std::uint64_t{machine.settings().migration_mode ? 1u : 0u});
}

int HasMigration(VirtualMachine&, const Attribute&) { return 0; }

int No(VirtualMachine&, const Attribute&) { return -ENXIO; }

struct Group {
  std::uint32_t number;
  int (*set)(VirtualMachine&, const Attribute&);
  int (*get)(VirtualMachine&, const Attribute&);
  int (*has)(VirtualMachine&, const Attribute&);
};
constexpr Group kGroups[] = {
    {abi::KVM_S390_VM_MEM_CTRL, &SetMemory, &GetMemory, &HasMemory},
    {abi::KVM_S390_VM_TOD, &SetTod, &GetTod, &HasTod},
    {abi::KVM_S390_VM_CRYPTO, &SetCryptography, &No, &HasCryptography},
    {abi::KVM_S390_VM_CPU_MODEL, &SetCpuModel, &GetCpuModel, &HasCpuModel},
    {abi::KVM_S390_VM_MIGRATION, &SetMigration, &GetMigration, &HasMigration},
};
constexpr Group kNoGroup{0, &No, &No, &No};

const Group& FindGroup(std::uint32_t number) {
  for (const Group& group : kGroups) {
    if (group.number == number) return group;
  }
  return kNoGroup;
}

}  // namespace

int SetVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute) {
  return FindGroup(attribute.group).set(machine, attribute);
}

int GetVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute) {
  return FindGroup(attribute.group).get(machine, attribute);
}

int HasVmAttribute(VirtualMachine& machine, const abi::kvm_device_attr& attribute) {
  return FindGroup(attribute.group).has(machine, attribute);
}

}  // namespace lethe::emulated
