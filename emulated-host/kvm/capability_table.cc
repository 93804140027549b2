#include "emulated-host/kvm/capability_table.h"

#include <algorithm>
#include <thread>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/memory_operation.h"
#include "emulated-host/kvm/memory_slots.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Options = EmulatedKernelOptions;

int RecommendedCpus(const Options&) {
  return static_cast<int>(
      std::clamp(std::thread::hardware_concurrency(), 1u, VirtualMachine::kMaxCpus));
}

int Protected(const Options& options) { return options.ultravisor != nullptr; }

int AsynchronousDisable(const Options& options) {
  return options.ultravisor != nullptr && options.asynchronous_destroy;
}

struct Row {
  unsigned capability;
  int value;
  int (*compute)(const Options&) = nullptr;
};
constexpr Row kRows[] = {
    {abi::KVM_CAP_USER_MEMORY, 1},
    {21 /* KVM_CAP_DESTROY_MEMORY_REGION_WORKS */, 1},
    {30 /* KVM_CAP_JOIN_MEMORY_REGIONS_WORKS */, 1},
    {40 /* KVM_CAP_INTERNAL_ERROR_DATA */, 1},
    {abi::KVM_CAP_NR_VCPUS, 0, &RecommendedCpus},
    {abi::KVM_CAP_MAX_VCPUS, static_cast<int>(VirtualMachine::kMaxCpus)},
    {abi::KVM_CAP_MAX_VCPU_ID, static_cast<int>(VirtualMachine::kMaxCpus)},
    {abi::KVM_CAP_NR_MEMSLOTS, static_cast<int>(MemorySlots::kMaxSlots)},
    {abi::KVM_CAP_MP_STATE, 1},
    {abi::KVM_CAP_SYNC_MMU, 1},
    {abi::KVM_CAP_IRQ_ROUTING, 4096},
    {abi::KVM_CAP_IRQFD, 1},
    {abi::KVM_CAP_IRQFD_RESAMPLE, 1},
    {abi::KVM_CAP_IOEVENTFD, 1},
    {abi::KVM_CAP_IOEVENTFD_ANY_LENGTH, 1},
    {abi::KVM_CAP_S390_PSW, 1},
    {abi::KVM_CAP_ENABLE_CAP, 1},
    {abi::KVM_CAP_ENABLE_CAP_VM, 1},
    {abi::KVM_CAP_ONE_REG, 1},
    {abi::KVM_CAP_S390_GMAP, 1},
    {abi::KVM_CAP_SYNC_REGS, 1},
    {abi::KVM_CAP_S390_COW, 1},
    {abi::KVM_CAP_S390_CSS_SUPPORT, 1},
    {abi::KVM_CAP_DEVICE_CTRL, 1},
    {abi::KVM_CAP_S390_IRQCHIP, 1},
    {abi::KVM_CAP_VM_ATTRIBUTES, 1},
    {abi::KVM_CAP_CHECK_EXTENSION_VM, 1},
    {abi::KVM_CAP_S390_USER_SIGP, 1},
    {abi::KVM_CAP_S390_MEM_OP, static_cast<int>(kMaxMemoryOperation)},
    {abi::KVM_CAP_S390_MEM_OP_EXTENSION,
     abi::KVM_S390_MEMOP_EXTENSION_CAP_BASE | abi::KVM_S390_MEMOP_EXTENSION_CAP_CMPXCHG},
    {abi::KVM_CAP_SET_GUEST_DEBUG, 1},
    {abi::KVM_CAP_SET_GUEST_DEBUG2, 0x10010003},  // as Linux names its flags
    {abi::KVM_CAP_ASYNC_PF, 1},
    {abi::KVM_CAP_HALT_POLL, 1},
    {abi::KVM_CAP_S390_AIS, 1},
    {abi::KVM_CAP_S390_AIS_MIGRATION, 1},
    {abi::KVM_CAP_S390_CMMA_MIGRATION, 1},
    {abi::KVM_CAP_S390_USER_STSI, 1},
    {abi::KVM_CAP_S390_SKEYS, 1},
    {abi::KVM_CAP_S390_INJECT_IRQ, 1},
    {abi::KVM_CAP_S390_IRQ_STATE, 1},
    {abi::KVM_CAP_S390_USER_INSTR0, 1},
    {abi::KVM_CAP_IMMEDIATE_EXIT, 1},
    {abi::KVM_CAP_S390_VCPU_RESETS, 1},
    {abi::KVM_CAP_S390_DIAG318, 1},
    {abi::KVM_CAP_USER_MEMORY2, 1},
    {abi::KVM_CAP_S390_PROTECTED, 0, &Protected},
    {abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE, 0, &AsynchronousDisable},
};

}  // namespace

int CheckExtension(const EmulatedKernelOptions& options, std::uintptr_t capability) {
  for (const Row& row : kRows) {
    if (row.capability == capability) {
      return row.compute != nullptr ? row.compute(options) : row.value;
    }
  }
  return 0;
}

}  // namespace lethe::emulated
