#ifndef LETHE_VMM_VT220_CONSOLE_H_
#define LETHE_VMM_VT220_CONSOLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "vmm/sclp_event_facility.h"

namespace lethe::vmm {

// The full-screen (VT220) console of the SCLP: event type 0x1a in both directions, plain bytes.
// Linux calls it ttysclp0 (ttyS1 in old kernels).
class Vt220Console : public SclpEventSource, public SclpEventSink {
 public:
  static constexpr std::uint8_t kEventType = 0x1a;

  // `output` receives what the guest writes; called on the thread of the CPU that writes.
  explicit Vt220Console(std::function<void(absl::string_view)> output)
      : output_(std::move(output)) {}

  // Queues input for the guest; returns how many bytes found room.
  std::size_t Input(absl::string_view bytes);

  bool Pending() const override;
  std::optional<Bytes> Take(std::size_t room) override;
  void Accept(absl::Span<const std::uint8_t> content) override;

 private:
  const std::function<void(absl::string_view)> output_;
  mutable std::mutex mutex_;
  std::string queue_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_VT220_CONSOLE_H_
