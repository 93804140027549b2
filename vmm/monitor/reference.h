#ifndef LETHE_VMM_MONITOR_REFERENCE_H_
#define LETHE_VMM_MONITOR_REFERENCE_H_

#include <string>

#include "absl/types/span.h"
#include "vmm/monitor/command.h"

namespace lethe::vmm {

// The commands as a table in Markdown, one line per command: that of docs/control-socket.md.
std::string CommandReference(absl::Span<const MonitorCommand> commands);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_REFERENCE_H_
