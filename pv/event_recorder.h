#ifndef LETHE_PV_EVENT_RECORDER_H_
#define LETHE_PV_EVENT_RECORDER_H_

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pv/event_sink.h"

namespace lethe {

// Keeps events, for tests.
class EventRecorder final : public EventSink {
 public:
  // Called with each event, after it was kept.
  std::function<void(const Event&)> on_event;

  void Report(const Event& event) override {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
    }
    if (on_event) on_event(event);
  }

  std::vector<Event> Events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Event& event : Events()) names.push_back(event.name);
    return names;
  }

  // The newest event of this name.
  std::optional<Event> Last(const std::string& name) const {
    std::optional<Event> last;
    for (const Event& event : Events())
      if (event.name == name) last = event;
    return last;
  }

  void Clear() {
    std::lock_guard lock(mutex_);
    events_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

}  // namespace lethe

#endif  // LETHE_PV_EVENT_RECORDER_H_
