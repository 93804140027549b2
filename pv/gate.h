#ifndef LETHE_PV_GATE_H_
#define LETHE_PV_GATE_H_

#include <condition_variable>
#include <mutex>

namespace lethe {

// Holds threads until a test lets them go.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // Waits until `count` threads have come here.
  void AwaitArrival(int count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

}  // namespace lethe

#endif  // LETHE_PV_GATE_H_
