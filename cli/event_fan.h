#ifndef LETHE_CLI_EVENT_FAN_H_
#define LETHE_CLI_EVENT_FAN_H_

#include <functional>
#include <utility>
#include <vector>

#include "pv/event_sink.h"

namespace lethe {

// Passes each event on to everybody who follows the guest, in the order they were added. All are
// added before the first event comes from another thread.
class EventFan : public EventSink {
 public:
  using Follower = std::function<void(const Event&)>;

  // `sink` outlives this.
  void Add(EventSink& sink) {
    followers_.push_back([&sink](const Event& event) { sink.Report(event); });
  }
  void Add(Follower follower) { followers_.push_back(std::move(follower)); }

  void Report(const Event& event) override {
    for (const Follower& follower : followers_) follower(event);
  }

 private:
  std::vector<Follower> followers_;
};

}  // namespace lethe

#endif  // LETHE_CLI_EVENT_FAN_H_
