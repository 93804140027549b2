#ifndef LETHE_EMULATED_HOST_KVM_GUEST_CPU_MODEL_H_
#define LETHE_EMULATED_HOST_KVM_GUEST_CPU_MODEL_H_

#include <array>
#include <cstdint>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/cpu/cpu_model.h"

namespace lethe::emulated {

// What the CPUs of one machine are to be: the attributes of group KVM_S390_VM_CPU_MODEL, and the
// facilities that capabilities add. Guarded by the machine's lock.
//
// KVM looks at the first 16 doublewords of a facility list; the guest has a facility when both the
// mask (what this kernel can offer) and the list (what the user wants) have it.
class GuestCpuModel {
 public:
  // `host`: the machine's CPUs; `ultravisor_features`: its feature indications for guests.
  GuestCpuModel(const CpuModel& host, std::uint64_t ultravisor_features);

  bool HasFacility(unsigned facility) const;
  void AddFacility(unsigned facility);  // to mask and list

  std::uint64_t cpu_id() const { return cpu_id_; }
  CpuModel Effective() const;

  // KVM_GET_DEVICE_ATTR and KVM_SET_DEVICE_ATTR; `cpus_exist` makes every change -EBUSY.
  int Get(std::uint64_t attribute, std::uintptr_t to) const;
  int Set(std::uint64_t attribute, std::uintptr_t from, bool cpus_exist);
  static int Has(std::uint64_t attribute);

 private:
  static constexpr int kDoublewords = 16;
  using Facilities = std::array<std::uint64_t, kDoublewords>;

  static bool Bit(const Facilities& list, unsigned facility);
  static void SetBit(Facilities& list, unsigned facility);

  int GetProcessor(std::uintptr_t to) const;
  int GetMachine(std::uintptr_t to) const;
  int SetProcessor(std::uintptr_t from, bool cpus_exist);
  int SetFeatures(std::uintptr_t from, bool cpus_exist);
  int SetSubfunctions(std::uintptr_t from, bool cpus_exist);
  int SetUltravisorFeatures(std::uintptr_t from, bool cpus_exist);

  Facilities host_{};
  Facilities mask_{};
  Facilities list_{};
  std::uint64_t host_cpu_id_ = 0;
  std::uint64_t cpu_id_ = 0;
  std::uint16_t instruction_blocking_ = 0;
  abi::kvm_s390_vm_cpu_feat features_{};
  abi::kvm_s390_vm_cpu_subfunc subfunctions_{};
  std::uint64_t host_ultravisor_features_ = 0;
  std::uint64_t ultravisor_features_ = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_GUEST_CPU_MODEL_H_
