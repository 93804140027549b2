#include "vmm/diagnose.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "vmm/diagnose_308.h"

namespace lethe::vmm {
namespace {

// Voluntary time slice end (0x44, 0x9c), when KVM did not take it: a hint.
absl::StatusOr<Completion> Yield(const Instruction&) {
  std::this_thread::yield();
  return Completion::Done();
}

// Hypercalls of virtio devices, of which there are none here.
absl::StatusOr<Completion> VirtioCall(const Instruction& instruction) {
  instruction.gpr(2) = static_cast<std::uint64_t>(-EINVAL);
  return Completion::Done();
}

struct Function {
  std::uint16_t code;
  InstructionHandler handler;
};
constexpr std::array kFunctions = {
    Function{0x0044, &Yield},
    Function{0x009c, &Yield},
    Function{0x0308, &Diagnose308},
    Function{0x0500, &VirtioCall},
};

}  // namespace

absl::StatusOr<Completion> Diagnose(const Instruction& instruction) {
  const InstructionText& text = instruction.text;
  const std::uint64_t base = text.base() == 0 ? 0 : instruction.gpr(text.base());
  const auto code = static_cast<std::uint16_t>(base + text.displacement());
  const auto function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                     [&](const Function& row) { return row.code == code; });
  if (function == kFunctions.end()) return Completion::Interrupted(ProgramCode::kSpecification);
  return function->handler(instruction);
}

}  // namespace lethe::vmm
