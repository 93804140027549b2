#include "vmm/vt220_console.h"

#include <algorithm>

namespace lethe::vmm {
namespace {

constexpr std::size_t kQueueLimit = 64 << 10;
constexpr std::uint8_t kSessionData = 0x00;  // first byte of an event for the guest

}  // namespace

std::size_t Vt220Console::Input(absl::string_view bytes) {
  std::lock_guard lock(mutex_);
  const std::size_t count = std::min(bytes.size(), kQueueLimit - queue_.size());
  queue_.append(bytes.data(), count);
  return count;
}

bool Vt220Console::Pending() const {
  std::lock_guard lock(mutex_);
  return !queue_.empty();
}

std::optional<Bytes> Vt220Console::Take(std::size_t room) {
  std::lock_guard lock(mutex_);
  if (queue_.empty() || room < 2) return std::nullopt;
  const std::size_t count = std::min(queue_.size(), room - 1);
  Bytes content = {kSessionData};
  content.insert(content.end(), queue_.begin(),
                 queue_.begin() + static_cast<std::ptrdiff_t>(count));
  queue_.erase(0, count);
  return content;
}

void Vt220Console::Accept(absl::Span<const std::uint8_t> content) {
  output_(absl::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
}

}  // namespace lethe::vmm
