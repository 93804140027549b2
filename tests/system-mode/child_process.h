#ifndef LETHE_TESTS_SYSTEM_MODE_CHILD_PROCESS_H_
#define LETHE_TESTS_SYSTEM_MODE_CHILD_PROCESS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lethe::system_mode {

// Runs a program, its output in a file, and waits for its end. After `seconds` it is killed:
// DeadlineExceeded. NotFound: there is no such program. `environment`: NAME=VALUE, added to ours.
absl::Status RunChild(const std::vector<std::string>& command,
                      const std::vector<std::string>& environment, const std::string& output,
                      int seconds);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_CHILD_PROCESS_H_
