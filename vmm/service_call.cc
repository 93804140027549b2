#include "vmm/service_call.h"

#include <cstring>

#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

constexpr std::uint32_t kEventPending = 1;
constexpr std::uint64_t kControlBlockMask = 0x7ffffff8;  // doubleword aligned, below 2 GiB
constexpr std::uint64_t kPrefixAreaMask = ~std::uint64_t{0x1fff};

// What we name as the control block of a protected guest; the Ultravisor puts the real address.
constexpr std::uint32_t kSecureControlBlock = 0x4000;

std::uint32_t PendingBit(const SclpEventFacility& events) {
  return events.EventPending() ? kEventPending : 0;
}

// Checks of an ordinary guest's instruction before its control block is looked at. For a protected
// one the Ultravisor has made them.
ProgramCode CheckAddress(const Instruction& instruction, std::uint64_t sccb) {
  if (instruction.problem_state()) return ProgramCode::kPrivilegedOperation;
  if (sccb >= instruction.platform.memory.size()) return ProgramCode::kAddressing;
  const std::uint64_t prefix = instruction.cpu.vcpu().registers().prefix;
  if ((sccb & ~kControlBlockMask) != 0 || (sccb & kPrefixAreaMask) == 0 ||
      (sccb & kPrefixAreaMask) == prefix)
    return ProgramCode::kSpecification;
  return ProgramCode::kNone;
}

// Executes `command` on the control block; which is copied once, and answered in place.
absl::StatusOr<ProgramCode> Execute(const Instruction& instruction, std::uint32_t command,
                                    OperandAddress sccb) {
  SccbHeader header;
  const auto header_bytes =
      absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&header), sizeof(header));
  LETHE_ASSIGN_OR_RETURN(const ProgramCode read, instruction.Read(sccb, header_bytes));
  if (read != ProgramCode::kNone) return read;
  const std::size_t length = header.length;
  if (length < sizeof(header)) return ProgramCode::kSpecification;

  if (!Sclp::Serves(command)) {
    SetResponse(header_bytes, SclpResponse::kInvalidCommand);
    return instruction.Write(sccb, header_bytes);
  }
  if (sccb.address % kSccbLimit + length > kSccbLimit) {
    SetResponse(header_bytes, SclpResponse::kBoundaryViolation);
    return instruction.Write(sccb, header_bytes);
  }
  std::array<std::uint8_t, kSccbLimit> buffer;
  const absl::Span<std::uint8_t> block = absl::MakeSpan(buffer.data(), length);
  LETHE_ASSIGN_OR_RETURN(const ProgramCode whole, instruction.Read(sccb, block));
  if (whole != ProgramCode::kNone) return whole;
  // The guest may have changed the header meanwhile; the first copy counts.
  std::memcpy(block.data(), &header, sizeof(header));
  instruction.platform.sclp.Execute(command, block);
  return instruction.Write(sccb, block);
}

}  // namespace

absl::StatusOr<Completion> ServiceCall(const Instruction& instruction) {
  const auto command = static_cast<std::uint32_t>(instruction.gpr(instruction.text.rre_r1()));
  OperandAddress sccb{OperandAddress::Space::kAbsolute, 0, 0};
  std::uint32_t parameter = kSecureControlBlock;
  if (!instruction.protected_guest()) {
    sccb.address = static_cast<std::uint32_t>(instruction.gpr(instruction.text.rre_r2()));
    const ProgramCode code = CheckAddress(instruction, sccb.address);
    if (code != ProgramCode::kNone) return Completion::Interrupted(code);
    parameter = static_cast<std::uint32_t>(sccb.address);
  }
  LETHE_ASSIGN_OR_RETURN(const ProgramCode code, Execute(instruction, command, sccb));
  if (code != ProgramCode::kNone) return Completion::Interrupted(code);
  Platform& platform = instruction.platform;
  LETHE_RETURN_IF_ERROR(
      platform.flic.EnqueueServiceSignal(parameter | PendingBit(platform.sclp.events())));
  return Completion::WithCode(0);
}

absl::Status SignalPendingEvents(const SclpEventFacility& events, const kvm::Flic& flic) {
  if (!events.EventPending()) return absl::OkStatus();
  return flic.EnqueueServiceSignal(kEventPending);
}

}  // namespace lethe::vmm
