#include "vmm/store_system_information.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "base/big_endian.h"
#include "base/status_macros.h"
#include "vmm/ebcdic.h"

namespace lethe::vmm {
namespace {

constexpr std::size_t kLevels = 8;
constexpr std::size_t kLongName = 256;
constexpr std::uint8_t kUtf8 = 2;

struct VirtualMachine {
  std::array<std::uint8_t, 4> reserved0;
  Be16 total_cpus;
  Be16 configured_cpus;
  Be16 standby_cpus;
  Be16 reserved_cpus;
  std::array<char, 8> name;  // EBCDIC, padded with blanks
  Be32 adjustment_factor;
  std::array<char, 16> control_program;
  std::array<std::uint8_t, 3> reserved1;
  std::uint8_t long_name_encoding;
  Be32 reserved2;
  std::array<std::uint8_t, 16> uuid;
};
static_assert(sizeof(VirtualMachine) == 64);

// System information block 3.2.2; the first machine is the innermost.
struct SystemInformation322 {
  std::array<std::uint8_t, 31> reserved0;
  std::uint8_t count;
  std::array<VirtualMachine, kLevels> machines;
  std::array<std::uint8_t, 1504> reserved1;
  std::array<std::array<char, kLongName>, kLevels> long_names;
};
static_assert(sizeof(SystemInformation322) == 4096);
static_assert(offsetof(SystemInformation322, long_names) == 2048);

void Describe(SystemInformation322& block, const Platform& platform) {
  // KVM has put itself first, but knows nothing of long names: move those of outer levels along.
  std::copy_backward(block.long_names.begin(), block.long_names.end() - 1, block.long_names.end());
  VirtualMachine& machine = block.machines[0];
  std::string name = platform.name.substr(0, machine.name.size());
  name.resize(machine.name.size(), ' ');
  const std::string ebcdic = ToEbcdic(name);
  std::copy(ebcdic.begin(), ebcdic.end(), machine.name.begin());
  machine.long_name_encoding = kUtf8;
  machine.uuid = platform.uuid;
  block.long_names[0].fill('\0');
  std::copy_n(platform.name.begin(), std::min(platform.name.size(), kLongName - 1),
              block.long_names[0].begin());
}

}  // namespace

absl::Status AmendSystemInformation(VcpuThread& cpu, const kvm::StoreSystemInformation& exit,
                                    const Platform& platform) {
  if (exit.function_code != 3 || exit.selector_1 != 2 || exit.selector_2 != 2)
    return absl::OkStatus();
  const OperandAddress operand{OperandAddress::Space::kLogical, exit.address, exit.access_register};
  SystemInformation322 block;
  const auto bytes = absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&block), sizeof(block));
  LETHE_ASSIGN_OR_RETURN(const ProgramCode read,
                         platform.operands->Read(cpu.vcpu(), operand, bytes));
  // KVM has just stored there; if the page is gone since, the guest took it away itself.
  if (read != ProgramCode::kNone || block.count == 0) return absl::OkStatus();
  Describe(block, platform);
  return platform.operands->Write(cpu.vcpu(), operand, bytes).status();
}

}  // namespace lethe::vmm
