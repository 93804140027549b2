#ifndef LETHE_CLI_TERMINAL_H_
#define LETHE_CLI_TERMINAL_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lethe {

// Characters per line of the terminal behind `fd`; no value: it is not a terminal.
std::optional<std::size_t> TerminalWidth(int fd);

// All of `text` to standard output, or why not (a full disk, say). A reader that went away ends
// the process by SIGPIPE, as usual for a command in a pipe.
absl::Status PrintAll(absl::string_view text);

}  // namespace lethe

#endif  // LETHE_CLI_TERMINAL_H_
