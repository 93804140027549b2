#include "vmm/diagnose_308.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/big_endian.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

enum class ReturnCode : std::uint64_t {
  kGood = 0x0001,
  kNoConfiguration = 0x0102,
  kInvalidBlock = 0x0402,
  kNoProtectedConfiguration = 0x0902,
};

constexpr std::uint64_t kPageSize = 4096;

// The head that IPL parameter blocks of every type share.
struct BlockHead {
  Be32 length;  // of the whole block
  std::array<std::uint8_t, 4> flags_and_version{};
  Be32 block_length;
  std::uint8_t type = 0;
  std::array<std::uint8_t, 3> reserved{};
};
static_assert(sizeof(BlockHead) == 16);

constexpr std::uint8_t kTypeFcp = 0;
constexpr std::uint8_t kTypeCcw = 2;
constexpr std::uint8_t kTypeProtected = 5;
constexpr std::uint32_t kShortestCcw = 200;
constexpr std::uint32_t kShortestFcp = 384;
constexpr std::uint32_t kShortestProtected = 148;

bool AcceptedAsBoot(const BlockHead& head) {
  return (head.type == kTypeCcw && head.length >= kShortestCcw) ||
         (head.type == kTypeFcp && head.length >= kShortestFcp);
}

bool AcceptedAsProtected(const BlockHead& head) {
  return head.type == kTypeProtected && head.length >= kShortestProtected;
}

void Return(const Instruction& instruction, ReturnCode code) {
  instruction.gpr(instruction.text.rs_r1() + 1) = static_cast<std::uint64_t>(code);
}

OperandAddress BlockAddress(const Instruction& instruction) {
  return {OperandAddress::Space::kAbsolute, instruction.gpr(instruction.text.rs_r1()), 0};
}

// What subcodes with a block check first. A protected guest's operand was checked before.
ProgramCode CheckBlockOperand(const Instruction& instruction) {
  if (instruction.text.rs_r1() % 2 != 0) return ProgramCode::kSpecification;
  if (instruction.protected_guest()) return ProgramCode::kNone;
  const std::uint64_t address = BlockAddress(instruction).address;
  if (address % kPageSize != 0) return ProgramCode::kSpecification;
  if (!instruction.platform.memory.Contains(GuestAddress(address), kPageSize))
    return ProgramCode::kAddressing;
  return ProgramCode::kNone;
}

absl::StatusOr<Completion> SetBlock(const Instruction& instruction, IplParameters::Slot slot) {
  const ProgramCode wrong = CheckBlockOperand(instruction);
  if (wrong != ProgramCode::kNone) return Completion::Interrupted(wrong);
  Bytes block(kPageSize);
  LETHE_ASSIGN_OR_RETURN(const ProgramCode read,
                         instruction.Read(BlockAddress(instruction), absl::MakeSpan(block)));
  if (read != ProgramCode::kNone) return Completion::Interrupted(read);
  BlockHead head;
  std::memcpy(&head, block.data(), sizeof(head));
  const bool accepted =
      slot == IplParameters::Slot::kBoot ? AcceptedAsBoot(head) : AcceptedAsProtected(head);
  if (!accepted || head.length > kPageSize) {
    Return(instruction, ReturnCode::kInvalidBlock);
    return Completion::Done();
  }
  block.resize(head.length);
  instruction.platform.ipl_parameters.Set(slot, std::move(block));
  Return(instruction, ReturnCode::kGood);
  return Completion::Done();
}

absl::StatusOr<Completion> StoreBlock(const Instruction& instruction, IplParameters::Slot slot) {
  const ProgramCode wrong = CheckBlockOperand(instruction);
  if (wrong != ProgramCode::kNone) return Completion::Interrupted(wrong);
  const std::optional<Bytes> block = instruction.platform.ipl_parameters.Find(slot);
  if (!block) {
    Return(instruction, ReturnCode::kNoConfiguration);
    return Completion::Done();
  }
  LETHE_ASSIGN_OR_RETURN(const ProgramCode written,
                         instruction.Write(BlockAddress(instruction), *block));
  if (written != ProgramCode::kNone) return Completion::Interrupted(written);
  Return(instruction, ReturnCode::kGood);
  return Completion::Done();
}

absl::StatusOr<Completion> ModifiedClear(const Instruction& instruction) {
  instruction.platform.requests.Post(RestartInPlace{instruction.cpu.address(), true});
  return Completion::Parked();
}

absl::StatusOr<Completion> LoadNormal(const Instruction& instruction) {
  instruction.platform.requests.Post(RestartInPlace{instruction.cpu.address(), false});
  return Completion::Parked();
}

// KVM keeps subcodes 3 and 4 for itself and reports a reset; a notification may still name them.
absl::StatusOr<Completion> LoadAgain(const Instruction& instruction) {
  instruction.platform.requests.Post(ReIpl{instruction.cpu.address()});
  return Completion::Parked();
}

absl::StatusOr<Completion> SetBoot(const Instruction& instruction) {
  return SetBlock(instruction, IplParameters::Slot::kBoot);
}
absl::StatusOr<Completion> StoreBoot(const Instruction& instruction) {
  return StoreBlock(instruction, IplParameters::Slot::kBoot);
}
absl::StatusOr<Completion> SetProtected(const Instruction& instruction) {
  return SetBlock(instruction, IplParameters::Slot::kProtected);
}
absl::StatusOr<Completion> StoreProtected(const Instruction& instruction) {
  return StoreBlock(instruction, IplParameters::Slot::kProtected);
}

absl::StatusOr<Completion> Start(const Instruction& instruction) {
  const unsigned r1 = instruction.text.rs_r1();
  if (r1 % 2 != 0) return Completion::Interrupted(ProgramCode::kSpecification);
  if (!instruction.platform.ipl_parameters.Find(IplParameters::Slot::kProtected)) {
    Return(instruction, ReturnCode::kNoProtectedConfiguration);
    return Completion::Done();
  }
  instruction.platform.requests.Post(StartProtected{instruction.cpu.address(), r1 + 1});
  return Completion::Parked();
}

enum class Needs { kNothing, kSecureExecution };  // facility 161, and an unprotected guest

struct Subcode {
  std::uint64_t number;
  Needs needs;
  bool in_protected_mode;
  InstructionHandler handler;
};
constexpr std::array kSubcodes = {
    Subcode{0, Needs::kNothing, true, &ModifiedClear},
    Subcode{1, Needs::kNothing, true, &LoadNormal},
    Subcode{3, Needs::kNothing, true, &LoadAgain},
    Subcode{4, Needs::kNothing, false, &LoadAgain},
    Subcode{5, Needs::kNothing, true, &SetBoot},
    Subcode{6, Needs::kNothing, true, &StoreBoot},
    Subcode{8, Needs::kSecureExecution, false, &SetProtected},
    Subcode{9, Needs::kSecureExecution, false, &StoreProtected},
    Subcode{10, Needs::kSecureExecution, false, &Start},
};

bool Allowed(const Subcode& subcode, const Instruction& instruction) {
  if (instruction.protected_guest()) return subcode.in_protected_mode;
  return subcode.needs == Needs::kNothing || instruction.platform.secure_execution;
}

}  // namespace

absl::StatusOr<Completion> Diagnose308(const Instruction& instruction) {
  const std::uint64_t number = instruction.gpr(instruction.text.rs_r3());
  const auto subcode = std::find_if(kSubcodes.begin(), kSubcodes.end(),
                                    [&](const Subcode& row) { return row.number == number; });
  if (subcode == kSubcodes.end() || !Allowed(*subcode, instruction))
    return Completion::Interrupted(ProgramCode::kSpecification);
  return subcode->handler(instruction);
}

}  // namespace lethe::vmm
