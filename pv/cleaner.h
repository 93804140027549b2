#ifndef LETHE_PV_CLEANER_H_
#define LETHE_PV_CLEANER_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "accel/kvm-s390/pv_command.h"
#include "pv/event_sink.h"

namespace lethe {

// Cleans set-aside guests in the background: a thread that waits from the beginning, so that
// PERFORM follows PREPARE at once. One guest after the other; the kernel has room for one that
// waits. All calls may come from any thread.
class Cleaner {
 public:
  // `events` and the VM of `command` must outlive this.
  Cleaner(kvm::PvCommand command, EventSink& events);
  // Waits for a PERFORM that has begun, however long it takes (only the end of the process
  // interrupts it); what still waits is left to the kernel, which cleans it with the VM.
  ~Cleaner();
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // PREPARE has succeeded. The one before it must have begun (WaitForRoom).
  void HandOver();
  // DISABLE has succeeded, which cleans what waits.
  void Forget();

  // Waits until nothing waits any more, so that PREPARE may be issued; false: `bound` is over.
  // A PERFORM that runs is no obstacle. The kernel does not tell when PERFORM has taken the guest
  // up, so a PERFORM that has only just begun gets a moment for it; should that not be enough,
  // PREPARE fails and DISABLE cleans both guests.
  bool WaitForRoom(std::chrono::nanoseconds bound);
  // Waits until nothing waits or runs; false: `bound` is over.
  bool WaitUntilIdle(std::chrono::nanoseconds bound);
  bool idle() const;

 private:
  void Run();
  void Clean();

  kvm::PvCommand command_;
  EventSink& events_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool waiting_ = false;  // a guest was handed over and PERFORM has not begun
  bool running_ = false;
  std::chrono::steady_clock::time_point begun_;  // when `running_` was set
  bool stop_ = false;
  std::thread thread_;  // last: everything above exists when it starts
};

}  // namespace lethe

#endif  // LETHE_PV_CLEANER_H_
