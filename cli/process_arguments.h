#ifndef LETHE_CLI_PROCESS_ARGUMENTS_H_
#define LETHE_CLI_PROCESS_ARGUMENTS_H_

#include "absl/types/span.h"

namespace lethe {

// The memory that the host shows as this process's command line (ps): what is written there is
// seen. Empty if it cannot be found.
absl::Span<char> ProcessArguments();

}  // namespace lethe

#endif  // LETHE_CLI_PROCESS_ARGUMENTS_H_
