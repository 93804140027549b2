#ifndef LETHE_VMM_GUEST_CONSOLE_H_
#define LETHE_VMM_GUEST_CONSOLE_H_

#include <atomic>
#include <cstddef>
#include <functional>

#include "absl/strings/string_view.h"
#include "vmm/line_mode_console.h"
#include "vmm/vt220_console.h"

namespace lethe::vmm {

// The guest end of the console: both SCLP consoles share one terminal. What is typed goes to the
// one on which the guest wrote last, as that is where its prompt stands.
class GuestConsole {
 public:
  explicit GuestConsole(std::function<void(absl::string_view)> output)
      : output_(std::move(output)),
        vt220_([this](absl::string_view text) { Write(true, text); }),
        line_mode_([this](absl::string_view text) { Write(false, text); }) {}

  // Returns how many bytes found room. Safe for concurrent use.
  std::size_t Input(absl::string_view bytes) {
    return to_vt220_ ? vt220_.Input(bytes) : line_mode_.Input(bytes);
  }

  Vt220Console& vt220() { return vt220_; }
  LineModeConsole& line_mode() { return line_mode_; }

 private:
  void Write(bool vt220, absl::string_view text) {
    to_vt220_ = vt220;
    output_(text);
  }

  const std::function<void(absl::string_view)> output_;
  std::atomic<bool> to_vt220_ = true;
  Vt220Console vt220_;
  LineModeConsole line_mode_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_GUEST_CONSOLE_H_
