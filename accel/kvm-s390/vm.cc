#include "accel/kvm-s390/vm.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/ioctl.h"
#include "accel/kvm-s390/mem_op.h"
#include "base/status_macros.h"

namespace lethe::kvm {
namespace {

constexpr IoctlRequest<ByValue> kCheckExtension{abi::KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"};
constexpr IoctlRequest<abi::kvm_enable_cap> kEnableCapability{abi::KVM_ENABLE_CAP,
                                                              "KVM_ENABLE_CAP"};
constexpr IoctlRequest<abi::kvm_userspace_memory_region> kSetMemoryRegion{
    abi::KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION"};
constexpr IoctlRequest<ByValue> kCreateVcpu{abi::KVM_CREATE_VCPU, "KVM_CREATE_VCPU"};
constexpr IoctlRequest<abi::kvm_create_device> kCreateDevice{abi::KVM_CREATE_DEVICE,
                                                             "KVM_CREATE_DEVICE"};
constexpr IoctlRequest<abi::kvm_s390_interrupt> kInterrupt{abi::KVM_S390_INTERRUPT,
                                                           "KVM_S390_INTERRUPT"};
constexpr IoctlRequest<abi::kvm_irq_routing> kSetIrqRouting{abi::KVM_SET_GSI_ROUTING,
                                                            "KVM_SET_GSI_ROUTING"};
constexpr IoctlRequest<abi::kvm_irqfd> kIrqFd{abi::KVM_IRQFD, "KVM_IRQFD"};
constexpr IoctlRequest<abi::kvm_ioeventfd> kIoEventFd{abi::KVM_IOEVENTFD, "KVM_IOEVENTFD"};

constexpr std::uint64_t kSegment = std::uint64_t{1} << 20;

bool IsSegmentMultiple(std::uint64_t value) { return value % kSegment == 0; }

absl::Status CheckSlot(const MemorySlot& slot, std::optional<std::uint64_t> limit) {
  const std::string name = absl::StrFormat("memory slot %u (%#x, %#x bytes)", slot.number,
                                           slot.guest_address, slot.size);
  if (slot.size == 0) return absl::InvalidArgumentError(absl::StrCat(name, ": empty"));
  if (!IsSegmentMultiple(slot.guest_address) || !IsSegmentMultiple(slot.size) ||
      !IsSegmentMultiple(reinterpret_cast<std::uintptr_t>(slot.memory)))
    return absl::InvalidArgumentError(absl::StrCat(name, ": not on 1 MiB boundaries"));
  const std::uint64_t end = slot.guest_address + slot.size;
  if (end < slot.guest_address || (limit && end > *limit))
    return absl::OutOfRangeError(absl::StrCat(name, ": beyond the memory limit"));
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Survivor> Vm::MakeSurvivor(absl::Span<Vcpu* const> vcpus) const {
  std::vector<RunArea> run_areas;
  for (const Vcpu* vcpu : vcpus) run_areas.push_back(vcpu->run_area());
  return descriptor_.kernel().MakeSurvivor(descriptor_.get(), std::move(run_areas));
}

absl::StatusOr<int> Vm::CheckExtension(unsigned capability) const {
  return Issue(descriptor_, kCheckExtension, capability);
}

absl::Status Vm::EnableCapability(unsigned capability, std::uint64_t argument) const {
  abi::kvm_enable_cap request = {};
  request.cap = capability;
  request.args[0] = argument;
  return Annotate(Issue(descriptor_, kEnableCapability, request).status(),
                  absl::StrCat("capability ", capability));
}

absl::Status Vm::SetMemoryLimit(std::uint64_t bytes) {
  LETHE_RETURN_IF_ERROR(
      Annotate(SetAttribute(abi::KVM_S390_VM_MEM_CTRL, abi::KVM_S390_VM_MEM_LIMIT_SIZE, &bytes),
               absl::StrFormat("memory limit of %#x bytes", bytes)));
  memory_limit_ = bytes;
  return absl::OkStatus();
}

absl::Status Vm::SetMemorySlot(const MemorySlot& slot) const {
  LETHE_RETURN_IF_ERROR(CheckSlot(slot, memory_limit_));
  abi::kvm_userspace_memory_region region = {
      .slot = slot.number,
      .flags = slot.log_dirty_pages ? abi::KVM_MEM_LOG_DIRTY_PAGES : 0,
      .guest_phys_addr = slot.guest_address,
      .memory_size = slot.size,
      .userspace_addr = reinterpret_cast<std::uintptr_t>(slot.memory)};
  return Annotate(Issue(descriptor_, kSetMemoryRegion, region).status(),
                  absl::StrFormat("memory slot %u", slot.number));
}

absl::Status Vm::RemoveMemorySlot(std::uint32_t number) const {
  abi::kvm_userspace_memory_region region = {};
  region.slot = number;
  return Annotate(Issue(descriptor_, kSetMemoryRegion, region).status(),
                  absl::StrFormat("removing memory slot %u", number));
}

absl::StatusOr<std::uint16_t> Vm::ReadAbsolute(std::uint64_t address,
                                               absl::Span<std::uint8_t> target) const {
  abi::kvm_s390_mem_op operation = {};
  operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_READ;
  operation.gaddr = address;
  return TransferGuestStorage(descriptor_, operation, target.data(), target.size());
}

absl::StatusOr<std::uint16_t> Vm::WriteAbsolute(std::uint64_t address,
                                                absl::Span<const std::uint8_t> source) const {
  abi::kvm_s390_mem_op operation = {};
  operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_WRITE;
  operation.gaddr = address;
  return TransferGuestStorage(descriptor_, operation, const_cast<std::uint8_t*>(source.data()),
                              source.size());
}

absl::StatusOr<std::unique_ptr<Vcpu>> Vm::CreateVcpu(unsigned cpu_address) const {
  absl::StatusOr<int> fd = Issue(descriptor_, kCreateVcpu, cpu_address);
  if (!fd.ok()) return Annotate(fd.status(), absl::StrCat("CPU ", cpu_address));
  return Vcpu::Create(Descriptor(descriptor_.kernel(), *fd), cpu_address, run_area_bytes_);
}

absl::StatusOr<Flic> Vm::CreateFlic() const {
  abi::kvm_create_device request = {.type = abi::KVM_DEV_TYPE_FLIC, .fd = 0, .flags = 0};
  absl::StatusOr<int> result = Issue(descriptor_, kCreateDevice, request);
  if (!result.ok()) return Annotate(result.status(), "floating interrupt controller");
  return Flic(Descriptor(descriptor_.kernel(), static_cast<int>(request.fd)));
}

absl::Status Vm::Inject(abi::kvm_s390_interrupt interruption) const {
  return Annotate(Issue(descriptor_, kInterrupt, interruption).status(),
                  absl::StrFormat("floating interruption %#x", interruption.type));
}

absl::Status Vm::SetIrqRouting(absl::Span<const abi::kvm_irq_routing_entry> entries) const {
  const abi::kvm_irq_routing header = {.nr = static_cast<std::uint32_t>(entries.size()),
                                       .flags = 0};
  std::vector<std::uint64_t> table((sizeof(header) + entries.size() * sizeof(entries[0])) / 8);
  std::memcpy(table.data(), &header, sizeof(header));
  if (!entries.empty())
    std::memcpy(table.data() + 1, entries.data(), entries.size() * sizeof(entries[0]));
  return Issue(descriptor_, kSetIrqRouting, *reinterpret_cast<abi::kvm_irq_routing*>(table.data()))
      .status();
}

absl::Status Vm::SetIrqFd(abi::kvm_irqfd request) const {
  return Issue(descriptor_, kIrqFd, request).status();
}

absl::Status Vm::SetIoEventFd(abi::kvm_ioeventfd request) const {
  return Issue(descriptor_, kIoEventFd, request).status();
}

absl::Status Vm::SetAttribute(std::uint32_t group, std::uint64_t attribute,
                              const void* data) const {
  return kvm::SetAttribute(descriptor_, group, attribute, data);
}

absl::Status Vm::GetAttribute(std::uint32_t group, std::uint64_t attribute, void* data) const {
  return kvm::GetAttribute(descriptor_, group, attribute, data).status();
}

bool Vm::HasAttribute(std::uint32_t group, std::uint64_t attribute) const {
  return kvm::HasAttribute(descriptor_, group, attribute);
}

absl::StatusOr<std::unique_ptr<abi::kvm_s390_vm_cpu_machine>> Vm::HostCpuModel() const {
  auto model = std::make_unique<abi::kvm_s390_vm_cpu_machine>();
  LETHE_RETURN_IF_ERROR(
      GetAttribute(abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_MACHINE, model.get()));
  return model;
}

absl::Status Vm::SetCpuModel(const abi::kvm_s390_vm_cpu_processor& model) const {
  return SetAttribute(abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_PROCESSOR, &model);
}

absl::StatusOr<std::uint64_t> Vm::Tod() const {
  std::uint64_t tod = 0;
  LETHE_RETURN_IF_ERROR(GetAttribute(abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_LOW, &tod));
  return tod;
}

absl::Status Vm::SetTod(std::uint64_t tod) const {
  return SetAttribute(abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_LOW, &tod);
}

}  // namespace lethe::kvm
