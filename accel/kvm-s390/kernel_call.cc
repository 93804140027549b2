#include "accel/kvm-s390/kernel_call.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/pv_command.h"

namespace lethe::kvm {
namespace {

struct RequestName {
  unsigned long request;
  absl::string_view name;
};
constexpr RequestName kRequestNames[] = {
    {abi::KVM_GET_API_VERSION, "KVM_GET_API_VERSION"},
    {abi::KVM_CREATE_VM, "KVM_CREATE_VM"},
    {abi::KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"},
    {abi::KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"},
    {abi::KVM_CREATE_VCPU, "KVM_CREATE_VCPU"},
    {abi::KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION"},
    {abi::KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING"},
    {abi::KVM_IRQFD, "KVM_IRQFD"},
    {abi::KVM_IOEVENTFD, "KVM_IOEVENTFD"},
    {abi::KVM_ENABLE_CAP, "KVM_ENABLE_CAP"},
    {abi::KVM_CREATE_DEVICE, "KVM_CREATE_DEVICE"},
    {abi::KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR"},
    {abi::KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR"},
    {abi::KVM_HAS_DEVICE_ATTR, "KVM_HAS_DEVICE_ATTR"},
    {abi::KVM_S390_INTERRUPT, "KVM_S390_INTERRUPT"},
    {abi::KVM_S390_MEM_OP, "KVM_S390_MEM_OP"},
    {abi::KVM_RUN, "KVM_RUN"},
    {abi::KVM_GET_SREGS, "KVM_GET_SREGS"},
    {abi::KVM_SET_SREGS, "KVM_SET_SREGS"},
    {abi::KVM_S390_STORE_STATUS, "KVM_S390_STORE_STATUS"},
    {abi::KVM_S390_INITIAL_RESET, "KVM_S390_INITIAL_RESET"},
    {abi::KVM_S390_NORMAL_RESET, "KVM_S390_NORMAL_RESET"},
    {abi::KVM_S390_CLEAR_RESET, "KVM_S390_CLEAR_RESET"},
    {abi::KVM_GET_MP_STATE, "KVM_GET_MP_STATE"},
    {abi::KVM_SET_MP_STATE, "KVM_SET_MP_STATE"},
    {abi::KVM_GET_ONE_REG, "KVM_GET_ONE_REG"},
    {abi::KVM_SET_ONE_REG, "KVM_SET_ONE_REG"},
    {abi::KVM_S390_IRQ, "KVM_S390_IRQ"},
    {abi::KVM_S390_SET_IRQ_STATE, "KVM_S390_SET_IRQ_STATE"},
    {abi::KVM_S390_GET_IRQ_STATE, "KVM_S390_GET_IRQ_STATE"},
};

std::string NameOf(unsigned long request) {
  const auto* const row =
      std::find_if(std::begin(kRequestNames), std::end(kRequestNames),
                   [request](const RequestName& name) { return name.request == request; });
  if (row == std::end(kRequestNames)) return absl::StrFormat("ioctl %#x", request);
  return std::string(row->name);
}

template <typename Structure>
const Structure& As(std::uintptr_t argument) {
  return *reinterpret_cast<const Structure*>(argument);
}

std::uint64_t SubjectOf(unsigned long request, std::uintptr_t argument) {
  switch (request) {
    case abi::KVM_S390_PV_COMMAND:
      return As<abi::kvm_pv_cmd>(argument).cmd;
    case abi::KVM_CHECK_EXTENSION:
      return argument;
    case abi::KVM_ENABLE_CAP:
      return As<abi::kvm_enable_cap>(argument).cap;
    case abi::KVM_S390_MEM_OP:
      return As<abi::kvm_s390_mem_op>(argument).op;
    case abi::KVM_S390_IRQ:
      return As<abi::kvm_s390_irq>(argument).type;
    case abi::KVM_SET_DEVICE_ATTR:
    case abi::KVM_GET_DEVICE_ATTR:
    case abi::KVM_HAS_DEVICE_ATTR: {
      const auto& attribute = As<abi::kvm_device_attr>(argument);
      // What some groups of the interrupt controller have there is a size.
      return std::uint64_t{attribute.group} << 32 | (attribute.attr & 0xffffffff);
    }
    default:
      return 0;
  }
}

}  // namespace

KernelCall DescribeIoctl(unsigned long request, std::uintptr_t argument, int cpu) {
  return {KernelCall::Kind::kIoctl, request, SubjectOf(request, argument), cpu};
}

std::string ToString(const KernelCall& call) {
  switch (call.kind) {
    case KernelCall::Kind::kOpen:
      return "open";
    case KernelCall::Kind::kMap:
      return absl::StrCat("mmap of CPU ", call.cpu);
    case KernelCall::Kind::kMakeSurvivor:
      return "making a survivor";
    case KernelCall::Kind::kSurvivorCommand:
      return absl::StrCat(PvCommandName(static_cast<std::uint32_t>(call.subject)),
                          " of the survivor");
    case KernelCall::Kind::kIoctl:
      break;
  }
  if (call.request == abi::KVM_S390_PV_COMMAND)
    return std::string(PvCommandName(static_cast<std::uint32_t>(call.subject)));
  std::string text = NameOf(call.request);
  if (call.subject != 0) absl::StrAppend(&text, "(", absl::Hex(call.subject), ")");
  if (call.cpu >= 0) absl::StrAppend(&text, " of CPU ", call.cpu);
  return text;
}

}  // namespace lethe::kvm
