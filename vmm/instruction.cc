#include "vmm/instruction.h"

namespace lethe::vmm {
namespace {

constexpr std::uint64_t kProblemState = 0x0001000000000000;
constexpr std::uint64_t k64BitMode = 0x0000000100000000;  // with the basic mode bit
constexpr std::uint64_t kBasicMode = 0x0000000080000000;

}  // namespace

bool Instruction::problem_state() const { return (cpu.vcpu().psw().mask & kProblemState) != 0; }

std::uint64_t Instruction::Address() const {
  const std::uint64_t base = text.base() == 0 ? 0 : gpr(text.base());
  const std::uint64_t address = base + text.displacement();
  const std::uint64_t mask = cpu.vcpu().psw().mask;
  if (protected_guest() || (mask & k64BitMode) != 0) return address;
  return address & ((mask & kBasicMode) != 0 ? 0x7fffffff : 0x00ffffff);
}

}  // namespace lethe::vmm
