#include "vmm/monitor/monitor_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

constexpr int kBacklog = 8;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// bind() or connect(); 0 or errno.
template <typename Call>
int Apply(Call call, int socket, const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  const int result = call(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return result == 0 ? 0 : errno;
}

UniqueFd NewSocket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

absl::Status CannotListen(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot listen at '", path, "'"));
}

// While it is held no other Lethe looks at or replaces sockets in the directory of `path`. None if
// the directory cannot be opened; then bind() says why.
UniqueFd LockDirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  UniqueFd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Somebody may hold it for ever: then do without rather than hang.
  for (int tries = 0; lock && tries < 100; ++tries) {
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) break;
    ::usleep(10'000);
  }
  return lock;
}

absl::Status RemoveStale(const std::string& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0)
    return errno == ENOENT ? absl::OkStatus() : CannotListen(path, errno);
  if (!S_ISSOCK(found.st_mode))
    return absl::AlreadyExistsError(
        absl::StrCat("'", path, "' exists and is not a socket; remove it or take another path"));
  const UniqueFd probe = NewSocket();
  const int error = Apply(::connect, probe.get(), path);
  if (error == 0 || error == EAGAIN)
    return absl::AlreadyExistsError(
        absl::StrCat("'", path, "' is in use by another program; take another path"));
  if (error != ECONNREFUSED) return CannotListen(path, error);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return CannotListen(path, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ParseMonitorAddress(absl::string_view address) {
  const absl::Status refused = absl::InvalidArgumentError(
      absl::StrCat("'", address, "' is not understood; write unix:PATH[,server=on,wait=off]"));
  absl::string_view rest = address;
  if (!absl::ConsumePrefix(&rest, "unix:")) return refused;
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, ',');
  if (parts[0].empty()) return refused;
  for (std::size_t i = 1; i < parts.size(); ++i)
    if (parts[i] != "server=on" && parts[i] != "wait=off" && parts[i] != "server" &&
        parts[i] != "nowait")
      return refused;
  constexpr std::size_t kRoom = sizeof(sockaddr_un::sun_path) - 1;
  if (parts[0].size() > kRoom)
    return absl::InvalidArgumentError(absl::StrCat("the path '", parts[0], "' has ",
                                                   parts[0].size(),
                                                   " characters; a socket's has at most ", kRoom));
  return std::string(parts[0]);
}

absl::StatusOr<MonitorSocket> MonitorSocket::Listen(const std::string& path) {
  UniqueFd socket = NewSocket();
  if (!socket) return CannotListen(path, errno);
  // The path gets the mode of the socket: nobody else may connect from the first moment on.
  if (::fchmod(socket.get(), 0600) != 0) return CannotListen(path, errno);
  const UniqueFd lock = LockDirectoryOf(path);
  LETHE_RETURN_IF_ERROR(RemoveStale(path));
  if (const int error = Apply(::bind, socket.get(), path); error != 0)
    return CannotListen(path, error);
  struct stat made;
  if (::lstat(path.c_str(), &made) != 0) return CannotListen(path, errno);
  MonitorSocket result(std::move(socket), path, made.st_dev, made.st_ino);
  if (::listen(result.descriptor(), kBacklog) != 0) return CannotListen(path, errno);
  return result;
}

MonitorSocket::~MonitorSocket() {
  if (!socket_) return;
  struct stat found;
  if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_)
    ::unlink(path_.c_str());
}

absl::StatusOr<UniqueFd> MonitorSocket::Accept() const {
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client) return client;
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
    return absl::UnavailableError("nobody waits");
  return absl::ErrnoToStatus(errno, "cannot take a client");
}

}  // namespace lethe::vmm
