// The first process of the Linux that tools/real-kvm starts: makes /dev/kvm usable, runs one
// program and carries what it writes to the console, from which tools/real-kvm reads it.
//
// The console of that machine loses lines when they are long or come quickly. So a line is written
// in pieces of at most 120 bytes, one at a time, with a pause; bytes that its character set might
// change are written as %xx, and pieces are numbered, so that a loss is noticed:
//
//     =0007+first piece      more of the same line follows
//     =0008.last piece
//     =0009*STATUS           the program has ended; STATUS as a shell counts (128 + signal)
//
// Files: /command (words, each ended by a NUL) is what is run, /kvm.ko the module.

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kPieceBytes =
    110;  // 120 less the frame, and less a %xx that began before the end
constexpr long kPauseNanoseconds = 15'000'000;
constexpr int kCannotRun = 127;

void Pause() {
  const timespec pause{0, kPauseNanoseconds};
  nanosleep(&pause, nullptr);
}

bool IsSafe(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view(" .,:;-_/()*+<>='\"?&").find(c) != std::string_view::npos;
}

class Relay {
 public:
  // Appends output of the program and writes the lines that are complete.
  void Add(std::string_view text) {
    for (const char c : text) {
      if (c == '\n') {
        Write('.');
      } else {
        if (piece_.size() >= kPieceBytes) Write('+');
        Append(c);
      }
    }
  }

  void Finish(int status) {
    if (!piece_.empty()) Write('.');
    piece_ = std::to_string(status);
    Write('*');
  }

 private:
  void Append(char c) {
    if (IsSafe(c)) {
      piece_ += c;
      return;
    }
    char escaped[4];
    std::snprintf(escaped, sizeof(escaped), "%%%02x", static_cast<unsigned char>(c));
    piece_ += escaped;
  }

  void Write(char kind) {
    char frame[16];
    std::snprintf(frame, sizeof(frame), "=%04x%c", number_++ & 0xffff, kind);
    const std::string line = frame + piece_ + "\n";
    piece_.clear();
    // Nobody could be told of a failure: the reader notices that a number is missing.
    (void)!write(STDOUT_FILENO, line.data(), line.size());
    tcdrain(STDOUT_FILENO);
    Pause();
  }

  std::string piece_;
  unsigned number_ = 0;
};

// Says what did not work; the program may do without, and its own messages then make sense.
void Complain(Relay& relay, const std::string& what) {
  relay.Add("real-kvm: " + what + ": " + std::strerror(errno) + "\n");
}

void MountFileSystems(Relay& relay) {
  struct Mount {
    const char* type;
    const char* where;
  };
  for (const Mount& m : {Mount{"proc", "/proc"}, Mount{"sysfs", "/sys"}, Mount{"devtmpfs", "/dev"},
                         Mount{"tmpfs", "/tmp"}}) {
    mkdir(m.where, 0755);
    if (mount(m.type, m.where, m.type, 0, nullptr) != 0 && errno != EBUSY)
      Complain(relay, std::string("cannot mount ") + m.where);
  }
  mkdir("/dev/shm", 01777);
  mkdir("/run", 0755);
}

// Page tables with room for the guest's storage keys, which KVM_CREATE_VM asks for. They hold from
// the next exec.
void AllowGuests(Relay& relay) {
  std::ofstream allow("/proc/sys/vm/allocate_pgste");
  if (!(allow << "1" << std::flush)) Complain(relay, "cannot set vm.allocate_pgste");
}

void LoadModule(Relay& relay) {
  const int module = open("/kvm.ko", O_RDONLY | O_CLOEXEC);
  if (module < 0 || syscall(SYS_finit_module, module, "", 0) != 0)
    Complain(relay, "cannot load kvm.ko");
  if (module >= 0) close(module);
}

std::vector<std::string> ReadCommand() {
  std::ifstream file("/command", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> words;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\0', start);
    words.push_back(text.substr(start, end - start));
    if (end == std::string::npos) break;
    start = end + 1;
  }
  return words;
}

[[noreturn]] void Become(const std::vector<std::string>& command, int output) {
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  close(nothing);
  setsid();
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  setenv("PATH", "/bin:/", 1);
  setenv("HOME", "/", 1);
  if (!command.empty()) execvp(words[0], words.data());
  std::perror("real-kvm: cannot run the program");
  _exit(kCannotRun);
}

// Collects ended children; true when `program` is among them.
bool HasEnded(pid_t program, int& status) {
  bool ended = false;
  int child_status = 0;
  for (pid_t child; (child = waitpid(-1, &child_status, WNOHANG)) > 0;) {
    if (child != program) continue;
    status = WIFEXITED(child_status) ? WEXITSTATUS(child_status) : 128 + WTERMSIG(child_status);
    ended = true;
  }
  return ended;
}

int Run(const std::vector<std::string>& command, Relay& relay) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return kCannotRun;
  const pid_t program = fork();
  if (program == 0) Become(command, ends[1]);
  close(ends[1]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);

  int status = kCannotRun;
  bool ended = false;
  for (;;) {
    pollfd output{ends[0], POLLIN, 0};
    const int ready = poll(&output, 1, ended ? 0 : 100);
    char buffer[4096];
    const ssize_t count = ready > 0 ? read(ends[0], buffer, sizeof(buffer)) : -1;
    if (count > 0) {
      relay.Add(std::string_view(buffer, static_cast<std::size_t>(count)));
      continue;
    }
    // What the program has started may live on and keep the pipe open: its end is what counts.
    if (ended) return status;
    if (count == 0) Pause();
    ended = HasEnded(program, status);
  }
}

}  // namespace

int main() {
  Relay relay;
  MountFileSystems(relay);
  AllowGuests(relay);
  LoadModule(relay);
  relay.Finish(Run(ReadCommand(), relay));
  sync();
  reboot(RB_POWER_OFF);
}
