#ifndef LETHE_PV_EVENT_SINK_H_
#define LETHE_PV_EVENT_SINK_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace lethe {

// One step in the life of a guest, as told to whoever follows it (log lines, `--events`).
struct Event {
  // process-start, memory, first-instruction, first-output, pv-enable, pv-set-parameters,
  // pv-unpack, pv-verify, pv-refused, protected, reset-request, prepare, guest-restarted,
  // perform-begin, perform-end, disable, pause, resume, power-down-request, power-off, crash, end
  // (from outside), decision, degraded (what the host does not allow), stopped, released, exit. The
  // sink adds the time.
  std::string name = {};
  std::optional<std::chrono::nanoseconds> duration = {};  // how long the step took
  std::optional<std::uint64_t> pages = {};                // pages handled by it
  std::optional<std::uint64_t> uvcs = {};                 // Ultravisor calls made by it
  std::optional<std::uint16_t> rc = {};                   // of the PV command, with rrc
  std::optional<std::uint16_t> rrc = {};
  std::string reason = {};                         // why, or what failed; empty: nothing to say
  std::optional<std::uint64_t> host_address = {};  // memory: where the VMM has the guest's memory
  std::optional<std::uint64_t> size = {};          // memory: its size in bytes
  // Of a reset or an end: who wanted it ("guest-reset", "host-signal": vmm/cause.h).
  std::string cause = {};
  // decision, stopped, released: "reboot" or "shutdown", and how it is torn down.
  std::string kind = {};
  std::string strategy = {};
  // crash: where.
  std::optional<unsigned> cpu = {};
  std::optional<std::uint64_t> psw_mask = {};
  std::optional<std::uint64_t> psw_address = {};
};

// Called from any thread, concurrently; must not block for long and must not call back.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Report(const Event& event) = 0;
};

}  // namespace lethe

#endif  // LETHE_PV_EVENT_SINK_H_
