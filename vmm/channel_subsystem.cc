#include "vmm/channel_subsystem.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "base/big_endian.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

constexpr unsigned kNotOperational = 3;
constexpr std::uint64_t kPageSize = 4096;

// Register 1 of most I/O instructions: the subsystem identification word.
constexpr std::uint32_t kIdentificationOne = 0x00010000;       // always one
constexpr std::uint32_t kIdentificationMultiple = 0x00080000;  // m: the word names a subsystem
constexpr std::uint32_t kIdentificationSubsystem = 0xff000000;
constexpr std::uint32_t kIdentificationReserved = 0x00f00000;

bool IsSubsystemIdentification(std::uint32_t word) {
  if ((word & kIdentificationOne) == 0 || (word & kIdentificationReserved) != 0) return false;
  return (word & kIdentificationMultiple) != 0 || (word & kIdentificationSubsystem) == 0;
}

Completion NotOperational(const Instruction& instruction) {
  if (!IsSubsystemIdentification(static_cast<std::uint32_t>(instruction.gpr(1))))
    return Completion::Interrupted(ProgramCode::kOperand);
  return Completion::WithCode(kNotOperational);
}

// CHANNEL SUBSYSTEM CALL: a request block at the start of a page, the response right behind it.
struct CallRequest {
  Be16 length;
  Be16 command;
  std::array<Be32, 3> parameters;
};
static_assert(sizeof(CallRequest) == 16);

struct CallResponse {
  Be16 length;
  Be16 code;
  Be32 parameter;
};
static_assert(sizeof(CallResponse) == 8);
constexpr std::size_t kLongestRequest = kPageSize - sizeof(CallResponse);

enum class CallCode : std::uint16_t {
  kGood = 0x0001,
  kInvalidRequest = 0x0003,
  kNotProvided = 0x0004,
  kNothingPending = 0x0005,
};

constexpr std::uint16_t kStoreEventInformation = 0x000e;
constexpr std::uint16_t kStoreCharacteristics = 0x0010;
constexpr std::uint16_t kCharacteristicsLength = 4080;

// Answers a request into `response`, the zeroed rest of the page; returns the answer's length.
std::size_t AnswerCall(const CallRequest& request, absl::Span<std::uint8_t> response) {
  CallResponse answer;
  answer.length = sizeof(answer);
  CallCode code = CallCode::kNotProvided;
  switch (request.command) {
    case kStoreCharacteristics:
      if (request.length == sizeof(CallRequest)) {
        // No optional facility is installed: all bits stay zero.
        code = CallCode::kGood;
        answer.length = kCharacteristicsLength;
      } else {
        code = CallCode::kInvalidRequest;
      }
      break;
    case kStoreEventInformation:
      code = CallCode::kNothingPending;
      break;
    default:
      break;
  }
  answer.code = static_cast<std::uint16_t>(code);
  std::memcpy(response.data(), &answer, sizeof(answer));
  return answer.length;
}

}  // namespace

absl::StatusOr<Completion> SubchannelFunction(const Instruction& instruction) {
  return NotOperational(instruction);
}

absl::StatusOr<Completion> SubchannelOperand(const Instruction& instruction) {
  if (!instruction.protected_guest() && instruction.Address() % 4 != 0)
    return Completion::Interrupted(ProgramCode::kSpecification);
  return NotOperational(instruction);
}

absl::StatusOr<Completion> StoreChannelReportWord(const Instruction& instruction) {
  const OperandAddress operand = instruction.LogicalOperand();
  if (!instruction.protected_guest() && operand.address % 4 != 0)
    return Completion::Interrupted(ProgramCode::kSpecification);
  static constexpr std::array<std::uint8_t, 4> kNoReport{};
  LETHE_ASSIGN_OR_RETURN(const ProgramCode code, instruction.Write(operand, kNoReport));
  if (code != ProgramCode::kNone) return Completion::Interrupted(code);
  return Completion::WithCode(1);
}

absl::StatusOr<Completion> ResetChannelPath(const Instruction& instruction) {
  if ((instruction.gpr(1) & 0xff00ff00) != 0) return Completion::Interrupted(ProgramCode::kOperand);
  return Completion::WithCode(kNotOperational);
}

absl::StatusOr<Completion> SetAddressLimit(const Instruction& instruction) {
  if ((instruction.gpr(1) & 0x8000ffff) != 0) return Completion::Interrupted(ProgramCode::kOperand);
  return Completion::Done();
}

absl::StatusOr<Completion> SetChannelMonitor(const Instruction& instruction) {
  constexpr std::uint64_t kUpdateBlock = 0x2;
  if ((instruction.gpr(1) & 0x000000000ffffffc) != 0 ||
      ((instruction.gpr(1) & kUpdateBlock) != 0 && instruction.gpr(2) % 32 != 0))
    return Completion::Interrupted(ProgramCode::kOperand);
  return Completion::Done();
}

absl::StatusOr<Completion> StoreChannelPathStatus(const Instruction&) { return Completion::Done(); }

absl::StatusOr<Completion> SignalAdapter(const Instruction&) {
  return Completion::WithCode(kNotOperational);
}

absl::StatusOr<Completion> ChannelSubsystemCall(const Instruction& instruction) {
  const unsigned r1 = instruction.text.rre_r1();
  const OperandAddress block{OperandAddress::Space::kLogical, instruction.gpr(r1),
                             static_cast<std::uint8_t>(r1)};
  if (!instruction.protected_guest() && block.address % kPageSize != 0)
    return Completion::Interrupted(ProgramCode::kSpecification);

  CallRequest request;
  LETHE_ASSIGN_OR_RETURN(
      const ProgramCode read,
      instruction.Read(block,
                       absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&request), sizeof(request))));
  if (read != ProgramCode::kNone) return Completion::Interrupted(read);
  const std::size_t length = request.length;
  if (length < sizeof(request) || length > kLongestRequest || length % 8 != 0)
    return Completion::Interrupted(ProgramCode::kOperand);

  // The operand is written from its start, as that is what a protected guest's area holds.
  Bytes page(kPageSize);
  const absl::Span<std::uint8_t> whole = absl::MakeSpan(page);
  LETHE_ASSIGN_OR_RETURN(const ProgramCode again, instruction.Read(block, whole.first(length)));
  if (again != ProgramCode::kNone) return Completion::Interrupted(again);
  const std::size_t answered = AnswerCall(request, whole.subspan(length));
  const std::size_t end = std::min<std::size_t>(length + answered, kPageSize);
  LETHE_ASSIGN_OR_RETURN(const ProgramCode written, instruction.Write(block, whole.first(end)));
  if (written != ProgramCode::kNone) return Completion::Interrupted(written);
  return Completion::WithCode(0);
}

}  // namespace lethe::vmm
