#ifndef LETHE_VMM_MONITOR_MONITOR_SOCKET_H_
#define LETHE_VMM_MONITOR_MONITOR_SOCKET_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace lethe::vmm {

// The path in "unix:PATH", also with the options ",server=on,wait=off" that QEMU's users write (and
// the older ",server,nowait"). An error is one line that says what would be accepted.
absl::StatusOr<std::string> ParseMonitorAddress(absl::string_view address);

// A listening UNIX socket at a path that is its own: only this user may connect, and the path goes
// when the socket does.
class MonitorSocket {
 public:
  // A socket at `path` that nobody listens at (its program was killed) is replaced; anything else
  // there is an error.
  static absl::StatusOr<MonitorSocket> Listen(const std::string& path);
  MonitorSocket(MonitorSocket&&) = default;
  MonitorSocket& operator=(MonitorSocket&&) = delete;
  ~MonitorSocket();

  int descriptor() const { return socket_.get(); }
  // A client, non-blocking. Unavailable: none waits.
  absl::StatusOr<UniqueFd> Accept() const;

 private:
  MonitorSocket(UniqueFd socket, std::string path, dev_t device, ino_t inode)
      : socket_(std::move(socket)), path_(std::move(path)), device_(device), inode_(inode) {}

  UniqueFd socket_;  // none: moved from
  std::string path_;
  dev_t device_;  // of the path when it was made
  ino_t inode_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_MONITOR_SOCKET_H_
