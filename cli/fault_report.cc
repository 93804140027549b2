#include "cli/fault_report.h"

#include <unistd.h>

#include <csignal>

#include "absl/strings/string_view.h"
#include "cli/exit_status.h"

namespace lethe {
namespace {

void Write(absl::string_view line) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

// Async-signal-safe calls only.
void OnFault(int, siginfo_t* information, void*) {
  if (information->si_code <= 0) {  // sent by a thread, no fault of an instruction here
    Write(
        "lethe: error: the guest cannot go on: the Ultravisor refused one of its pages, "
        "which was changed from outside\n");
    ::_exit(static_cast<int>(ExitStatus::kFailure));
  }
  Write(
      "lethe: error: memory fault; inside KVM it means that the Ultravisor refused a page of "
      "the guest\n");
  // SA_RESETHAND: the instruction faults again, with the default action.
}

}  // namespace

void ReportRefusedPages() {
  struct sigaction action {};
  action.sa_sigaction = &OnFault;
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  ::sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace lethe
