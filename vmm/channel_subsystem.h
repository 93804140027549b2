#ifndef LETHE_VMM_CHANNEL_SUBSYSTEM_H_
#define LETHE_VMM_CHANNEL_SUBSYSTEM_H_

#include "vmm/instruction.h"

namespace lethe::vmm {

// I/O instructions on a channel subsystem without devices: every subchannel is not operational.
// KVM has checked that the CPU is in supervisor state.

// CSCH, HSCH, RSCH, XSCH: no operand in storage.
absl::StatusOr<Completion> SubchannelFunction(const Instruction& instruction);
// SSCH, MSCH, STSCH, TSCH: an operand in storage, word aligned.
absl::StatusOr<Completion> SubchannelOperand(const Instruction& instruction);
absl::StatusOr<Completion> StoreChannelReportWord(const Instruction& instruction);
absl::StatusOr<Completion> ResetChannelPath(const Instruction& instruction);
absl::StatusOr<Completion> SetAddressLimit(const Instruction& instruction);
absl::StatusOr<Completion> SetChannelMonitor(const Instruction& instruction);
// STCPS: suppressed, as on machines without channel paths.
absl::StatusOr<Completion> StoreChannelPathStatus(const Instruction& instruction);
// SIGA: no such queue.
absl::StatusOr<Completion> SignalAdapter(const Instruction& instruction);
absl::StatusOr<Completion> ChannelSubsystemCall(const Instruction& instruction);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_CHANNEL_SUBSYSTEM_H_
