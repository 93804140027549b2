#include "emulated-host/kvm/interrupt_lines.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kMaxLines = 4096;

// Later kernels refuse what lies behind the page; the ones before store into other memory.
bool InPage(std::uint64_t address, std::uint64_t bit) {
  return bit < (kPageSize - address % kPageSize) * 8;
}

int Watch(int poll, int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

InterruptLines::~InterruptLines() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

int InterruptLines::Route(absl::Span<const abi::kvm_irq_routing_entry> entries) {
  std::map<std::uint32_t, Target> routes;
  for (const abi::kvm_irq_routing_entry& entry : entries) {
    const Target& target = entry.u.adapter;
    if (entry.gsi >= kMaxLines || entry.flags != 0) return -EINVAL;
    if (entry.type != abi::KVM_IRQ_ROUTING_S390_ADAPTER) return -EINVAL;
    if (!InPage(target.ind_addr, target.ind_offset)) return -EINVAL;
    if (!InPage(target.summary_addr, target.summary_offset)) return -EINVAL;
    if (!routes.emplace(entry.gsi, target).second) return -EINVAL;
  }
  const std::lock_guard lock(mutex_);
  routes_ = std::move(routes);
  return 0;
}

int InterruptLines::Change(const abi::kvm_irqfd& change) {
  if (change.flags & ~(abi::KVM_IRQFD_FLAG_DEASSIGN | abi::KVM_IRQFD_FLAG_RESAMPLE)) {
    return -EINVAL;
  }
  return (change.flags & abi::KVM_IRQFD_FLAG_DEASSIGN) != 0 ? Release(change) : Bind(change);
}

int InterruptLines::Bind(const abi::kvm_irqfd& wanted) {
  Binding binding;
  binding.line = wanted.gsi;
  if (const int error = binding.event.Open(static_cast<int>(wanted.fd)); error != 0) return error;
  if (wanted.flags & abi::KVM_IRQFD_FLAG_RESAMPLE) {
    const int error = binding.resample.Open(static_cast<int>(wanted.resamplefd));
    if (error != 0) return error;
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [key, other] : bindings_) {
    if (other.event.IsSameAs(binding.event)) return -EBUSY;
  }
  if (!Start()) return -ENOMEM;
  const std::uint64_t key = next_key_++;
  if (Watch(poll_.get(), binding.event.fd(), key) != 0) return -ENOMEM;
  bindings_.emplace(key, std::move(binding));
  return 0;
}

int InterruptLines::Release(const abi::kvm_irqfd& wanted) {
  EventDescriptor event;
  if (const int error = event.Open(static_cast<int>(wanted.fd)); error != 0) return error;
  // The thread holds the mutex while it works: what was under way is done.
  const std::lock_guard lock(mutex_);
  for (auto binding = bindings_.begin(); binding != bindings_.end();) {
    const auto current = binding++;
    if (current->second.line != wanted.gsi || !current->second.event.IsSameAs(event)) continue;
    epoll_ctl(poll_.get(), EPOLL_CTL_DEL, current->second.event.fd(), nullptr);
    bindings_.erase(current);
  }
  return 0;
}

bool InterruptLines::Start() {
  if (thread_.joinable()) return true;
  poll_.reset(epoll_create1(EPOLL_CLOEXEC));
  stop_.reset(eventfd(0, EFD_CLOEXEC));
  if (!poll_ || !stop_ || Watch(poll_.get(), stop_.get(), kStop) != 0) return false;
  // The user's signals are for the user's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

void InterruptLines::Run() {
  for (;;) {
    std::array<epoll_event, 16> events{};
    const int count =
        epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), /*timeout=*/-1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kStop) return;
      Serve(events[i].data.u64);
    }
  }
}

void InterruptLines::Serve(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto binding = bindings_.find(key);
  if (binding == bindings_.end() || !binding->second.event.Consume()) return;
  const auto route = routes_.find(binding->second.line);
  if (route != routes_.end()) pull_(route->second);
}

}  // namespace lethe::emulated
