#ifndef LETHE_VMM_MONITOR_MONITOR_H_
#define LETHE_VMM_MONITOR_MONITOR_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "pv/event_sink.h"
#include "vmm/machine_control.h"
#include "vmm/monitor/monitor_socket.h"
#include "vmm/monitor/teardown_control.h"

namespace lethe::vmm {

// The control socket of a machine: one client at a time speaks QMP with it, the next ones wait for
// it to leave. Clients can do no harm but by their commands: what they send is bounded, and one
// that does not read what it is sent loses its connection.
//
// Order of a life: Listen, Serve, Detach, End. Until Serve clients wait for the greeting. From
// Detach to End the machine may be gone: the client still gets events and may ask for the status,
// and the end of the connection tells it that the program ends.
class Monitor : public EventSink {
 public:
  // `path` as from ParseMonitorAddress. `package` is what calls itself QEMU here ("lethe 0.1.0").
  static absl::StatusOr<std::unique_ptr<Monitor>> Listen(const std::string& path,
                                                         std::string package, const Log& log);
  // Sends what is left as far as the client takes it at once, ends the connection, removes the
  // path.
  ~Monitor() override;
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Begins to take clients, on a thread of its own. Both arguments must live until Detach;
  // `teardown` may be null. Once.
  void Serve(MachineControl& machine, TeardownControl* teardown);
  // No call to machine or teardown is made after it returns. The machine's Run has returned. Safe
  // to repeat, and without Serve.
  void Detach();

  // Sends what is left as far as the client takes it at once, ends the connection, removes the
  // path. Report may still be called, and does nothing. Safe to repeat.
  void End();

  // Tells the client, if there is one and the event is of the monitor's. Never waits for it.
  void Report(const Event& event) override;

 private:
  class Controls;
  class Connection;

  Monitor(MonitorSocket socket, UniqueFd wake, std::string package, const Log& log);
  void Main();
  void TakeClient();
  void ServeClient(Connection& client);
  void DropClient();
  bool overflown();
  // Waits for the client (or, without one, for the next) and for Wake().
  void WaitForWork(const Connection* client);
  void Wake();
  std::string TakeEvents();
  std::string BeforeAnswer();

  std::optional<MonitorSocket> socket_;  // none: ended
  const UniqueFd wake_;                  // event descriptor
  const std::string package_;
  const Log log_;

  std::unique_ptr<Controls> controls_;
  std::unique_ptr<Connection> client_;  // the thread's

  std::mutex events_mutex_;
  bool wanted_ = false;     // a client has ended its negotiation
  bool overflown_ = false;  // more was to be told than is kept
  std::string events_;      // lines that wait for the thread

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_MONITOR_H_
