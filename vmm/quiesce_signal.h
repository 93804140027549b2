#ifndef LETHE_VMM_QUIESCE_SIGNAL_H_
#define LETHE_VMM_QUIESCE_SIGNAL_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "vmm/sclp_event_facility.h"

namespace lethe::vmm {

// Asks the guest to shut itself down: SCLP event type 0x1d.
class QuiesceSignal : public SclpEventSource {
 public:
  static constexpr std::uint8_t kEventType = 0x1d;

  void Raise() { raised_ = true; }
  bool Pending() const override { return raised_; }
  // Two bytes of timeout and one of its unit: no deadline.
  std::optional<Bytes> Take(std::size_t room) override {
    if (room < 4 || !raised_.exchange(false)) return std::nullopt;
    return Bytes{0, 0, 0, 0};
  }

 private:
  std::atomic<bool> raised_ = false;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_QUIESCE_SIGNAL_H_
