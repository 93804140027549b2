#ifndef LETHE_EMULATED_HOST_KVM_INTERRUPT_ADAPTERS_H_
#define LETHE_EMULATED_HOST_KVM_INTERRUPT_ADAPTERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "accel/kvm-s390/abi.h"

namespace lethe::emulated {

// The sources of adapter interruptions of one machine, and adapter-interruption suppression: in
// single mode one interruption of a subclass is made pending, then none until the program sets the
// mode again. Safe for concurrent use.
class InterruptAdapters {
 public:
  using Inject = std::function<int(const abi::kvm_s390_irq& irq)>;

  struct Adapter {
    abi::kvm_s390_io_adapter description{};
    bool masked = false;
  };

  // `inject` makes a floating interruption pending: 0 or a negated errno value.
  explicit InterruptAdapters(Inject inject) : inject_(std::move(inject)) {}

  // 0 or -EINVAL, as the requests of the floating interrupt controller answer.
  int Register(const abi::kvm_s390_io_adapter& description);
  int Modify(const abi::kvm_s390_io_adapter_req& request);
  std::optional<Adapter> Find(std::uint32_t id) const;

  // An interruption of the adapter, masked or not. `suppression`: the guest has the facility.
  int Interrupt(std::uint32_t id, bool suppression);

  int SetMode(const abi::kvm_s390_ais_req& request);
  abi::kvm_s390_ais_all modes() const;
  void set_modes(const abi::kvm_s390_ais_all& modes);

 private:
  const Inject inject_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, Adapter> adapters_;
  abi::kvm_s390_ais_all modes_{};  // bits by subclass: single mode, nothing more until it is set
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_INTERRUPT_ADAPTERS_H_
