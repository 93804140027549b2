#include "emulated-host/kvm/guest_cpu_model.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "emulated-host/kvm/user_memory.h"

namespace lethe::emulated {
namespace {

// Facilities that KVM offers whatever the host has: it emulates what they promise.
constexpr unsigned kStoreHypervisorInformation = 74;
constexpr unsigned kConfigurationArchitecturalMode = 138;

constexpr std::uint64_t kCpuVersion = std::uint64_t{0xff} << 56;

// What the interpretive execution of this host can do: PER and the rest are not there yet.
constexpr abi::kvm_s390_vm_cpu_feat kHostFeatures{};
// PERFORM LOCKED OPERATION has 24 functions; of the others with subfunctions there is none.
constexpr abi::kvm_s390_vm_cpu_subfunc HostSubfunctions() {
  abi::kvm_s390_vm_cpu_subfunc subfunctions{};
  for (int i = 0; i < 24 / 8; ++i) subfunctions.plo[i] = 0xff;
  return subfunctions;
}
constexpr abi::kvm_s390_vm_cpu_subfunc kHostSubfunctions = HostSubfunctions();

}  // namespace

bool GuestCpuModel::Bit(const Facilities& list, unsigned facility) {
  return facility / 64 < kDoublewords && (list[facility / 64] >> (63 - facility % 64) & 1) != 0;
}

void GuestCpuModel::SetBit(Facilities& list, unsigned facility) {
  if (facility / 64 < kDoublewords) {
    list[facility / 64] |= std::uint64_t{1} << (63 - facility % 64);
  }
}

GuestCpuModel::GuestCpuModel(const CpuModel& host, std::uint64_t ultravisor_features)
    : host_cpu_id_(host.cpu_id | kCpuVersion),
      cpu_id_(host_cpu_id_),
      features_(kHostFeatures),
      subfunctions_(kHostSubfunctions),
      host_ultravisor_features_(ultravisor_features & (abi::KVM_S390_VM_CPU_UV_FEAT_AP |
                                                       abi::KVM_S390_VM_CPU_UV_FEAT_AP_INTR)) {
  for (int i = 0; i < kDoublewords; ++i) host_[i] = host.facilities.Doubleword(i);
  mask_ = host_;
  list_ = host_;
  for (const unsigned facility : {kStoreHypervisorInformation, kConfigurationArchitecturalMode}) {
    AddFacility(facility);
  }
}

bool GuestCpuModel::HasFacility(unsigned facility) const {
  return Bit(mask_, facility) && Bit(list_, facility);
}

void GuestCpuModel::AddFacility(unsigned facility) {
  SetBit(mask_, facility);
  SetBit(list_, facility);
}

CpuModel GuestCpuModel::Effective() const {
  CpuModel model;
  model.cpu_id = cpu_id_;
  for (int i = 0; i < kDoublewords; ++i) model.facilities.SetDoubleword(i, mask_[i] & list_[i]);
  return model;
}

int GuestCpuModel::Has(std::uint64_t attribute) {
  return attribute <= abi::KVM_S390_VM_CPU_MACHINE_UV_FEAT_GUEST ? 0 : -ENXIO;
}

int GuestCpuModel::Get(std::uint64_t attribute, std::uintptr_t to) const {
  switch (attribute) {
    case abi::KVM_S390_VM_CPU_PROCESSOR:
      return GetProcessor(to);
    case abi::KVM_S390_VM_CPU_MACHINE:
      return GetMachine(to);
    case abi::KVM_S390_VM_CPU_PROCESSOR_FEAT:
      return Put(to, features_);
    case abi::KVM_S390_VM_CPU_MACHINE_FEAT:
      return Put(to, kHostFeatures);
    case abi::KVM_S390_VM_CPU_PROCESSOR_SUBFUNC:
      return Put(to, subfunctions_);
    case abi::KVM_S390_VM_CPU_MACHINE_SUBFUNC:
      return Put(to, kHostSubfunctions);
    case abi::KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST:
      return Put(to, ultravisor_features_);
    case abi::KVM_S390_VM_CPU_MACHINE_UV_FEAT_GUEST:
      return Put(to, host_ultravisor_features_);
    default:
      return -ENXIO;
  }
}

int GuestCpuModel::Set(std::uint64_t attribute, std::uintptr_t from, bool cpus_exist) {
  switch (attribute) {
    case abi::KVM_S390_VM_CPU_PROCESSOR:
      return SetProcessor(from, cpus_exist);
    case abi::KVM_S390_VM_CPU_PROCESSOR_FEAT:
      return SetFeatures(from, cpus_exist);
    case abi::KVM_S390_VM_CPU_PROCESSOR_SUBFUNC:
      return SetSubfunctions(from, cpus_exist);
    case abi::KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST:
      return SetUltravisorFeatures(from, cpus_exist);
    default:
      return -ENXIO;
  }
}

int GuestCpuModel::GetProcessor(std::uintptr_t to) const {
  auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  processor->cpuid = cpu_id_;
  processor->ibc = instruction_blocking_;
  std::copy(list_.begin(), list_.end(), processor->fac_list);
  return Put(to, *processor);
}

int GuestCpuModel::GetMachine(std::uintptr_t to) const {
  auto machine = std::make_unique<abi::kvm_s390_vm_cpu_machine>();
  machine->cpuid = host_cpu_id_;
  std::copy(mask_.begin(), mask_.end(), machine->fac_mask);
  std::copy(host_.begin(), host_.end(), machine->fac_list);
  return Put(to, *machine);
}

int GuestCpuModel::SetProcessor(std::uintptr_t from, bool cpus_exist) {
  if (cpus_exist) return -EBUSY;
  auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  if (const int error = Fetch(from, *processor); error != 0) return error;
  cpu_id_ = processor->cpuid;
  // The host has no instruction-blocking control: nothing to clamp a wish to.
  instruction_blocking_ = 0;
  std::copy_n(processor->fac_list, kDoublewords, list_.begin());
  return 0;
}

int GuestCpuModel::SetFeatures(std::uintptr_t from, bool cpus_exist) {
  abi::kvm_s390_vm_cpu_feat wanted;
  if (const int error = Fetch(from, wanted); error != 0) return error;
  for (int i = 0; i < 16; ++i) {
    if (wanted.feat[i] & ~kHostFeatures.feat[i]) return -EINVAL;
  }
  if (cpus_exist) return -EBUSY;
  features_ = wanted;
  return 0;
}

int GuestCpuModel::SetSubfunctions(std::uintptr_t from, bool cpus_exist) {
  if (cpus_exist) return -EBUSY;
  return Fetch(from, subfunctions_);
}

int GuestCpuModel::SetUltravisorFeatures(std::uintptr_t from, bool cpus_exist) {
  std::uint64_t wanted = 0;
  if (const int error = Fetch(from, wanted); error != 0) return error;
  if (wanted & ~host_ultravisor_features_) return -EINVAL;
  if (cpus_exist) return -EBUSY;
  ultravisor_features_ = wanted;
  return 0;
}

}  // namespace lethe::emulated
