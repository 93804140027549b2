#ifndef LETHE_CLI_FAULT_REPORT_H_
#define LETHE_CLI_FAULT_REPORT_H_

namespace lethe {

// Puts a sentence before the death by SIGSEGV. It is what KVM does to a vCPU's thread when the
// Ultravisor refuses a page of a protected guest (changed by somebody while it was exported): the
// guest cannot go on, and there is no other notice. Sent as a signal (the emulated host) it ends
// the process with ExitStatus::kFailure; a fault of ours keeps its default action.
void ReportRefusedPages();

}  // namespace lethe

#endif  // LETHE_CLI_FAULT_REPORT_H_
