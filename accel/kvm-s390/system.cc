#include "accel/kvm-s390/system.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/ioctl.h"
#include "base/status_macros.h"

namespace lethe::kvm {
namespace {

constexpr IoctlRequest<ByValue> kGetApiVersion{abi::KVM_GET_API_VERSION, "KVM_GET_API_VERSION"};
constexpr IoctlRequest<ByValue> kCheckExtension{abi::KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"};
constexpr IoctlRequest<ByValue> kRunAreaSize{abi::KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"};
constexpr IoctlRequest<ByValue> kCreateVm{abi::KVM_CREATE_VM, "KVM_CREATE_VM"};

struct NumericCapability {
  unsigned number;
  unsigned Capabilities::*field;
};
constexpr NumericCapability kNumericCapabilities[] = {
    {abi::KVM_CAP_NR_VCPUS, &Capabilities::recommended_vcpus},
    {abi::KVM_CAP_MAX_VCPUS, &Capabilities::max_vcpus},
    {abi::KVM_CAP_MAX_VCPU_ID, &Capabilities::max_vcpu_id},
    {abi::KVM_CAP_NR_MEMSLOTS, &Capabilities::memory_slots},
    {abi::KVM_CAP_S390_MEM_OP, &Capabilities::mem_op_bytes},
};

struct Capability {
  unsigned number;
  bool Capabilities::*field;
};
constexpr Capability kCapabilities[] = {
    {abi::KVM_CAP_S390_MEM_OP_EXTENSION, &Capabilities::absolute_mem_op},
    {abi::KVM_CAP_IMMEDIATE_EXIT, &Capabilities::immediate_exit},
    {abi::KVM_CAP_S390_VCPU_RESETS, &Capabilities::vcpu_resets},
    {abi::KVM_CAP_S390_INJECT_IRQ, &Capabilities::inject_irq},
    {abi::KVM_CAP_S390_IRQ_STATE, &Capabilities::irq_state},
    {abi::KVM_CAP_S390_IRQCHIP, &Capabilities::irqchip},
    {abi::KVM_CAP_IRQFD, &Capabilities::irqfd},
    {abi::KVM_CAP_IOEVENTFD, &Capabilities::ioeventfd},
    {abi::KVM_CAP_S390_CSS_SUPPORT, &Capabilities::channel_subsystem},
    {abi::KVM_CAP_S390_USER_SIGP, &Capabilities::user_sigp},
    {abi::KVM_CAP_S390_USER_STSI, &Capabilities::user_stsi},
    {abi::KVM_CAP_S390_USER_INSTR0, &Capabilities::user_instruction_0},
    {abi::KVM_CAP_S390_VECTOR_REGISTERS, &Capabilities::vector_registers},
    {abi::KVM_CAP_S390_RI, &Capabilities::runtime_instrumentation},
    {abi::KVM_CAP_S390_GS, &Capabilities::guarded_storage},
    {abi::KVM_CAP_S390_BPB, &Capabilities::branch_prediction_blocking},
    {abi::KVM_CAP_S390_AIS, &Capabilities::adapter_interruption_suppression},
    {abi::KVM_CAP_S390_SKEYS, &Capabilities::storage_keys},
    {abi::KVM_CAP_S390_DIAG318, &Capabilities::diagnose_318},
    {abi::KVM_CAP_S390_CPU_TOPOLOGY, &Capabilities::cpu_topology},
    {abi::KVM_CAP_S390_HPAGE_1M, &Capabilities::huge_pages},
    {abi::KVM_CAP_S390_ZPCI_OP, &Capabilities::zpci},
    {abi::KVM_CAP_S390_PROTECTED, &Capabilities::protected_guests},
    {abi::KVM_CAP_S390_PROTECTED_DUMP, &Capabilities::protected_dump},
    {abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE, &Capabilities::protected_async_disable},
};

absl::StatusOr<Capabilities> AskCapabilities(const Descriptor& device) {
  Capabilities capabilities;
  for (const NumericCapability& capability : kNumericCapabilities) {
    LETHE_ASSIGN_OR_RETURN(int value, Issue(device, kCheckExtension, capability.number));
    capabilities.*capability.field = static_cast<unsigned>(value);
  }
  for (const Capability& capability : kCapabilities) {
    LETHE_ASSIGN_OR_RETURN(int value, Issue(device, kCheckExtension, capability.number));
    capabilities.*capability.field = value > 0;
  }
  return capabilities;
}

absl::Status CheckIndispensable(const Descriptor& device, const Capabilities& capabilities) {
  // Present in every KVM of s390x and in no other.
  LETHE_ASSIGN_OR_RETURN(int psw, Issue(device, kCheckExtension, abi::KVM_CAP_S390_PSW));
  if (psw == 0) return absl::UnavailableError("this KVM is not of s390x");
  if (!capabilities.immediate_exit || !capabilities.vcpu_resets || !capabilities.inject_irq ||
      capabilities.mem_op_bytes == 0)
    return absl::UnavailableError("this KVM is too old (Linux 5.6 or later is needed)");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<System> System::Open(Kernel& kernel, const char* path) {
  const int fd = kernel.Open(path, O_RDWR);
  if (fd < 0) return absl::ErrnoToStatus(-fd, path);
  Descriptor device(kernel, fd);
  LETHE_ASSIGN_OR_RETURN(int version, Issue(device, kGetApiVersion));
  if (version != abi::KVM_API_VERSION)
    return absl::UnavailableError(
        absl::StrCat(path, ": API version ", version, " instead of ", abi::KVM_API_VERSION));
  absl::StatusOr<Capabilities> capabilities = AskCapabilities(device);
  if (!capabilities.ok()) return Annotate(capabilities.status(), path);
  LETHE_RETURN_IF_ERROR(Annotate(CheckIndispensable(device, *capabilities), path));
  LETHE_ASSIGN_OR_RETURN(int run_area_bytes, Issue(device, kRunAreaSize));
  if (static_cast<std::size_t>(run_area_bytes) < sizeof(abi::kvm_run))
    return absl::UnavailableError(absl::StrCat(path, ": run area of ", run_area_bytes, " bytes"));
  return System(std::move(device), *capabilities, static_cast<std::size_t>(run_area_bytes));
}

absl::StatusOr<Vm> System::CreateVm() const {
  LETHE_ASSIGN_OR_RETURN(int fd, Issue(device_, kCreateVm));
  return Vm(Descriptor(device_.kernel(), fd), run_area_bytes_);
}

}  // namespace lethe::kvm
