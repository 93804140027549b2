#ifndef LETHE_VMM_CONSOLE_H_
#define LETHE_VMM_CONSOLE_H_

#include <termios.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "vmm/machine_config.h"

namespace lethe::vmm {

// Finds escape sequences in what a user types: Ctrl-A x asks for the end, Ctrl-A Ctrl-A stands for
// one Ctrl-A; Ctrl-A with any other key is dropped.
class EscapeKey {
 public:
  struct Result {
    std::string bytes;  // what goes to the guest
    bool end = false;   // the user asked for the end; what follows is dropped
  };
  Result Filter(absl::string_view typed);

 private:
  bool escaped_ = false;
};

// The host end of the guest's console. A thread of its own reads; writing is safe from any thread.
class Console {
 public:
  struct Client {
    // Called on the reader's thread. Returns how many bytes it took; the rest is offered again a
    // little later.
    std::function<std::size_t(absl::string_view)> input;
    std::function<void()> end;  // the user asked for the end
  };

  static absl::StatusOr<std::unique_ptr<Console>> Open(const ConsoleConfig& config);

  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Puts a terminal into raw mode and starts to read. At most once.
  absl::Status Start(Client client);
  // Ends the reader and restores the terminal; no call to the client is made after it returns. Not
  // on the reader's thread.
  void Stop();

  // Waits as long as the reader of the output does not read.
  void Write(absl::string_view text);
  // No Write waits from now on; what nobody reads is dropped. Any thread.
  void Abandon();

 private:
  Console(UniqueFd input, UniqueFd output, UniqueFd abandon)
      : input_(std::move(input)), output_(std::move(output)), abandon_(std::move(abandon)) {}
  bool WaitForRoom();  // false: abandoned
  void EnterRawMode();
  void ReadLoop(const Client& client);
  // Waits until `descriptor` is readable or `milliseconds` passed; false when the console stops.
  bool Wait(int descriptor, int milliseconds);

  UniqueFd input_;    // none: no input
  UniqueFd output_;   // none: output is dropped
  UniqueFd abandon_;  // event descriptor: readable once output is abandoned
  UniqueFd stop_;     // event descriptor: readable once the reader shall end
  std::optional<termios> saved_mode_;
  std::mutex write_mutex_;
  std::thread reader_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_CONSOLE_H_
