#ifndef LETHE_VMM_MONITOR_SOCKET_FIXTURE_H_
#define LETHE_VMM_MONITOR_SOCKET_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/unique_fd.h"

namespace lethe::vmm {

// A directory with a path for a socket in it.
class SocketTest : public ::testing::Test {
 protected:
  SocketTest() {
    std::string name = (std::filesystem::temp_directory_path() / "monitor.XXXXXX").string();
    LETHE_CHECK(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~SocketTest() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/socket"; }

  // As a program does that was killed.
  void LeaveStaleSocket() const {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof(address.sun_path) - 1);
    LETHE_CHECK(
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }

 private:
  std::string directory_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_SOCKET_FIXTURE_H_
