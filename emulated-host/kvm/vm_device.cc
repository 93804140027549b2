#include "emulated-host/kvm/vm_device.h"

#include <cerrno>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "emulated-host/kvm/capability_table.h"
#include "emulated-host/kvm/emulated_survivor.h"
#include "emulated-host/kvm/flic_device.h"
#include "emulated-host/kvm/memory_operation.h"
#include "emulated-host/kvm/page_walk.h"
#include "emulated-host/kvm/pv_command.h"
#include "emulated-host/kvm/storage_keys.h"
#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/vcpu_device.h"
#include "emulated-host/kvm/vm_attributes.h"

namespace lethe::emulated {
namespace {

constexpr unsigned kInterruptSuppressionFacility = 72;

}  // namespace

struct VmDeviceTable {
  static constexpr IoctlRow<VmDevice> kRows[] = {
      {abi::KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION", &VmDevice::CheckExtension},
      {abi::KVM_CREATE_VCPU, "KVM_CREATE_VCPU", &VmDevice::CreateVcpu},
      {abi::KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &VmDevice::GetDirtyLog},
      {abi::KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &VmDevice::SetMemoryRegion},
      {abi::KVM_SET_USER_MEMORY_REGION2, "KVM_SET_USER_MEMORY_REGION2",
       &VmDevice::SetMemoryRegion2},
      {abi::KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP", &VmDevice::CreateInterruptChip},
      {abi::KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING", &VmDevice::RouteInterruptLines},
      {abi::KVM_IRQFD, "KVM_IRQFD", &VmDevice::ChangeInterruptLine},
      {abi::KVM_IOEVENTFD, "KVM_IOEVENTFD", &VmDevice::ChangeEventChannel},
      {abi::KVM_S390_INTERRUPT, "KVM_S390_INTERRUPT", &VmDevice::Interrupt},
      {abi::KVM_ENABLE_CAP, "KVM_ENABLE_CAP", &VmDevice::EnableCapability},
      {abi::KVM_S390_MEM_OP, "KVM_S390_MEM_OP", &VmDevice::MemoryOperation},
      {abi::KVM_S390_GET_SKEYS, "KVM_S390_GET_SKEYS", &VmDevice::GetStorageKeys},
      {abi::KVM_S390_SET_SKEYS, "KVM_S390_SET_SKEYS", &VmDevice::SetStorageKeys},
      {abi::KVM_S390_GET_CMMA_BITS, "KVM_S390_GET_CMMA_BITS", &VmDevice::GetCmmaBits},
      {abi::KVM_S390_SET_CMMA_BITS, "KVM_S390_SET_CMMA_BITS", &VmDevice::SetCmmaBits},
      {abi::KVM_S390_PV_COMMAND, "KVM_S390_PV_COMMAND", &VmDevice::ProtectedCommand},
      {abi::KVM_S390_ZPCI_OP, "KVM_S390_ZPCI_OP", &VmDevice::PciOperation},
      {abi::KVM_CREATE_DEVICE, "KVM_CREATE_DEVICE", &VmDevice::CreateDevice},
      {abi::KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR", &VmDevice::SetAttribute},
      {abi::KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR", &VmDevice::GetAttribute},
      {abi::KVM_HAS_DEVICE_ATTR, "KVM_HAS_DEVICE_ATTR", &VmDevice::HasAttribute},
  };
};

int VmDevice::Ioctl(unsigned long request, std::uintptr_t argument) {
  if (!machine_->IsInOwnMemory()) return -EIO;
  const IoctlRow<VmDevice>* const row = FindIoctl(VmDeviceTable::kRows, request);
  if (row == nullptr) return -ENOTTY;
  const int result = (this->*row->handler)(argument);
  const Log& log = machine_->host().log();
  if (log.Wants(LogLevel::kDebug)) log.Debug(absl::StrCat(row->name, ": ", result));
  return result;
}

std::unique_ptr<kvm::Survivor> VmDevice::MakeSurvivor(int fd, std::vector<kvm::RunArea> run_areas,
                                                      std::shared_ptr<const void> copy) {
  Host& host = machine_->host();
  if (!host.offers_protection()) return nullptr;
  const std::lock_guard lock(machine_->lock());
  EmulatedSurvivor::Machine machine;
  machine.table = machine_->protection().table();
  machine.ranges = machine_->slots().Ranges();
  machine.regions = host.memory().Share();
  machine.may_set_aside = host.options().asynchronous_destroy;
  machine.long_address_space = machine_->settings().memory_limit > kLowStorage;
  return std::make_unique<EmulatedSurvivor>(host.ultravisor(), std::move(machine), fd,
                                            std::move(run_areas), std::move(copy));
}

int VmDevice::CheckExtension(std::uintptr_t capability) {
  return emulated::CheckExtension(machine_->host().options(), capability);
}

int VmDevice::CreateVcpu(std::uintptr_t address) {
  VirtualCpu* cpu = nullptr;
  {
    const std::lock_guard lock(machine_->lock());
    if (const int error = machine_->CreateCpu(address, cpu); error != 0) return error;
  }
  UniqueFd fd = VcpuDevice::MakeDescriptor(*cpu);
  if (!fd) return -EMFILE;
  return machine_->host().descriptors().Install(std::move(fd),
                                                std::make_shared<VcpuDevice>(machine_, *cpu));
}

int VmDevice::SetMemoryRegion(std::uintptr_t argument) {
  abi::kvm_userspace_memory_region region;
  if (const int error = Fetch(argument, region); error != 0) return error;
  return machine_->SetMemoryRegion(region);
}

int VmDevice::SetMemoryRegion2(std::uintptr_t argument) {
  abi::kvm_userspace_memory_region2 wanted;
  if (const int error = Fetch(argument, wanted); error != 0) return error;
  return machine_->SetMemoryRegion({wanted.slot, wanted.flags, wanted.guest_phys_addr,
                                    wanted.memory_size, wanted.userspace_addr});
}

int VmDevice::GetDirtyLog(std::uintptr_t argument) {
  abi::kvm_dirty_log log;
  if (const int error = Fetch(argument, log); error != 0) return error;
  std::vector<std::uint8_t> bitmap;
  if (const int error = machine_->TakeDirtyLog(log.slot, bitmap); error != 0) return error;
  return CopyToUser(log.dirty_bitmap, bitmap.data(), bitmap.size());
}

int VmDevice::CreateInterruptChip(std::uintptr_t) {
  return machine_->settings().interrupt_controller ? 0 : -EINVAL;
}

int VmDevice::ChangeEventChannel(std::uintptr_t argument) {
  abi::kvm_ioeventfd change;
  if (const int error = Fetch(argument, change); error != 0) return error;
  return machine_->channels().Change(change);
}

int VmDevice::RouteInterruptLines(std::uintptr_t argument) {
  constexpr std::uint32_t kMaxEntries = 4096;
  abi::kvm_irq_routing table;
  if (const int error = Fetch(argument, table); error != 0) return error;
  if (table.nr > kMaxEntries || table.flags != 0) return -EINVAL;
  std::vector<abi::kvm_irq_routing_entry> entries(table.nr);
  if (const int error = CopyFromUser(entries.data(), argument + sizeof(table),
                                     entries.size() * sizeof(entries[0]));
      error != 0) {
    return error;
  }
  return machine_->RouteLines(entries);
}

int VmDevice::ChangeInterruptLine(std::uintptr_t argument) {
  abi::kvm_irqfd change;
  if (const int error = Fetch(argument, change); error != 0) return error;
  return machine_->lines().Change(change);
}

int VmDevice::Interrupt(std::uintptr_t argument) {
  abi::kvm_s390_interrupt old;
  if (const int error = Fetch(argument, old); error != 0) return error;
  const std::optional<abi::kvm_s390_irq> irq = FloatingInterruption(old);
  return irq ? machine_->InjectFloating(*irq) : -EINVAL;
}

int VmDevice::EnableCapability(std::uintptr_t argument) {
  abi::kvm_enable_cap wanted;
  if (const int error = Fetch(argument, wanted); error != 0) return error;
  if (wanted.flags != 0) return -EINVAL;
  VirtualMachine::Settings& settings = machine_->settings();
  switch (wanted.cap) {
    case abi::KVM_CAP_S390_IRQCHIP:
      settings.interrupt_controller = true;
      return 0;
    case abi::KVM_CAP_S390_USER_SIGP:
      settings.user_sigp = true;
      return 0;
    case abi::KVM_CAP_S390_USER_STSI:
      settings.user_stsi = true;
      return 0;
    case abi::KVM_CAP_S390_USER_INSTR0:
      settings.user_instruction0 = true;
      return 0;
    case abi::KVM_CAP_HALT_POLL:
      // CPUs that wait do so at once; the limit has nothing to limit.
      return wanted.args[0] > 0xffffffff ? -EINVAL : 0;
    case abi::KVM_CAP_S390_AIS: {
      const std::lock_guard lock(machine_->lock());
      if (machine_->cpu_count() != 0) return -EBUSY;
      machine_->cpu_model().AddFacility(kInterruptSuppressionFacility);
      settings.interrupt_suppression = true;
      return 0;
    }
    case abi::KVM_CAP_S390_HPAGE_1M:
    case abi::KVM_CAP_S390_VECTOR_REGISTERS:
    case abi::KVM_CAP_S390_RI:
    case abi::KVM_CAP_S390_GS:
    case abi::KVM_CAP_S390_CPU_TOPOLOGY:
      // Facilities that this host does not have.
      return machine_->cpu_count() != 0 ? -EBUSY : -EINVAL;
    default:
      return -EINVAL;
  }
}

int VmDevice::MemoryOperation(std::uintptr_t argument) {
  abi::kvm_s390_mem_op operation;
  if (const int error = Fetch(argument, operation); error != 0) return error;
  return AbsoluteMemoryOperation(*machine_, operation);
}

int VmDevice::GetStorageKeys(std::uintptr_t argument) {
  abi::kvm_s390_skeys keys;
  if (const int error = Fetch(argument, keys); error != 0) return error;
  return emulated::GetStorageKeys(*machine_, keys);
}

int VmDevice::SetStorageKeys(std::uintptr_t argument) {
  abi::kvm_s390_skeys keys;
  if (const int error = Fetch(argument, keys); error != 0) return error;
  return emulated::SetStorageKeys(*machine_, keys);
}

// This kernel interprets no PCI instructions.
int VmDevice::PciOperation(std::uintptr_t) { return -EINVAL; }

// Collaborative memory management is not offered, so it is never enabled.
int VmDevice::GetCmmaBits(std::uintptr_t) { return -ENXIO; }
int VmDevice::SetCmmaBits(std::uintptr_t) { return -ENXIO; }

int VmDevice::ProtectedCommand(std::uintptr_t argument) { return PvCommand(*machine_, argument); }

int VmDevice::CreateDevice(std::uintptr_t argument) {
  abi::kvm_create_device wanted;
  if (const int error = Fetch(argument, wanted); error != 0) return error;
  if (wanted.type != abi::KVM_DEV_TYPE_FLIC) return -ENODEV;
  if (wanted.flags & abi::KVM_CREATE_DEVICE_TEST) return 0;
  if (machine_->settings().floating_controller_exists.exchange(true)) return -EINVAL;
  UniqueFd fd = MakeMemoryDescriptor("kvm-flic", 0);
  if (!fd) {
    machine_->settings().floating_controller_exists = false;
    return -EMFILE;
  }
  wanted.fd = static_cast<std::uint32_t>(fd.get());
  if (const int error = Put(argument, wanted); error != 0) {
    machine_->settings().floating_controller_exists = false;
    return error;
  }
  machine_->host().descriptors().Install(std::move(fd), std::make_shared<FlicDevice>(machine_));
  return 0;
}

int VmDevice::SetAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  return SetVmAttribute(*machine_, attribute);
}

int VmDevice::GetAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  return GetVmAttribute(*machine_, attribute);
}

int VmDevice::HasAttribute(std::uintptr_t argument) {
  abi::kvm_device_attr attribute;
  if (const int error = Fetch(argument, attribute); error != 0) return error;
  return HasVmAttribute(*machine_, attribute);
}

}  // namespace lethe::emulated
