#ifndef LETHE_VMM_CPU_SET_H_
#define LETHE_VMM_CPU_SET_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "vmm/vcpu_thread.h"

namespace lethe::vmm {

// The CPUs of a machine, by address.
class CpuSet {
 public:
  // Adds a CPU; all are added before the first starts.
  VcpuThread& Add(std::unique_ptr<kvm::Vcpu> vcpu, VcpuThread::ExitHandler on_exit,
                  VcpuThread::FailureHandler on_failure) {
    threads_.push_back(std::make_unique<VcpuThread>(std::move(vcpu), std::move(on_exit),
                                                    std::move(on_failure),
                                                    [this](int change) { operating_ += change; }));
    return *threads_.back();
  }

  // Null when the machine has no such CPU.
  VcpuThread* Find(unsigned address) {
    for (const auto& thread : threads_)
      if (thread->address() == address) return thread.get();
    return nullptr;
  }

  const std::vector<std::unique_ptr<VcpuThread>>& all() const { return threads_; }

  // How many CPUs are operating (neither stopped nor in a disabled wait).
  int operating() const { return operating_; }

  // Held while one CPU acts on another; who does not get it at once tells its guest "busy".
  std::mutex& signal_mutex() { return signal_mutex_; }

  void Start() {
    for (const auto& thread : threads_) thread->Start();
  }
  void End() {
    for (const auto& thread : threads_) thread->End();
  }

 private:
  std::atomic<int> operating_ = 0;
  std::mutex signal_mutex_;
  std::vector<std::unique_ptr<VcpuThread>> threads_;
};

// A barrier: while it exists no CPU is inside the guest or an exit handler. Not for CPU threads.
class AllOut {
 public:
  // Waits for all CPUs, however long that takes.
  explicit AllOut(CpuSet& cpus);
  // Waits for `bound`. Should that not be enough, status() says which CPU did not come out and
  // where it has been for how long, and the barrier does not hold: KVM would wait for that CPU
  // without end in any command for all of the guest. (Destroyed, it lets all go as usual.)
  AllOut(CpuSet& cpus, std::chrono::nanoseconds bound);
  ~AllOut();
  AllOut(const AllOut&) = delete;
  AllOut& operator=(const AllOut&) = delete;

  // OK, or DeadlineExceeded.
  const absl::Status& status() const { return status_; }

 private:
  void Hold();

  CpuSet& cpus_;
  absl::Status status_;
};

// What a reboot or the way into protected mode gives CPUs to come out.
inline constexpr std::chrono::seconds kBarrierPatience{10};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_CPU_SET_H_
