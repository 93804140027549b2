#ifndef LETHE_VMM_MONITOR_MONITOR_CLIENT_H_
#define LETHE_VMM_MONITOR_MONITOR_CLIENT_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace lethe::vmm {

// A monitor's client, for tests.
class MonitorClient {
 public:
  explicit MonitorClient(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }

  // False: the other end is gone.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }
  // No more commands will come.
  void EndSending() { ::shutdown(socket_.get(), SHUT_WR); }

  // The next line without its end; nothing when the connection has ended.
  std::optional<std::string> ReadLine() {
    for (;;) {
      if (const std::size_t end = received_.find("\r\n"); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 2);
        return line;
      }
      std::array<char, 4096> chunk;
      const ssize_t size = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
      if (size <= 0) return std::nullopt;
      received_.append(chunk.data(), static_cast<std::size_t>(size));
    }
  }
  // Whether nothing is to be read for the time being.
  bool Quiet(int milliseconds) {
    pollfd ready{socket_.get(), POLLIN, 0};
    return received_.empty() && ::poll(&ready, 1, milliseconds) == 0;
  }
  std::optional<std::string> Do(absl::string_view command) {
    Send("{\"execute\":\"" + std::string(command) + "\"}\n");
    return ReadLine();
  }

 private:
  UniqueFd socket_;
  bool connected_;
  std::string received_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_MONITOR_CLIENT_H_
