#ifndef LETHE_VMM_MACHINE_REQUEST_H_
#define LETHE_VMM_MACHINE_REQUEST_H_

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <variant>

#include "absl/status/status.h"
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
// From outside the guest.
struct EndMachine {};

using MachineRequest =
    std::variant<ReIpl, RestartInPlace, StartProtected, PowerOff, Crash, Failure, EndMachine>;

// What CPUs and the outside ask of the thread that owns the machine. Safe for concurrent use.
class RequestQueue {
 public:
  void Post(MachineRequest request) {
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    arrived_.notify_one();
  }

  MachineRequest Wait() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !requests_.empty(); });
    MachineRequest request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  // Drops what CPUs asked for: a reset makes it void. While all CPUs are out.
  void DropGuestRequests() {
    std::lock_guard lock(mutex_);
    std::erase_if(requests_, [](const MachineRequest& request) {
      return !std::holds_alternative<EndMachine>(request) &&
             !std::holds_alternative<Failure>(request);
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<MachineRequest> requests_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MACHINE_REQUEST_H_
