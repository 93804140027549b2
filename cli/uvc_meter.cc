#include "cli/uvc_meter.h"

#include <utility>

namespace lethe {

using emulated::Uvc;

UvcMeter::Reading UvcMeter::Read() const {
  Reading reading;
  for (const emulated::UvcNumber& row : emulated::kUvcNumbers)
    reading.calls += counters_.of(row.call);
  reading.pages = counters_.of(Uvc::kDestroyPage);
  return reading;
}

Event UvcMeter::With(Event event, Reading begin, Reading end) {
  event.uvcs = end.calls - begin.calls;
  event.pages = end.pages - begin.pages;
  return event;
}

void UvcMeter::Report(const Event& event) {
  const Reading now = Read();
  Reading begin;
  {
    std::lock_guard lock(mutex_);
    if (event.name == "reset-request") reset_request_ = now;
    if (event.name == "perform-begin") perform_begin_ = now;
    begin = event.name == "perform-end" ? perform_begin_ : reset_request_;
  }
  if (event.name == "prepare" || event.name == "disable" || event.name == "perform-end") {
    next_.Report(With(event, begin, now));
  } else {
    next_.Report(event);
  }
}

}  // namespace lethe
