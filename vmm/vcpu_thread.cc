#include "vmm/vcpu_thread.h"

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"

namespace lethe::vmm {

VcpuThread::VcpuThread(std::unique_ptr<kvm::Vcpu> vcpu, ExitHandler on_exit,
                       FailureHandler on_failure, ActivityCounter count)
    : vcpu_(std::move(vcpu)),
      on_exit_(std::move(on_exit)),
      on_failure_(std::move(on_failure)),
      count_(std::move(count)) {}

VcpuThread::~VcpuThread() { End(); }

void VcpuThread::Start() {
  LETHE_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Main(); });
}

void VcpuThread::End() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  vcpu_->Kick();
  thread_.join();
}

Activity VcpuThread::activity() const {
  std::lock_guard lock(mutex_);
  return activity_;
}

absl::Status VcpuThread::SetActivity(Activity activity) {
  std::lock_guard lock(mutex_);
  if (activity == activity_) return absl::OkStatus();
  const bool stopped = activity == Activity::kStopped;
  if (stopped != (activity_ == Activity::kStopped)) {
    LETHE_RETURN_IF_ERROR(
        vcpu_->SetState(stopped ? kvm::VcpuState::kStopped : kvm::VcpuState::kOperating));
  }
  const int before = activity_ == Activity::kOperating ? 1 : 0;
  const int after = activity == Activity::kOperating ? 1 : 0;
  activity_ = activity;
  if (after != before) count_(after - before);
  changed_.notify_all();
  return absl::OkStatus();
}

void VcpuThread::Execute(const std::function<void()>& order) {
  if (std::this_thread::get_id() == self_.load()) return order();
  bool done = false;
  std::unique_lock lock(mutex_);
  // The order runs without the lock; its end is told under it, so `done` outlives its last use.
  orders_.push_back([&] {
    order();
    std::lock_guard relock(mutex_);
    done = true;
    changed_.notify_all();
  });
  changed_.notify_all();
  lock.unlock();
  vcpu_->Kick();
  lock.lock();
  changed_.wait(lock, [&] { return done; });
}

void VcpuThread::Hold() {
  {
    std::lock_guard lock(mutex_);
    ++holds_;
  }
  changed_.notify_all();
  vcpu_->Kick();
}

void VcpuThread::WaitOutside() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return outside_; });
}

bool VcpuThread::WaitOutside(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return outside_; });
}

void VcpuThread::Be(Whereabouts::Place place) {
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  whereabouts_.store(
      static_cast<std::uint64_t>(now.count()) << 2 | static_cast<std::uint64_t>(place),
      std::memory_order_relaxed);
}

Whereabouts VcpuThread::whereabouts() const {
  const std::uint64_t both = whereabouts_.load(std::memory_order_relaxed);
  const std::chrono::nanoseconds since(both >> 2);
  return {static_cast<Whereabouts::Place>(both & 3),
          std::chrono::steady_clock::time_point(
              std::chrono::duration_cast<std::chrono::steady_clock::duration>(since))};
}

void VcpuThread::Release() {
  std::lock_guard lock(mutex_);
  LETHE_CHECK(holds_ > 0);
  --holds_;
  changed_.notify_all();
}

void VcpuThread::Unpark() {
  std::lock_guard lock(mutex_);
  parked_ = false;
  changed_.notify_all();
}

void VcpuThread::Main() {
  self_ = std::this_thread::get_id();
  for (State state = State::kStopped; state != State::kEnded;) {
    switch (state) {
      case State::kStopped:
        state = Stopped();
        break;
      case State::kRunning:
        state = Running();
        break;
      case State::kPaused:
        state = Paused();
        break;
      case State::kEnded:
        break;
    }
  }
}

VcpuThread::State VcpuThread::NextState() const {
  if (ending_) return State::kEnded;
  if (holds_ > 0 || parked_) return State::kPaused;
  return activity_ == Activity::kOperating ? State::kRunning : State::kStopped;
}

VcpuThread::State VcpuThread::Stopped() { return StayOutside(State::kStopped); }
VcpuThread::State VcpuThread::Paused() { return StayOutside(State::kPaused); }

VcpuThread::State VcpuThread::StayOutside(State current) {
  Be(Whereabouts::Place::kOutside);
  std::unique_lock lock(mutex_);
  outside_ = true;
  changed_.notify_all();
  for (;;) {
    RunOrders(lock);
    const State next = NextState();
    if (next != current) {
      outside_ = next != State::kRunning;
      return next;
    }
    changed_.wait(lock);
  }
}

void VcpuThread::RunOrders(std::unique_lock<std::mutex>& lock) {
  while (!orders_.empty()) {
    Be(Whereabouts::Place::kOrder);
    const std::function<void()> order = std::move(orders_.front());
    orders_.pop_front();
    lock.unlock();
    order();
    Be(Whereabouts::Place::kOutside);
    lock.lock();
  }
}

bool VcpuThread::TakeRequests() {
  std::unique_lock lock(mutex_);
  RunOrders(lock);
  return NextState() == State::kRunning;
}

void VcpuThread::Park() {
  std::lock_guard lock(mutex_);
  parked_ = true;
}

VcpuThread::State VcpuThread::Running() {
  while (TakeRequests()) {
    Be(Whereabouts::Place::kGuest);
    const absl::StatusOr<kvm::VcpuExit> exit = vcpu_->Enter();
    Be(Whereabouts::Place::kExitHandler);
    const absl::StatusOr<Next> next =
        exit.ok() ? on_exit_(*this, *exit) : absl::StatusOr<Next>(exit.status());
    if (!next.ok()) on_failure_(*this, next.status());
    if (!next.ok() || *next == Next::kPark) Park();
  }
  std::lock_guard lock(mutex_);
  return NextState();
}

}  // namespace lethe::vmm
