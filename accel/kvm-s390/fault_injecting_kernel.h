#ifndef LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_
#define LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/kvm-s390/fault_injecting_survivor.h"
#include "accel/kvm-s390/kernel.h"
#include "accel/kvm-s390/kernel_call.h"

namespace lethe::kvm {

// A call that is to fail instead of being made.
struct Fault {
  unsigned long request = 0;
  // Only this command of KVM_S390_PV_COMMAND (`request` must be that).
  std::optional<std::uint32_t> pv_command = std::nullopt;
  // Which of the matching calls fails, from 1 on; 0: every one.
  unsigned occurrence = 1;
  int error = 0;  // errno value
  // What the PV command leaves in its structure: as the Ultravisor refused. Both zero: untouched.
  std::uint16_t rc = 0;
  std::uint16_t rrc = 0;

  // Exactly this call, instead of `request` and `pv_command`.
  std::optional<KernelCall> call = std::nullopt;
  // What the call returns if `error` is 0, without having been made.
  int result = 0;
  // All matching calls after that one fail as well.
  bool sticks = false;
  // The call is made, and fails afterwards: as when the kernel could not copy its answer to the
  // caller. A descriptor that it returned is closed.
  bool made_first = false;
};

// Passes calls through to another kernel and makes chosen ones fail. All calls from any thread.
class FaultInjectingKernel final : public Kernel {
 public:
  // `wrapped` must outlive this.
  explicit FaultInjectingKernel(Kernel& wrapped) : wrapped_(wrapped) {}

  void Inject(const Fault& fault);
  void Clear();
  // How many calls have failed because of Inject.
  unsigned injected() const;

  // From now on all calls that faults can be for are kept, failed ones included.
  void StartRecording();
  std::vector<KernelCall> recorded() const;

  // Where the survivors made from now on tell of themselves: outlives them. What faults do there
  // counts in it, and not in injected(). Without a journal they are passed through.
  void set_survivor_journal(SurvivorJournal* journal) { survivor_journal_ = journal; }

  // Descriptors and run structures that were given out and have not come back.
  unsigned open_descriptors() const;
  unsigned mapped_areas() const;

  int Open(const char* path, int flags) override;
  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override;
  std::intptr_t Map(int fd, std::size_t length) override;
  int Unmap(void* address, std::size_t length) override;
  int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) override {
    return wrapped_.Poll(descriptors, count, timeout_milliseconds);
  }
  int Kick(int vcpu_fd, pthread_t thread) override { return wrapped_.Kick(vcpu_fd, thread); }
  int Close(int fd) override;
  // Null if a fault strikes. Of the faults for survivors the first one is theirs.
  std::unique_ptr<Survivor> MakeSurvivor(int vm_fd, std::vector<RunArea> run_areas) override;

 private:
  struct Rule {
    Fault fault;
    unsigned seen = 0;
  };

  static constexpr int kNoCpu = -1;

  // The fault that strikes this call, if any.
  std::optional<Fault> Strike(const KernelCall& call);
  int CpuOf(int fd) const;
  SurvivorFault FaultOfSurvivor() const;
  // Notes the descriptor that a call has returned, or closes it, if the call is to have failed.
  void Keep(unsigned long request, std::uintptr_t argument, int result);
  void Drop(unsigned long request, std::uintptr_t argument, int result);

  Kernel& wrapped_;
  mutable std::mutex mutex_;
  std::vector<Rule> rules_;
  unsigned injected_ = 0;
  bool recording_ = false;
  std::vector<KernelCall> recorded_;
  std::map<int, int> cpus_;  // by open descriptor
  unsigned mapped_areas_ = 0;
  SurvivorJournal* survivor_journal_ = nullptr;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_FAULT_INJECTING_KERNEL_H_
