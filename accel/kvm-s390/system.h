#ifndef LETHE_ACCEL_KVM_S390_SYSTEM_H_
#define LETHE_ACCEL_KVM_S390_SYSTEM_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "accel/kvm-s390/descriptor.h"
#include "accel/kvm-s390/vm.h"

namespace lethe::kvm {

// What this KVM can do, asked once (KVM_CHECK_EXTENSION).
struct Capabilities {
  unsigned recommended_vcpus = 0;
  unsigned max_vcpus = 0;
  unsigned max_vcpu_id = 0;  // CPU addresses are below this
  unsigned memory_slots = 0;
  std::uint32_t mem_op_bytes = 0;  // most bytes per KVM_S390_MEM_OP; 0: there is none
  bool absolute_mem_op = false;
  bool immediate_exit = false;
  bool vcpu_resets = false;
  bool inject_irq = false;
  bool irq_state = false;
  bool irqchip = false;
  bool irqfd = false;
  bool ioeventfd = false;
  bool channel_subsystem = false;
  bool user_sigp = false;
  bool user_stsi = false;
  bool user_instruction_0 = false;
  bool vector_registers = false;
  bool runtime_instrumentation = false;
  bool guarded_storage = false;
  bool branch_prediction_blocking = false;
  bool adapter_interruption_suppression = false;
  bool storage_keys = false;
  bool diagnose_318 = false;
  bool cpu_topology = false;
  bool huge_pages = false;
  bool zpci = false;
  bool protected_guests = false;         // KVM_CAP_S390_PROTECTED
  bool protected_dump = false;           // KVM_CAP_S390_PROTECTED_DUMP
  bool protected_async_disable = false;  // KVM_CAP_S390_PROTECTED_ASYNC_DISABLE
};

// The KVM device.
class System {
 public:
  // Opens `path` and checks that it is the KVM that Lethe knows: API version 12, of s390x, with
  // what Lethe cannot do without. `kernel` must outlive this and everything made from it.
  static absl::StatusOr<System> Open(Kernel& kernel, const char* path = "/dev/kvm");

  const Capabilities& capabilities() const { return capabilities_; }

  absl::StatusOr<Vm> CreateVm() const;

 private:
  System(Descriptor device, Capabilities capabilities, std::size_t run_area_bytes)
      : device_(std::move(device)), capabilities_(capabilities), run_area_bytes_(run_area_bytes) {}

  Descriptor device_;
  Capabilities capabilities_;
  std::size_t run_area_bytes_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_SYSTEM_H_
