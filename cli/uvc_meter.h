#ifndef LETHE_CLI_UVC_METER_H_
#define LETHE_CLI_UVC_METER_H_

#include <array>
#include <cstdint>
#include <mutex>

#include "emulated-host/ultravisor/uvc.h"
#include "pv/event_sink.h"

namespace lethe {

// Adds to the events of a teardown how many Ultravisor calls were made since it began, and how many
// pages were destroyed. Only the emulated host can tell; calls that the new guest makes meanwhile
// are counted with them.
class UvcMeter : public EventSink {
 public:
  // Both outlive the meter.
  UvcMeter(const emulated::UvcCounters& counters, EventSink& next)
      : counters_(counters), next_(next) {}

  void Report(const Event& event) override;

 private:
  struct Reading {
    std::uint64_t calls = 0;
    std::uint64_t pages = 0;
  };
  Reading Read() const;
  static Event With(Event event, Reading begin, Reading end);

  const emulated::UvcCounters& counters_;
  EventSink& next_;
  std::mutex mutex_;       // guards the readings
  Reading reset_request_;  // when the last teardown was asked for
  Reading perform_begin_;
};

}  // namespace lethe

#endif  // LETHE_CLI_UVC_METER_H_
