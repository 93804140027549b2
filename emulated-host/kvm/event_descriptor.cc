#include "emulated-host/kvm/event_descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lethe::emulated {
namespace {

bool IsEvent(int fd) {
  std::array<char, 64> target{};
  const std::string link = absl::StrCat("/proc/self/fd/", fd);
  const ssize_t length = readlink(link.c_str(), target.data(), target.size());
  // Where nothing can be seen, the user is believed.
  if (length < 0) return true;
  return absl::string_view(target.data(), static_cast<std::size_t>(length)) ==
         "anon_inode:[eventfd]";
}

// The number by which Linux tells eventfds apart (proc(5), fdinfo), if it says so.
std::optional<std::uint64_t> NumberOf(int fd) {
  constexpr absl::string_view kName = "eventfd-id:";
  const UniqueFd file(open(absl::StrCat("/proc/self/fdinfo/", fd).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text{};
  const ssize_t length = file ? read(file.get(), text.data(), text.size()) : -1;
  if (length <= 0) return std::nullopt;
  absl::string_view rest(text.data(), static_cast<std::size_t>(length));
  const std::size_t at = rest.find(kName);
  if (at == absl::string_view::npos) return std::nullopt;
  rest.remove_prefix(at + kName.size());
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find('\n')), &number)) return std::nullopt;
  return number;
}

}  // namespace

int EventDescriptor::Open(int fd) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return -EBADF;
  if (!IsEvent(fd)) return -EINVAL;
  // Otherwise the user's number will do, apart from all that the host gives.
  constexpr std::uint64_t kUserNumber = std::uint64_t{1} << 63;
  identity_ = NumberOf(fd).value_or(kUserNumber | static_cast<unsigned>(fd));
  fd_ = std::move(copy);
  return 0;
}

void EventDescriptor::Signal() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_.get(), &one, sizeof(one));
}

bool EventDescriptor::Consume() const {
  pollfd descriptor{fd_.get(), POLLIN, 0};
  if (poll(&descriptor, 1, 0) != 1 || (descriptor.revents & POLLIN) == 0) return false;
  std::uint64_t count = 0;
  return read(fd_.get(), &count, sizeof(count)) == sizeof(count);
}

}  // namespace lethe::emulated
