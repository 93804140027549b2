#ifndef LETHE_EMULATED_HOST_KVM_EVENT_CHANNELS_H_
#define LETHE_EMULATED_HOST_KVM_EVENT_CHANNELS_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/event_descriptor.h"

namespace lethe::emulated {

// Event descriptors that the guest signals (KVM_IOEVENTFD): by DIAGNOSE X'500' those of virtio-ccw,
// a notification of a queue without leaving the kernel. The buses of other architectures are kept,
// but no guest reaches them. Safe for concurrent use.
class EventChannels {
 public:
  // 0 or a negated errno value.
  int Change(const abi::kvm_ioeventfd& change);

  // Signals the descriptor for queue `datamatch` of the subchannel; its place among the
  // subchannels (a cookie for the guest), or nullopt if nobody listens.
  std::optional<std::size_t> Signal(std::uint64_t subchannel, std::uint64_t datamatch);

 private:
  struct Channel {
    abi::kvm_ioeventfd key{};
    EventDescriptor event;
  };
  int Assign(const abi::kvm_ioeventfd& wanted);
  int Deassign(const abi::kvm_ioeventfd& wanted);

  std::mutex mutex_;
  std::vector<Channel> channels_;  // by address, then by age
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_EVENT_CHANNELS_H_
