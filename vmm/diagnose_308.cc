#include "vmm/diagnose_308.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "pv/ipl_parameter_block.h"

namespace lethe::vmm {
namespace {

constexpr std::uint64_t kPageSize = 4096;

void Return(const Instruction& instruction, IplCode code) {
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

// A block's slot: from it and to it.
using SetSlot = IplCode (IplParameterBlocks::*)(absl::Span<const std::uint8_t>);
using GetSlot = const Bytes* (IplParameterBlocks::*)() const;

absl::StatusOr<Completion> SetBlock(const Instruction& instruction, SetSlot set) {
  const ProgramCode wrong = CheckBlockOperand(instruction);
  if (wrong != ProgramCode::kNone) return Completion::Interrupted(wrong);
  std::array<std::uint8_t, kPageSize> block;
  LETHE_ASSIGN_OR_RETURN(const ProgramCode read,
                         instruction.Read(BlockAddress(instruction), absl::MakeSpan(block)));
  if (read != ProgramCode::kNone) return Completion::Interrupted(read);
  Platform& platform = instruction.platform;
  std::lock_guard lock(platform.ipl_mutex);
  const IplCode code = (platform.ipl_blocks.*set)(block);
  if (code != IplCode::kGood)
    platform.log.Info(absl::StrCat("the guest's ", platform.ipl_blocks.refusal()));
  Return(instruction, code);
  return Completion::Done();
}

absl::StatusOr<Completion> StoreBlock(const Instruction& instruction, GetSlot get) {
  const ProgramCode wrong = CheckBlockOperand(instruction);
  if (wrong != ProgramCode::kNone) return Completion::Interrupted(wrong);
  Platform& platform = instruction.platform;
  std::lock_guard lock(platform.ipl_mutex);
  const Bytes* const block = (platform.ipl_blocks.*get)();
  if (block == nullptr) {
    Return(instruction, IplCode::kNoConfiguration);
    return Completion::Done();
  }
  LETHE_ASSIGN_OR_RETURN(const ProgramCode written,
                         instruction.Write(BlockAddress(instruction), *block));
  if (written != ProgramCode::kNone) return Completion::Interrupted(written);
  Return(instruction, IplCode::kGood);
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
  return SetBlock(instruction, &IplParameterBlocks::SetOrdinary);
}
absl::StatusOr<Completion> StoreBoot(const Instruction& instruction) {
  return StoreBlock(instruction, &IplParameterBlocks::ordinary);
}
absl::StatusOr<Completion> SetProtected(const Instruction& instruction) {
  return SetBlock(instruction, &IplParameterBlocks::SetProtected);
}
absl::StatusOr<Completion> StoreProtected(const Instruction& instruction) {
  return StoreBlock(instruction, &IplParameterBlocks::protected_block);
}

absl::StatusOr<Completion> Start(const Instruction& instruction) {
  const unsigned r1 = instruction.text.rs_r1();
  if (r1 % 2 != 0) return Completion::Interrupted(ProgramCode::kSpecification);
  {
    std::lock_guard lock(instruction.platform.ipl_mutex);
    if (instruction.platform.ipl_blocks.protected_parameters() == nullptr) {
      Return(instruction, IplCode::kNoProtectedConfiguration);
      return Completion::Done();
    }
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
