#ifndef LETHE_ACCEL_KVM_S390_VM_H_
#define LETHE_ACCEL_KVM_S390_VM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/attribute.h"
#include "accel/kvm-s390/descriptor.h"
#include "accel/kvm-s390/flic.h"
#include "accel/kvm-s390/vcpu.h"

namespace lethe::kvm {

// A range of guest absolute storage backed by memory of this process.
struct MemorySlot {
  std::uint32_t number = 0;
  std::uint64_t guest_address = 0;  // multiple of 1 MiB
  std::uint64_t size = 0;           // bytes, multiple of 1 MiB
  void* memory = nullptr;           // multiple of 1 MiB; must outlive the slot
  bool log_dirty_pages = false;
};

// One guest. Calls may come from any thread; the kernel serialises them.
//
// Does not own vCPUs: destroy them first (the kernel keeps the guest alive until the last
// descriptor is closed, and then destroys a protected guest's memory in that close).
class Vm {
 public:
  Vm(Descriptor descriptor, std::size_t run_area_bytes)
      : descriptor_(std::move(descriptor)), run_area_bytes_(run_area_bytes) {}

  const Descriptor& descriptor() const { return descriptor_; }

  // This VM for a process that outlives this one (Kernel::MakeSurvivor). All slots are set, and
  // `vcpus` are all there will be. Null: the kernel has nothing of the kind.
  std::unique_ptr<Survivor> MakeSurvivor(absl::Span<Vcpu* const> vcpus) const;

  // KVM_CHECK_EXTENSION for this VM; 0: absent.
  absl::StatusOr<int> CheckExtension(unsigned capability) const;
  absl::Status EnableCapability(unsigned capability, std::uint64_t argument = 0) const;

  // Storage. The limit bounds where slots may lie and must be set before the first vCPU. KVM cannot
  // set a guest aside (lazy destroy) whose limit is 2 GiB or less.
  absl::Status SetMemoryLimit(std::uint64_t bytes);
  // The limit that was set, or no value: the host's maximum applies.
  std::optional<std::uint64_t> memory_limit() const { return memory_limit_; }
  // Adds or changes a slot. Checks what KVM accepts without mapping anything: the guest address
  // must be a multiple of 1 MiB and the end within the limit. EINVAL while the guest is protected.
  absl::Status SetMemorySlot(const MemorySlot& slot) const;
  absl::Status RemoveMemorySlot(std::uint32_t number) const;

  // Guest absolute storage through the kernel: 0, or the program interruption code that the access
  // met. Not for protected guests (EINVAL).
  absl::StatusOr<std::uint16_t> ReadAbsolute(std::uint64_t address,
                                             absl::Span<std::uint8_t> target) const;
  absl::StatusOr<std::uint16_t> WriteAbsolute(std::uint64_t address,
                                              absl::Span<const std::uint8_t> source) const;

  // `cpu_address` is the CPU address of the architecture. The vCPU is created stopped.
  absl::StatusOr<std::unique_ptr<Vcpu>> CreateVcpu(unsigned cpu_address) const;
  // At most one per VM.
  absl::StatusOr<Flic> CreateFlic() const;

  // A floating interruption, in the older form (service signal, I/O, machine check, pfault done).
  absl::Status Inject(abi::kvm_s390_interrupt interruption) const;

  // eventfds: interruption of an adapter, and doorbell of a virtio-ccw queue.
  absl::Status SetIrqRouting(absl::Span<const abi::kvm_irq_routing_entry> entries) const;
  absl::Status SetIrqFd(abi::kvm_irqfd request) const;
  absl::Status SetIoEventFd(abi::kvm_ioeventfd request) const;

  // Attributes (KVM_S390_VM_*): memory control, TOD clock, crypto, CPU model, migration, topology.
  absl::Status SetAttribute(std::uint32_t group, std::uint64_t attribute,
                            const void* data = nullptr) const;
  absl::Status GetAttribute(std::uint32_t group, std::uint64_t attribute, void* data) const;
  bool HasAttribute(std::uint32_t group, std::uint64_t attribute) const;

  // The CPU model: what the host offers, and what the guest is to have (before the first vCPU).
  absl::StatusOr<std::unique_ptr<abi::kvm_s390_vm_cpu_machine>> HostCpuModel() const;
  absl::Status SetCpuModel(const abi::kvm_s390_vm_cpu_processor& model) const;

  // TOD clock; setting it fails for a protected guest (EOPNOTSUPP).
  absl::StatusOr<std::uint64_t> Tod() const;
  absl::Status SetTod(std::uint64_t tod) const;

 private:
  Descriptor descriptor_;
  std::size_t run_area_bytes_;
  std::optional<std::uint64_t> memory_limit_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_VM_H_
