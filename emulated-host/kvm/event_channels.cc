#include "emulated-host/kvm/event_channels.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kKnownFlags = 0xf;
constexpr std::size_t kMaxChannels = 1000;

bool SameListener(const abi::kvm_ioeventfd& a, const abi::kvm_ioeventfd& b) {
  const std::uint32_t significant =
      abi::KVM_IOEVENTFD_FLAG_DATAMATCH | abi::KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;
  if (((a.flags ^ b.flags) & abi::KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY) != 0) return false;
  if (a.addr != b.addr) return false;
  if (a.len == 0 || b.len == 0) return true;
  if (a.len != b.len) return false;
  if ((a.flags & b.flags & significant & abi::KVM_IOEVENTFD_FLAG_DATAMATCH) == 0) return true;
  return a.datamatch == b.datamatch;
}

int CheckArguments(const abi::kvm_ioeventfd& wanted) {
  if (wanted.len > 8 || (wanted.len & (wanted.len - 1)) != 0) return -EINVAL;
  if (wanted.addr + wanted.len < wanted.addr) return -EINVAL;
  if (wanted.flags & ~kKnownFlags) return -EINVAL;
  if (wanted.len == 0 && (wanted.flags & abi::KVM_IOEVENTFD_FLAG_DATAMATCH)) return -EINVAL;
  return 0;
}

}  // namespace

int EventChannels::Change(const abi::kvm_ioeventfd& change) {
  if (change.flags & abi::KVM_IOEVENTFD_FLAG_DEASSIGN) return Deassign(change);
  if (const int error = CheckArguments(change); error != 0) return error;
  return Assign(change);
}

int EventChannels::Assign(const abi::kvm_ioeventfd& wanted) {
  UniqueFd fd(fcntl(wanted.fd, F_DUPFD_CLOEXEC, 0));
  if (!fd) return -EBADF;
  const std::lock_guard lock(mutex_);
  const bool exists = std::any_of(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return SameListener(channel.key, wanted);
  });
  if (exists) return -EEXIST;
  if (channels_.size() >= kMaxChannels) return -ENOSPC;
  channels_.push_back({wanted, std::move(fd)});
  return 0;
}

int EventChannels::Deassign(const abi::kvm_ioeventfd& wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return channel.key.fd == wanted.fd && channel.key.addr == wanted.addr &&
           channel.key.len == wanted.len &&
           (channel.key.flags | abi::KVM_IOEVENTFD_FLAG_DEASSIGN) == wanted.flags &&
           channel.key.datamatch == wanted.datamatch;
  });
  if (found == channels_.end()) return -ENOENT;
  channels_.erase(found);
  return 0;
}

std::optional<std::size_t> EventChannels::Signal(std::uint64_t subchannel,
                                                 std::uint64_t datamatch) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    const abi::kvm_ioeventfd& key = channels_[i].key;
    if ((key.flags & abi::KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY) == 0) continue;
    if (key.addr != subchannel) continue;
    if ((key.flags & abi::KVM_IOEVENTFD_FLAG_DATAMATCH) && key.datamatch != datamatch) continue;
    const std::uint64_t one = 1;
    // A full counter is as good as a signal.
    [[maybe_unused]] const ssize_t written = write(channels_[i].fd.get(), &one, sizeof(one));
    return i;
  }
  return std::nullopt;
}

}  // namespace lethe::emulated
