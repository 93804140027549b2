#ifndef LETHE_VMM_MONITOR_SESSION_H_
#define LETHE_VMM_MONITOR_SESSION_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/json_splitter.h"

namespace lethe::vmm {

// One client's conversation in QMP (QEMU's monitor protocol, docs/interop/qmp-spec.rst there), from
// bytes to bytes: JSON objects in any division, answers as lines that end with CR LF. One thread.
class MonitorSession {
 public:
  // Gets each answer, complete with its line end.
  using Send = std::function<void(std::string)>;

  // Sends the greeting.
  MonitorSession(CommandContext context, Send send);

  // Carries out what has arrived completely; an answer is sent before the next command begins.
  void Receive(absl::string_view bytes);

  // Whether the client has ended the negotiation: events may be sent to it.
  bool negotiated() const { return negotiated_; }

 private:
  void Carry(const JsonSplitter::Item& item);
  // The answer but for its id.
  Json Answer(const Json& request);
  Json Execute(const std::string& name, const Json& arguments);
  void SendLine(const Json& line);

  CommandContext context_;
  const Send send_;
  JsonSplitter splitter_;
  bool negotiated_ = false;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_SESSION_H_
