#include "emulated-host/kvm/event_channels.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lethe::emulated {
namespace {

using Key = abi::kvm_ioeventfd;

constexpr std::uint32_t kPortInputOutput = 2;  // a bus of another architecture
constexpr std::uint32_t kKnownFlags = 0x1f;
constexpr std::uint32_t kNotificationLength = 8;

enum class Bus { kMemory, kPort, kChannel };

Bus BusOf(const Key& key) {
  if ((key.flags & kPortInputOutput) != 0) return Bus::kPort;
  return (key.flags & abi::KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY) != 0 ? Bus::kChannel
                                                                      : Bus::kMemory;
}

bool Matches(const Key& key) { return (key.flags & abi::KVM_IOEVENTFD_FLAG_DATAMATCH) != 0; }

bool Collide(const Key& a, const Key& b) {
  if (BusOf(a) != BusOf(b) || a.addr != b.addr) return false;
  if (a.len == 0 || b.len == 0) return true;
  if (a.len != b.len) return false;
  return !Matches(a) || !Matches(b) || a.datamatch == b.datamatch;
}

int CheckArguments(const Key& wanted) {
  if (wanted.len > 8 || (wanted.len & (wanted.len - 1)) != 0) return -EINVAL;
  if (wanted.addr + wanted.len < wanted.addr) return -EINVAL;
  if (wanted.flags & ~kKnownFlags) return -EINVAL;
  if (wanted.len == 0 && Matches(wanted)) return -EINVAL;
  return 0;
}

}  // namespace

int EventChannels::Change(const Key& change) {
  if (change.flags & abi::KVM_IOEVENTFD_FLAG_DEASSIGN) return Deassign(change);
  if (const int error = CheckArguments(change); error != 0) return error;
  return Assign(change);
}

int EventChannels::Assign(const Key& wanted) {
  EventDescriptor event;
  if (const int error = event.Open(wanted.fd); error != 0) return error;
  const std::lock_guard lock(mutex_);
  const bool exists = std::any_of(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return Collide(channel.key, wanted);
  });
  if (exists) return -EEXIST;
  const auto behind = std::find_if(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return channel.key.addr > wanted.addr;
  });
  channels_.insert(behind, Channel{wanted, std::move(event)});
  return 0;
}

int EventChannels::Deassign(const Key& wanted) {
  EventDescriptor event;
  if (const int error = event.Open(wanted.fd); error != 0) return error;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    const Key& key = channel.key;
    return BusOf(key) == BusOf(wanted) && channel.event.IsSameAs(event) &&
           key.addr == wanted.addr && key.len == wanted.len && Matches(key) == Matches(wanted) &&
           (!Matches(key) || key.datamatch == wanted.datamatch);
  });
  if (found == channels_.end()) return -ENOENT;
  channels_.erase(found);
  return 0;
}

std::optional<std::size_t> EventChannels::Signal(std::uint64_t subchannel,
                                                 std::uint64_t datamatch) {
  const std::lock_guard lock(mutex_);
  std::size_t place = 0;
  for (const Channel& channel : channels_) {
    const Key& key = channel.key;
    if (BusOf(key) != Bus::kChannel) continue;
    const bool hit = key.addr == subchannel && (key.len == 0 || key.len == kNotificationLength) &&
                     (!Matches(key) || key.datamatch == datamatch);
    if (hit) {
      channel.event.Signal();
      return place;
    }
    ++place;
  }
  return std::nullopt;
}

}  // namespace lethe::emulated
