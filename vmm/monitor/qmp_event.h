#ifndef LETHE_VMM_MONITOR_QMP_EVENT_H_
#define LETHE_VMM_MONITOR_QMP_EVENT_H_

#include <chrono>
#include <string>
#include <vector>

#include "pv/event_sink.h"

namespace lethe::vmm {

// What a monitor's client is told of an event: no, one or several QMP events, each a line that ends
// with CR LF. `now` is the time since 1970.
std::vector<std::string> ToQmpEvents(const Event& event, std::chrono::microseconds now);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_QMP_EVENT_H_
