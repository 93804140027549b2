#ifndef LETHE_EMULATED_HOST_KVM_EMULATED_SURVIVOR_H_
#define LETHE_EMULATED_HOST_KVM_EMULATED_SURVIVOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "accel/kvm-s390/kernel.h"
#include "accel/kvm-s390/survivor.h"
#include "emulated-host/kvm/configuration_table.h"
#include "emulated-host/kvm/memory_slots.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {

// A virtual machine of the emulated kernel after the threads in it were killed wherever they were.
// A kernel would have let them finish its system calls; here they stopped in the middle, with locks
// held. So nothing is used but what can be read without a lock, all pages that they had locked are
// unlocked first, and no CPU is asked to forget a page. What they were tearing down is left over:
// it goes with a DISABLE, or with Close().
//
// The walks go over the memory that the machine had when the survivor was made.
class EmulatedSurvivor final : public kvm::Survivor {
 public:
  struct Machine {
    std::shared_ptr<ConfigurationTable> table;
    std::vector<std::shared_ptr<HostRegion>> regions;
    std::vector<MemorySlots::Range> ranges;  // sorted by guest address
    bool may_set_aside = true;               // the parameter async_destroy
    bool long_address_space = true;          // more than 2 GiB: guest addresses may be set aside
  };

  // `ultravisor` must outlive the calls. `copy` is kept as long as the survivor lives.
  EmulatedSurvivor(Ultravisor& ultravisor, Machine machine, int vm_fd,
                   std::vector<kvm::RunArea> run_areas, std::shared_ptr<const void> copy);

  Needs needs() const override;
  int Command(abi::kvm_pv_cmd& command) override;
  void Close() override;

 private:
  ConfigurationTable& table() { return *machine_.table; }
  void BreakLocks();
  int Disable(abi::kvm_pv_cmd& command);
  int SetAside(abi::kvm_pv_cmd& command);
  int CleanUp(abi::kvm_pv_cmd& command);
  bool DestroyCpus(abi::kvm_pv_cmd& command);
  bool DestroyConfiguration(ConfigurationId id, abi::kvm_pv_cmd& command);
  bool DestroyEverything(abi::kvm_pv_cmd& command);
  void DestroyAllPages();

  Ultravisor& ultravisor_;
  const Machine machine_;
  std::vector<HostRegion*> regions_;
  const int vm_fd_;
  const std::vector<kvm::RunArea> run_areas_;
  const std::shared_ptr<const void> copy_;
  bool locks_broken_ = false;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_EMULATED_SURVIVOR_H_
