// A client of `lethe run --qmp`, for machines that have no other: sends requests, prints what
// comes.
//
//   qmp_talk PATH WORD...
//
// A word that begins with { is sent, and its answer waited for; any other word is waited for in
// what comes after the last answer (events), or was before it. Every line that comes is printed.
// Ends with 0, or 1 when the connection ends or 60 seconds pass before all has come.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr unsigned kPatienceSeconds = 60;

class Connection {
 public:
  bool Open(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof(address.sun_path)) return false;
    std::strcpy(address.sun_path, path);
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool Send(const std::string& request) {
    const std::string line = request + "\n";
    return send(socket_, line.data(), line.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(line.size());
  }

  // Prints lines until one holds `text`; false at the end of the connection.
  bool WaitFor(std::string_view text) {
    for (;;) {
      for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;) {
        const std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        std::puts(line.c_str());
        std::fflush(stdout);
        seen_ += line + "\n";
        if (line.find(text) != std::string::npos) return true;
      }
      char buffer[4096];
      const ssize_t count = read(socket_, buffer, sizeof(buffer));
      if (count <= 0) return false;
      pending_.append(buffer, static_cast<std::size_t>(count));
    }
  }

  // Whether a line with `text` has come since Forget.
  bool Saw(std::string_view text) const { return seen_.find(text) != std::string::npos; }
  void Forget() { seen_.clear(); }

 private:
  int socket_ = -1;
  std::string pending_;
  std::string seen_;
};

bool Do(Connection& connection, const std::string& word) {
  if (word[0] != '{') return connection.Saw(word) || connection.WaitFor(word);
  connection.Forget();
  return connection.Send(word) && (connection.WaitFor("\"return\"") || connection.Saw("SHUTDOWN"));
}

}  // namespace

int main(int count, char** words) {
  Connection connection;
  if (count < 2 || !connection.Open(words[1])) {
    std::fprintf(stderr, "qmp_talk: cannot connect to %s\n", count < 2 ? "nothing" : words[1]);
    return 1;
  }
  alarm(kPatienceSeconds);
  if (!connection.WaitFor("\"QMP\"")) return 1;
  for (int i = 2; i < count; ++i) {
    if (words[i][0] == '\0' || Do(connection, words[i])) continue;
    std::fprintf(stderr, "qmp_talk: no answer to, or nothing like: %s\n", words[i]);
    return 1;
  }
}
