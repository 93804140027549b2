#ifndef LETHE_EMULATED_HOST_KVM_INTERRUPT_LINES_H_
#define LETHE_EMULATED_HOST_KVM_INTERRUPT_LINES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "base/unique_fd.h"
#include "emulated-host/kvm/event_descriptor.h"

namespace lethe::emulated {

// The interrupt lines of one machine (KVM_SET_GSI_ROUTING) and the event descriptors that pull them
// (KVM_IRQFD). Each line goes to an adapter: a signal sets its indicator and the summary indicator,
// and interrupts when the latter was clear. One thread for all descriptors, started with the first.
// Safe for concurrent use.
class InterruptLines {
 public:
  using Target = abi::kvm_irq_routing_s390_adapter;

  // `pull` is called on that thread; nothing of this object may be called from there.
  explicit InterruptLines(std::function<void(const Target&)> pull) : pull_(std::move(pull)) {}
  ~InterruptLines();
  InterruptLines(const InterruptLines&) = delete;
  InterruptLines& operator=(const InterruptLines&) = delete;

  // Replaces the table. -EINVAL: an entry that is not an adapter's, or a line given twice; then the
  // old one stays.
  int Route(absl::Span<const abi::kvm_irq_routing_entry> entries);

  // KVM_IRQFD. After a release nothing of that descriptor is under way any more.
  int Change(const abi::kvm_irqfd& change);

 private:
  struct Binding {
    EventDescriptor event;
    EventDescriptor resample;  // kept; these lines have no level to sample
    std::uint32_t line = 0;
  };

  int Bind(const abi::kvm_irqfd& wanted);
  int Release(const abi::kvm_irqfd& wanted);
  bool Start();
  void Run();
  void Serve(std::uint64_t key);

  const std::function<void(const Target&)> pull_;
  std::mutex mutex_;
  std::map<std::uint32_t, Target> routes_;
  std::map<std::uint64_t, Binding> bindings_;  // by the number that the thread knows them by
  std::uint64_t next_key_ = kStop + 1;
  UniqueFd poll_;
  UniqueFd stop_;
  std::thread thread_;

  static constexpr std::uint64_t kStop = 0;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_INTERRUPT_LINES_H_
