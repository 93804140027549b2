#include "vmm/intercept_table.h"

#include <algorithm>
#include <array>

#include "vmm/channel_subsystem.h"
#include "vmm/diagnose.h"
#include "vmm/service_call.h"
#include "vmm/sigp.h"

namespace lethe::vmm {
namespace {

constexpr OperandPlace kNone = OperandPlace::kNone;
constexpr OperandPlace kAbsolute = OperandPlace::kAbsoluteStorage;
constexpr OperandPlace kLogical = OperandPlace::kLogicalStorage;

constexpr std::array kTable = {
    InterceptedInstruction{0x8300, "DIAG", kAbsolute, &Diagnose},
    InterceptedInstruction{0xae00, "SIGP", kNone, &SignalProcessor},
    InterceptedInstruction{0xb220, "SERVC", kAbsolute, &ServiceCall},
    InterceptedInstruction{0xb230, "CSCH", kNone, &SubchannelFunction},
    InterceptedInstruction{0xb231, "HSCH", kNone, &SubchannelFunction},
    InterceptedInstruction{0xb232, "MSCH", kLogical, &SubchannelOperand},
    InterceptedInstruction{0xb233, "SSCH", kLogical, &SubchannelOperand},
    InterceptedInstruction{0xb234, "STSCH", kLogical, &SubchannelOperand},
    InterceptedInstruction{0xb237, "SAL", kNone, &SetAddressLimit},
    InterceptedInstruction{0xb238, "RSCH", kNone, &SubchannelFunction},
    InterceptedInstruction{0xb239, "STCRW", kLogical, &StoreChannelReportWord},
    InterceptedInstruction{0xb23a, "STCPS", kLogical, &StoreChannelPathStatus},
    InterceptedInstruction{0xb23b, "RCHP", kNone, &ResetChannelPath},
    InterceptedInstruction{0xb23c, "SCHM", kNone, &SetChannelMonitor},
    InterceptedInstruction{0xb25f, "CHSC", kLogical, &ChannelSubsystemCall},
    InterceptedInstruction{0xb274, "SIGA", kNone, &SignalAdapter},
    InterceptedInstruction{0xb276, "XSCH", kNone, &SubchannelFunction},
};

constexpr bool IsOneByte(const InterceptedInstruction& row) { return (row.opcode & 0xff) == 0; }

constexpr bool SortedWithoutDuplicates() {
  for (std::size_t i = 1; i < kTable.size(); ++i)
    if (kTable[i - 1].opcode >= kTable[i].opcode) return false;
  return true;
}
static_assert(SortedWithoutDuplicates());

}  // namespace

absl::Span<const InterceptedInstruction> InterceptTable() { return kTable; }

const InterceptedInstruction* FindIntercepted(InstructionText text) {
  const auto row = std::find_if(kTable.begin(), kTable.end(), [&](const auto& candidate) {
    return candidate.opcode == (IsOneByte(candidate) ? text.ipa & 0xff00 : text.ipa);
  });
  return row == kTable.end() ? nullptr : &*row;
}

}  // namespace lethe::vmm
