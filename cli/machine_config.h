#ifndef LETHE_CLI_MACHINE_CONFIG_H_
#define LETHE_CLI_MACHINE_CONFIG_H_

#include "cli/guest_host.h"
#include "cli/run_options.h"
#include "pv/ledger/admission.h"
#include "vmm/machine.h"

namespace lethe {

// What `lethe run` was told, as the parts of Lethe want it. Not validated.
AdmissionRequest AdmissionRequestOf(const RunOptions& options);
// Chooses a random UUID if none was given, and the kind of memory that `host` needs.
vmm::MachineConfig MachineConfigOf(const RunOptions& options, const GuestHost& host);

}  // namespace lethe

#endif  // LETHE_CLI_MACHINE_CONFIG_H_
