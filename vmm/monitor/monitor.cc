#include "vmm/monitor/monitor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "vmm/monitor/qmp_event.h"
#include "vmm/monitor/session.h"

namespace lethe::vmm {
namespace {

// No more commands are read from a client that has as many bytes of answers waiting, ...
constexpr std::size_t kEnoughOutput = 64 * 1024;
// ... and one that has as many loses its connection.
constexpr std::size_t kMaximumOutput = 1024 * 1024;
// How many bytes of commands are read at a time.
constexpr std::size_t kChunk = 4096;
// How long no client is taken after that has failed (no descriptors left, ...).
constexpr int kRetryMilliseconds = 1000;

std::chrono::microseconds Now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace

// The machine and its teardown while they exist, and what is known of them afterwards.
class Monitor::Controls : public MachineControl, public TeardownControl {
 public:
  Controls(MachineControl& machine, TeardownControl* teardown)
      : name_(machine.name()),
        uuid_(machine.uuid()),
        has_teardown_(teardown != nullptr),
        machine_(&machine),
        teardown_(teardown) {}

  // Waits for a call that is being made.
  void Detach() {
    std::lock_guard lock(mutex_);
    if (machine_ == nullptr) return;
    last_state_ = machine_->run_state();
    machine_ = nullptr;
    if (teardown_ == nullptr) return;
    last_policy_ = teardown_->policy();
    last_status_ = teardown_->status();
    teardown_ = nullptr;
  }

  bool has_teardown() const { return has_teardown_; }

  RunState run_state() const override {
    std::lock_guard lock(mutex_);
    return machine_ == nullptr ? last_state_ : machine_->run_state();
  }
  std::string name() const override { return name_; }
  std::string uuid() const override { return uuid_; }
  absl::Status Pause() override {
    return Order([](MachineControl& machine) { return machine.Pause(); });
  }
  absl::Status Continue() override {
    return Order([](MachineControl& machine) { return machine.Continue(); });
  }
  absl::Status Reset(Cause cause) override {
    return Order([cause](MachineControl& machine) { return machine.Reset(cause); });
  }
  absl::Status RequestPowerDown() override {
    return Order([](MachineControl& machine) { return machine.RequestPowerDown(); });
  }
  void End(Cause cause) override {
    std::lock_guard lock(mutex_);
    if (machine_ != nullptr) machine_->End(cause);
  }

  DestroyPolicy policy() const override {
    std::lock_guard lock(mutex_);
    return teardown_ == nullptr ? last_policy_ : teardown_->policy();
  }
  void SetPolicy(const DestroyPolicy& policy) override {
    std::lock_guard lock(mutex_);
    if (teardown_ != nullptr) teardown_->SetPolicy(policy);
  }
  TeardownStatus status() const override {
    std::lock_guard lock(mutex_);
    return teardown_ == nullptr ? last_status_ : teardown_->status();
  }

 private:
  template <typename Do>
  absl::Status Order(Do order) {
    std::lock_guard lock(mutex_);
    if (machine_ == nullptr) return absl::FailedPreconditionError("the guest has ended");
    return order(*machine_);
  }

  const std::string name_;
  const std::string uuid_;
  const bool has_teardown_;
  mutable std::mutex mutex_;
  MachineControl* machine_;    // null: detached
  TeardownControl* teardown_;  // null: detached, or never was
  RunState last_state_ = RunState::kPrelaunch;
  DestroyPolicy last_policy_;
  TeardownStatus last_status_;
};

// A client: its socket, its session, and what waits to be sent to it.
class Monitor::Connection {
 public:
  // `before_answer` gives what has to be sent before each answer.
  Connection(UniqueFd socket, CommandContext context, std::function<std::string()> before_answer)
      : socket_(std::move(socket)),
        before_answer_(std::move(before_answer)),
        session_(std::move(context), [this](const std::string& line) {
          output_ += before_answer_();
          output_ += line;
        }) {}

  int descriptor() const { return socket_.get(); }
  bool negotiated() const { return session_.negotiated(); }
  bool lost() const { return lost_ || output_.size() > kMaximumOutput; }
  short interest() const {
    return static_cast<short>((output_.size() < kEnoughOutput ? POLLIN : 0) |
                              (output_.empty() ? 0 : POLLOUT));
  }

  void Send(const std::string& text) { output_ += text; }

  void Read() {
    if (output_.size() >= kEnoughOutput) return;
    std::array<char, kChunk> chunk;
    const ssize_t size = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (size > 0) {
      session_.Receive({chunk.data(), static_cast<std::size_t>(size)});
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
      Write();
      lost_ = true;
    }
  }

  // As much as the client takes now.
  void Write() {
    while (!output_.empty()) {
      const ssize_t size = ::send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno != EAGAIN) lost_ = true;
      if (size < 0) return;
      output_.erase(0, static_cast<std::size_t>(size));
    }
  }

 private:
  const UniqueFd socket_;
  const std::function<std::string()> before_answer_;
  std::string output_;
  bool lost_ = false;
  MonitorSession session_;  // last: it sends the greeting
};

absl::StatusOr<std::unique_ptr<Monitor>> Monitor::Listen(const std::string& path,
                                                         std::string package, const Log& log) {
  LETHE_ASSIGN_OR_RETURN(MonitorSocket socket, MonitorSocket::Listen(path));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return absl::ErrnoToStatus(errno, "cannot make the monitor");
  return std::unique_ptr<Monitor>(
      new Monitor(std::move(socket), std::move(wake), std::move(package), log));
}

Monitor::Monitor(MonitorSocket socket, UniqueFd wake, std::string package, const Log& log)
    : socket_(std::move(socket)), wake_(std::move(wake)), package_(std::move(package)), log_(log) {}

Monitor::~Monitor() { End(); }

void Monitor::End() {
  Detach();
  if (thread_.joinable()) {
    stop_ = true;
    Wake();
    thread_.join();
  }
  socket_.reset();
}

void Monitor::Serve(MachineControl& machine, TeardownControl* teardown) {
  LETHE_CHECK(!thread_.joinable());
  controls_ = std::make_unique<Controls>(machine, teardown);
  thread_ = std::thread([this] { Main(); });
}

void Monitor::Detach() {
  if (controls_) controls_->Detach();
}

void Monitor::Report(const Event& event) {
  {
    std::lock_guard lock(events_mutex_);
    if (!wanted_) return;
  }
  const std::vector<std::string> lines = ToQmpEvents(event, Now());
  if (lines.empty()) return;
  {
    std::lock_guard lock(events_mutex_);
    if (!wanted_) return;  // the client has gone meanwhile
    for (const std::string& line : lines) events_ += line;
    overflown_ = events_.size() > kMaximumOutput;
    if (overflown_) events_.clear();
  }
  Wake();
}

void Monitor::Main() {
  pthread_setname_np(pthread_self(), "monitor");
  while (!stop_) {
    WaitForWork(client_.get());
    if (client_) {
      ServeClient(*client_);
    } else {
      TakeClient();
    }
  }
  if (client_) {
    client_->Send(TakeEvents());
    client_->Write();
  }
  DropClient();
}

void Monitor::WaitForWork(const Connection* client) {
  std::array<pollfd, 2> ready{
      {{wake_.get(), POLLIN, 0},
       {client == nullptr ? socket_->descriptor() : client->descriptor(),
        client == nullptr ? static_cast<short>(POLLIN) : client->interest(), 0}}};
  ::poll(ready.data(), ready.size(), -1);
  std::uint64_t ignored;
  [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &ignored, sizeof(ignored));
}

void Monitor::TakeClient() {
  absl::StatusOr<UniqueFd> socket = socket_->Accept();
  if (!socket.ok()) {
    if (absl::IsUnavailable(socket.status())) return;
    log_.Warning(absl::StrCat("monitor: ", socket.status().message()));
    pollfd stop{wake_.get(), POLLIN, 0};
    ::poll(&stop, 1, kRetryMilliseconds);
    return;
  }
  CommandContext context{*controls_, controls_->has_teardown() ? controls_.get() : nullptr,
                         package_, MonitorCommands()};
  client_ = std::make_unique<Connection>(*std::move(socket), std::move(context),
                                         [this] { return BeforeAnswer(); });
  client_->Write();
}

void Monitor::ServeClient(Connection& client) {
  client.Read();
  client.Send(TakeEvents());
  client.Write();
  if (client.lost() || overflown()) DropClient();
}

void Monitor::DropClient() {
  std::lock_guard lock(events_mutex_);
  client_.reset();
  events_.clear();
  overflown_ = false;
  wanted_ = false;
}

bool Monitor::overflown() {
  std::lock_guard lock(events_mutex_);
  return overflown_;
}

// Events of what a command did come before its answer; they are kept from the answer on that ends
// the negotiation.
std::string Monitor::BeforeAnswer() {
  std::lock_guard lock(events_mutex_);
  wanted_ = client_ && client_->negotiated();
  return std::exchange(events_, {});
}

std::string Monitor::TakeEvents() {
  std::lock_guard lock(events_mutex_);
  return std::exchange(events_, {});
}

void Monitor::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof(one));
}

}  // namespace lethe::vmm
