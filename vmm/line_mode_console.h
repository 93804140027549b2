#ifndef LETHE_VMM_LINE_MODE_CONSOLE_H_
#define LETHE_VMM_LINE_MODE_CONSOLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "vmm/sclp_event_facility.h"

namespace lethe::vmm {

// The line-mode (operating system messages) console of the SCLP: lines of EBCDIC text. The guest
// sends messages (event type 0x02), the operator commands (event type 0x01). Linux calls it ttyS0.
class LineModeConsole : public SclpEventSource, public SclpEventSink {
 public:
  static constexpr std::uint8_t kCommandEventType = 0x01;
  static constexpr std::uint8_t kMessageEventType = 0x02;

  // `output` receives text with a line feed after each line; called on the thread of the CPU that
  // writes.
  explicit LineModeConsole(std::function<void(absl::string_view)> output)
      : output_(std::move(output)) {}

  // Collects input up to the end of a line (carriage return or line feed), which then waits for the
  // guest; returns how many bytes found room. Backspace and delete edit the line.
  std::size_t Input(absl::string_view bytes);

  bool Pending() const override;
  std::optional<Bytes> Take(std::size_t room) override;
  void Accept(absl::Span<const std::uint8_t> content) override;

 private:
  const std::function<void(absl::string_view)> output_;
  mutable std::mutex mutex_;
  std::string partial_;
  std::deque<std::string> lines_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_LINE_MODE_CONSOLE_H_
