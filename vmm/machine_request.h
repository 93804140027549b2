#ifndef LETHE_VMM_MACHINE_REQUEST_H_
#define LETHE_VMM_MACHINE_REQUEST_H_

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "vmm/cause.h"
#include "vmm/outcome.h"

namespace lethe::vmm {

// Load the machine anew: system reset, boot files, first CPU. From DIAGNOSE 308 subcodes 3 and 4.
struct ReIpl {
  unsigned cpu;  // the CPU that asked; it starts again
};
// Reset and start at the PSW at absolute 0, storage kept. DIAGNOSE 308 subcodes 0 and 1.
struct RestartInPlace {
  unsigned cpu;
  bool clear;  // subcode 0: clear reset of all CPUs
};
// Enter secure mode. DIAGNOSE 308 subcode 10.
struct StartProtected {
  unsigned cpu;
  unsigned result_register;  // where the guest finds why it failed
};
struct PowerOff {};
struct Crash {
  unsigned cpu;
  Psw psw;
  std::string reason;
};
// A CPU cannot go on, because of the host.
struct Failure {
  absl::Status status;
};

// From outside the guest. Who waits for `served` is told when that is done, or never will be.
struct PauseMachine {
  std::shared_ptr<absl::Notification> served;
};
struct ContinueMachine {
  std::shared_ptr<absl::Notification> served;
};
struct ResetMachine {
  Cause cause;
};
struct EndMachine {
  Cause cause;
};

using MachineRequest = std::variant<ReIpl, RestartInPlace, StartProtected, PowerOff, Crash, Failure,
                                    PauseMachine, ContinueMachine, ResetMachine, EndMachine>;

// Whether the guest itself wants it, so that it waits while the machine is paused and a reset makes
// it void.
inline bool IsOfGuest(const MachineRequest& request) {
  struct Visitor {
    bool operator()(const ReIpl&) const { return true; }
    bool operator()(const RestartInPlace&) const { return true; }
    bool operator()(const StartProtected&) const { return true; }
    bool operator()(const PowerOff&) const { return true; }
    bool operator()(const Crash&) const { return true; }
    bool operator()(const Failure&) const { return false; }
    bool operator()(const PauseMachine&) const { return false; }
    bool operator()(const ContinueMachine&) const { return false; }
    bool operator()(const ResetMachine&) const { return false; }
    bool operator()(const EndMachine&) const { return false; }
  };
  return std::visit(Visitor{}, request);
}

// What CPUs and the outside ask of the thread that owns the machine. Safe for concurrent use.
class RequestQueue {
 public:
  void Post(MachineRequest request) {
    std::lock_guard lock(mutex_);
    if (closed_) return Answer(request);
    requests_.push_back(std::move(request));
    arrived_.notify_one();
  }

  // The oldest request; those of the guest keep waiting if `but_guests`.
  MachineRequest Wait(bool but_guests = false) {
    std::unique_lock lock(mutex_);
    for (;;) {
      for (auto next = requests_.begin(); next != requests_.end(); ++next) {
        if (but_guests && IsOfGuest(*next)) continue;
        MachineRequest request = std::move(*next);
        requests_.erase(next);
        return request;
      }
      arrived_.wait(lock);
    }
  }

  // Drops what CPUs asked for: a reset makes it void. While all CPUs are out.
  void DropGuestRequests() {
    std::lock_guard lock(mutex_);
    std::erase_if(requests_, IsOfGuest);
  }

  // Nobody will serve requests any more: who waits for one is let go, now and later.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (const MachineRequest& request : requests_) Answer(request);
    requests_.clear();
  }

 private:
  static void Answer(const MachineRequest& request) {
    if (const auto* pause = std::get_if<PauseMachine>(&request)) pause->served->Notify();
    if (const auto* resume = std::get_if<ContinueMachine>(&request)) resume->served->Notify();
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<MachineRequest> requests_;
  bool closed_ = false;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_REQUEST_H_
