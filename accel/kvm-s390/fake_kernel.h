#ifndef LETHE_ACCEL_KVM_S390_FAKE_KERNEL_H_
#define LETHE_ACCEL_KVM_S390_FAKE_KERNEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/kernel.h"

namespace lethe::kvm {

// A KVM for tests: no guest runs, but descriptors, states and the order of checks of the PV
// commands are those of Linux. Everything that changes a guest is entered in a trace in words
// ("pv prepare", "cpu 1 clear-reset"), so that a test can say what it expects.
class FakeKernel final : public Kernel {
 public:
  FakeKernel();
  ~FakeKernel() override;

  // What KVM_CHECK_EXTENSION answers; absent: 0. Starts as a host that can do everything.
  std::map<unsigned, int> capabilities;
  // Replaces the treatment of a request.
  using Handler = std::function<int(int fd, std::uintptr_t argument)>;
  void On(unsigned long request, Handler handler);
  // KVM_RUN of the vCPU with this address; without it KVM_RUN waits for Kick.
  std::function<int(unsigned cpu_address, abi::kvm_run& run)> on_run;
  // Called inside PERFORM, under no lock: before it has taken the set-aside configuration, and
  // after.
  std::function<void()> before_perform;
  std::function<void()> during_perform;

  // What happened so far. Requests without a name of their own are not in it.
  std::vector<std::string> Trace() const;
  void ClearTrace();

  int open_descriptors() const;
  int mappings() const;
  bool is_protected() const;
  // Configurations that still exist: the guest's own, set aside, being cleaned, left over.
  int secure_configurations() const;

  int Open(const char* path, int flags) override;
  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override;
  std::intptr_t Map(int fd, std::size_t length) override;
  int Unmap(void* address, std::size_t length) override;
  int Poll(pollfd* descriptors, std::size_t count, int timeout_milliseconds) override;
  int Kick(int vcpu_fd, pthread_t thread) override;
  int Close(int fd) override;
  // None: the fake has nothing that outlives its process.
  std::unique_ptr<Survivor> MakeSurvivor(int, std::vector<RunArea>) override { return nullptr; }

 private:
  struct VcpuState;
  enum class Stage { kNone, kCreated, kHeaderSet, kVerified };

  int NewDescriptor();
  int CreateVcpu(unsigned cpu_address);
  int Run(int fd);
  int PvCommand(abi::kvm_pv_cmd& command);
  int Perform(abi::kvm_pv_cmd& command);
  int PvCommandLocked(abi::kvm_pv_cmd& command);
  int Enable(abi::kvm_pv_cmd& command);
  int Disable(abi::kvm_pv_cmd& command);
  int Prepare(abi::kvm_pv_cmd& command);
  int VcpuRequest(VcpuState& vcpu, unsigned long request, std::uintptr_t argument);
  int SetState(VcpuState& vcpu, std::uint32_t state);
  int SetAttribute(const abi::kvm_device_attr& attribute);
  void Note(std::string what);

  mutable std::mutex mutex_;
  std::map<unsigned long, Handler> handlers_;
  std::set<int> descriptors_;
  std::map<int, std::unique_ptr<VcpuState>> vcpus_;  // by descriptor
  std::set<void*> mappings_;
  std::vector<std::string> trace_;
  int next_descriptor_ = 1000;
  std::uint64_t memory_limit_ = abi::KVM_S390_NO_MEM_LIMIT;
  Stage stage_ = Stage::kNone;
  bool set_aside_ = false;
  int being_cleaned_ = 0;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_FAKE_KERNEL_H_
