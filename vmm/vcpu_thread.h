#ifndef LETHE_VMM_VCPU_THREAD_H_
#define LETHE_VMM_VCPU_THREAD_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "accel/kvm-s390/vcpu.h"

namespace lethe::vmm {

// What a CPU is doing, as the guest could tell. KVM knows the last two as one.
enum class Activity {
  kStopped,
  kDisabledWait,  // waits with all interruptions disabled: only a restart or a reset helps
  kOperating,
};

// What the thread does after an exit was handled.
enum class Next {
  kContinue,  // look at the activity, and run on if it still is kOperating
  kPark,      // stay out of the guest until Unpark(): a request to the machine's owner is posted
};

// Where a CPU's thread is, and since when, for messages about one that does not come out.
struct Whereabouts {
  enum class Place {
    kOutside,
    kGuest,        // KVM_RUN
    kExitHandler,  // of the last exit
    kOrder,        // carries out an order of another thread
  };

  Place place = Place::kOutside;
  std::chrono::steady_clock::time_point since = {};
};

// One CPU of the guest: a thread that is in one of three states,
//
//            activity kOperating                     held, parked
//   Stopped ----------------------> Running ------------------------> Paused
//      ^  <----------------------      |  <------------------------     |
//      |     activity changed          |      let go, kOperating        |
//      +---------------------------------------------------------------- (let go, not operating)
//
// and outside of the guest (and of exit handlers) in all but Running. The thread takes orders from
// other threads in every state.
class VcpuThread {
 public:
  // Called on the CPU's thread. An error means that the guest cannot go on.
  using ExitHandler = std::function<absl::StatusOr<Next>(VcpuThread&, const kvm::VcpuExit&)>;
  // Called on the CPU's thread once the CPU cannot go on, with the reason; the thread parks.
  using FailureHandler = std::function<void(VcpuThread&, absl::Status)>;
  // Called whenever the CPU begins (+1) or ceases (-1) to operate, under the thread's lock.
  using ActivityCounter = std::function<void(int)>;

  // The vCPU is stopped and user space controls its state.
  VcpuThread(std::unique_ptr<kvm::Vcpu> vcpu, ExitHandler on_exit, FailureHandler on_failure,
             ActivityCounter count);
  ~VcpuThread();
  VcpuThread(const VcpuThread&) = delete;
  VcpuThread& operator=(const VcpuThread&) = delete;

  // The CPU. Its registers may be used on this thread (exit handlers, Execute) or while it is held.
  kvm::Vcpu& vcpu() { return *vcpu_; }
  unsigned address() const { return vcpu_->cpu_address(); }

  void Start();
  // Ends the thread and waits for it; the CPU must not be inside an exit handler for long.
  void End();

  // Any thread, at any time.
  Whereabouts whereabouts() const;

  // Any thread may ask; the answer holds until the CPU or another CPU acts.
  Activity activity() const;
  // On this thread, or while held or not started.
  absl::Status SetActivity(Activity activity);

  // Runs `order` on the CPU's thread between two stays in the guest, and waits for it. On this
  // thread: at once.
  void Execute(const std::function<void()>& order);

  // Hold() makes the CPU leave the guest, WaitOutside() waits until it has and its exit handler is
  // done; each Hold() needs one Release(). Prefer AllOut.
  void Hold();
  void WaitOutside();
  bool WaitOutside(std::chrono::steady_clock::time_point deadline);  // false: it is over
  void Release();
  // Lets a CPU go that parked itself. While held: takes effect at Release().
  void Unpark();

 private:
  enum class State { kStopped, kRunning, kPaused, kEnded };

  void Main();
  State Stopped();
  State Running();
  State Paused();
  State NextState() const;  // lock held
  State StayOutside(State current);
  void RunOrders(std::unique_lock<std::mutex>& lock);  // lock held; released meanwhile
  bool TakeRequests();                                 // false: leave Running
  void Park();
  void Be(Whereabouts::Place place);

  const std::unique_ptr<kvm::Vcpu> vcpu_;
  const ExitHandler on_exit_;
  const FailureHandler on_failure_;
  const ActivityCounter count_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Activity activity_ = Activity::kStopped;
  int holds_ = 0;
  bool parked_ = false;
  bool outside_ = true;
  bool ending_ = false;
  std::deque<std::function<void()>> orders_;
  // Place in the two low bits, above it the time: both are always of the same moment.
  std::atomic<std::uint64_t> whereabouts_ = 0;
  // Set by the thread itself: `thread_` may not be assigned yet when it first asks.
  std::atomic<std::thread::id> self_;
  std::thread thread_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_VCPU_THREAD_H_
