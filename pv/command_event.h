#ifndef LETHE_PV_COMMAND_EVENT_H_
#define LETHE_PV_COMMAND_EVENT_H_

#include <chrono>
#include <string>

#include "absl/strings/string_view.h"
#include "accel/kvm-s390/pv_command.h"
#include "pv/event_sink.h"

namespace lethe {

// How long a step takes.
class Stopwatch {
 public:
  std::chrono::nanoseconds Elapsed() const { return std::chrono::steady_clock::now() - start_; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The event of a PV command that has ended: duration, rc and rrc; `reason` is followed by what went
// wrong, if something did.
Event CommandEvent(absl::string_view name, const Stopwatch& stopwatch, const kvm::PvResult& result,
                   absl::string_view reason = "");

}  // namespace lethe

#endif  // LETHE_PV_COMMAND_EVENT_H_
