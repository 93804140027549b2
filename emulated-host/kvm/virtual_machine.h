#ifndef LETHE_EMULATED_HOST_KVM_VIRTUAL_MACHINE_H_
#define LETHE_EMULATED_HOST_KVM_VIRTUAL_MACHINE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "emulated-host/cpu/cpu_group.h"
#include "emulated-host/kvm/address_space_mark.h"
#include "emulated-host/kvm/event_channels.h"
#include "emulated-host/kvm/execution_gate.h"
#include "emulated-host/kvm/floating_interrupts.h"
#include "emulated-host/kvm/guest_cpu_model.h"
#include "emulated-host/kvm/host.h"
#include "emulated-host/kvm/interrupt_adapters.h"
#include "emulated-host/kvm/interrupt_lines.h"
#include "emulated-host/kvm/memory_slots.h"
#include "emulated-host/kvm/protection.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

class VirtualCpu;

// One virtual machine of KVM: what its descriptors (vm, vcpu, device) share. It lives as long as
// one of them does; its end destroys what is left of its secure configurations.
//
// Locks, in the order in which they are taken (each may be taken without the ones before it):
//   lock()             one per machine: memory slots, CPU model, creation of CPUs, PV commands
//   VirtualCpu mutex   one per CPU: held by every ioctl of the CPU, KVM_RUN included
//   gate()             held open by a CPU that executes or handles an intercept, and by whoever
//                      touches guest storage; closed for the moment in which slots are exchanged.
//                      Nobody waits for lock() or for a CPU's mutex inside the gate.
//   interruption stores, Host, HostMapping, page locks: leaves
class VirtualMachine : public std::enable_shared_from_this<VirtualMachine>, private PagePurger {
 public:
  static constexpr unsigned kMaxCpus = 248;

  explicit VirtualMachine(Host& host);
  ~VirtualMachine() override;

  Host& host() { return host_; }
  std::mutex& lock() { return lock_; }
  ExecutionGate& gate() { return gate_; }
  GuestStorage& storage() { return storage_; }
  CpuGroup& group() { return group_; }
  FloatingInterrupts& floating() { return floating_; }
  Protection& protection() { return protection_; }
  EventChannels& channels() { return channels_; }
  InterruptAdapters& adapters() { return adapters_; }
  InterruptLines& lines() { return lines_; }
  // Is the caller in the memory that the machine belongs to? All others are told -EIO.
  bool IsInOwnMemory() const { return mark_.IsHere(); }

  // Under lock().
  GuestCpuModel& cpu_model() { return cpu_model_; }
  MemorySlots& slots() { return slots_; }

  // --- CPUs ------------------------------------------------------------------------------------
  // Under lock(). A negated errno value, or 0 and the CPU.
  int CreateCpu(std::uint64_t address, VirtualCpu*& cpu);
  // nullptr: there is none. Without lock.
  VirtualCpu* FindCpu(std::uint64_t address) const;
  // All CPUs, by address. They live as long as the machine.
  std::vector<VirtualCpu*> cpus() const;
  unsigned cpu_count() const { return cpu_count_; }

  // --- memory ----------------------------------------------------------------------------------
  int SetMemoryRegion(const abi::kvm_userspace_memory_region& region);
  // The host's page behind a guest absolute address. False: no slot. Inside the gate.
  bool FindPage(std::uint64_t absolute, HostRegion*& region, std::size_t& page);
  // Makes the pages of a range accessible to the kernel, as the kernel does before it copies.
  // False: not in a slot, or it stays secure. Inside the gate.
  bool MakeAccessible(std::uint64_t absolute, std::uint64_t size);
  // KVM_GET_DIRTY_LOG: a bit for each page of the slot, counted from the right of each byte, and
  // the log begins anew.
  int TakeDirtyLog(std::uint32_t slot, std::vector<std::uint8_t>& bitmap);
  // Copies, made accessible before; no keys, no prefixing. False: not all of it is there, and
  // nothing was copied. Inside the gate.
  bool ReadAbsolute(std::uint64_t absolute, absl::Span<std::uint8_t> to);
  bool WriteAbsolute(std::uint64_t absolute, absl::Span<const std::uint8_t> from);
  // The kernel has stored into the page `frame`, which holds `absolute`. Inside the gate.
  void NoteStored(const PageFrame& frame, std::uint64_t absolute);

  // --- interruptions ---------------------------------------------------------------------------
  int InjectFloating(const abi::kvm_s390_irq& irq);
  // KVM_SET_GSI_ROUTING. -EFAULT: an indicator is not in storage.
  int RouteLines(absl::Span<const abi::kvm_irq_routing_entry> entries);
  // The indicators of a line that was pulled, and the interruption if the summary was clear.
  void SetIndicators(const InterruptLines::Target& target);
  // A floating interruption became deliverable: CPUs are to look.
  void NotifyCpus();

  // --- what capabilities and attributes switched on --------------------------------------------
  struct Settings {
    std::atomic<bool> user_controls_cpu_state{false};
    std::atomic<bool> channel_subsystem{false};
    std::atomic<bool> user_sigp{false};
    std::atomic<bool> user_stsi{false};
    std::atomic<bool> user_instruction0{false};
    std::atomic<bool> interrupt_controller{false};
    std::atomic<bool> floating_controller_exists{false};
    std::atomic<bool> interrupt_suppression{false};  // facility 72
    std::atomic<bool> migration_mode{false};
    std::atomic<std::uint64_t> memory_limit{0};
    std::atomic<bool> storage_keys{false};
  };
  Settings& settings() { return settings_; }

 private:
  void PurgePage(std::uint64_t absolute) override;
  std::optional<bool> SetIndicator(std::uint64_t absolute, std::uint64_t bit, bool swap);

  Host& host_;
  std::mutex lock_;
  ExecutionGate gate_;
  Settings settings_;
  GuestStorage storage_;
  CpuGroup group_;
  GuestCpuModel cpu_model_;
  CpuModel effective_model_;  // of the CPUs; fixed by the first
  FloatingInterrupts floating_;
  EventChannels channels_;
  InterruptAdapters adapters_;
  MemorySlots slots_;
  Protection protection_;
  std::atomic<unsigned> cpu_count_{0};
  std::array<std::unique_ptr<VirtualCpu>, kMaxCpus> owned_cpus_;
  std::array<std::atomic<VirtualCpu*>, kMaxCpus> cpus_{};
  const AddressSpaceMark mark_;
  InterruptLines lines_;  // last: its thread uses all others
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_VIRTUAL_MACHINE_H_
