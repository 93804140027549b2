// STORE SYSTEM INFORMATION and STORE HYPERVISOR INFORMATION.

#include <array>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "emulated-host/kvm/intercepts.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Block = std::array<std::uint8_t, kPageSize>;

// Code page 037, as far as the texts here need it.
std::uint8_t Ebcdic(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(0xf0 + (c - '0'));
  constexpr struct {
    char first, last;
    std::uint8_t code;
  } kLetters[] = {{'A', 'I', 0xc1}, {'J', 'R', 0xd1}, {'S', 'Z', 0xe2},
                  {'a', 'i', 0x81}, {'j', 'r', 0x91}, {'s', 'z', 0xa2}};
  for (const auto& range : kLetters) {
    if (c >= range.first && c <= range.last) {
      return static_cast<std::uint8_t>(range.code + (c - range.first));
    }
  }
  return c == '/' ? 0x61 : 0x40;
}

void PutText(Block& block, std::size_t offset, std::size_t width, absl::string_view text) {
  for (std::size_t i = 0; i < width; ++i) {
    block[offset + i] = Ebcdic(i < text.size() ? text[i] : ' ');
  }
}

template <typename T>
void PutNumber(Block& block, std::size_t offset, T value) {
  StoreBigEndian(block.data() + offset, value);
}

constexpr std::uint32_t kCapability = 1000;

// Number of CPUs: total, configured, standby, reserved.
void PutCpuCounts(Block& block, std::size_t offset, unsigned cpus) {
  PutNumber(block, offset, static_cast<std::uint16_t>(cpus));
  PutNumber(block, offset + 2, static_cast<std::uint16_t>(cpus));
}

struct Machine {
  std::uint64_t cpu_id;
  unsigned cpus;
};

void BasicMachine(Block& block, const Machine& machine) {  // 1.1.1
  const std::string type = absl::StrFormat("%04X", machine.cpu_id >> 16 & 0xffff);
  PutText(block, 32, 16, "IBM");
  PutText(block, 48, 4, type);
  PutText(block, 64, 16, "LETHE");
  PutText(block, 80, 16, absl::StrFormat("%016X", machine.cpu_id >> 32 & 0xffffff));
  PutText(block, 96, 4, "00");
  PutText(block, 100, 16, "LETHE");
}

void BasicMachineCpu(Block& block, const Machine& machine) {  // 1.2.1 and 2.2.1
  PutText(block, 80, 16, absl::StrFormat("%016X", machine.cpu_id >> 32 & 0xffffff));
  PutText(block, 96, 4, "00");
}

void BasicMachineCpus(Block& block, const Machine& machine) {  // 1.2.2
  PutNumber(block, 32, kCapability);
  PutCpuCounts(block, 36, machine.cpus);
}

void LogicalPartition(Block& block, const Machine& machine) {  // 2.2.2
  PutNumber(block, 32, std::uint16_t{1});
  PutCpuCounts(block, 36, machine.cpus);
  PutText(block, 44, 8, "LETHE");
  PutNumber(block, 52, kCapability);
}

void VirtualMachineLevel(Block& block, const Machine& machine) {  // 3.2.2
  constexpr std::size_t kFirst = 32;
  block[31] = 1;  // one level of virtual machines
  PutCpuCounts(block, kFirst + 4, machine.cpus);
  PutText(block, kFirst + 12, 8, "KVMguest");
  PutNumber(block, kFirst + 20, kCapability);
  PutText(block, kFirst + 24, 16, "KVM/Linux");
}

struct Row {
  std::uint8_t function;
  std::uint8_t selector1;
  std::uint16_t selector2;
  void (*fill)(Block&, const Machine&);
};
constexpr Row kRows[] = {
    {1, 1, 1, &BasicMachine},    {1, 2, 1, &BasicMachineCpu},  {1, 2, 2, &BasicMachineCpus},
    {2, 2, 1, &BasicMachineCpu}, {2, 2, 2, &LogicalPartition}, {3, 2, 2, &VirtualMachineLevel},
};

Disposition ReportToUser(VirtualCpu& cpu, LogicalAddress operand, std::uint8_t function,
                         std::uint8_t selector1, std::uint16_t selector2) {
  abi::kvm_run& run = cpu.run_page();
  run.exit_reason = abi::KVM_EXIT_S390_STSI;
  run.s390_stsi.addr = operand.address;
  run.s390_stsi.ar = operand.base;
  run.s390_stsi.reserved = 0;
  run.s390_stsi.fc = function;
  run.s390_stsi.sel1 = selector1;
  run.s390_stsi.sel2 = selector2;
  return Disposition::Exit();
}

Disposition NotAvailable(VirtualCpu& cpu) {
  cpu.SetConditionCode(3);
  return Disposition::Resume();
}

constexpr std::uint8_t kTopology = 15;
constexpr unsigned kTopologyFacility = 11;
constexpr std::uint64_t kReserved0 = 0x0fffff00;
constexpr std::uint64_t kReserved1 = 0xffff0000;

}  // namespace

Disposition StoreSystemInformation(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  auto& general = cpu.general();
  const auto function = static_cast<std::uint8_t>(general[0] >> 28 & 0xf);
  const auto selector1 = static_cast<std::uint8_t>(general[0]);
  const auto selector2 = static_cast<std::uint16_t>(general[1]);
  const bool user = cpu.machine().settings().user_stsi;
  if (function > 3 && function != kTopology) return NotAvailable(cpu);
  if (function == kTopology && !(cpu.cpu().HasFacility(kTopologyFacility) && user)) {
    return NotAvailable(cpu);
  }
  if ((general[0] & kReserved0) != 0 || (general[1] & kReserved1) != 0) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  if (function == 0) {
    general[0] = std::uint64_t{3} << 28;
    cpu.SetConditionCode(0);
    return Disposition::Resume();
  }
  const LogicalAddress operand{cpu.Wrap(instruction.Address(cpu)),
                               static_cast<std::uint8_t>(instruction.base())};
  if (!cpu.secure() && operand.address % kPageSize != 0) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  if (function == kTopology) return ReportToUser(cpu, operand, function, selector1, selector2);
  const Row* found = nullptr;
  for (const Row& row : kRows) {
    if (row.function == function && row.selector1 == selector1 && row.selector2 == selector2) {
      found = &row;
    }
  }
  if (found == nullptr) return NotAvailable(cpu);
  Block block{};
  found->fill(block, {cpu.cpu().model().cpu_id, cpu.machine().cpu_count()});
  if (cpu.secure()) {
    cpu.secure()->sida() = block;
  } else if (const ProgramInterruption failure = cpu.cpu().WriteLogical(operand, block);
             failure.code != ProgramCode::kNone) {
    return cpu.Interrupt(failure);
  }
  cpu.SetConditionCode(0);
  general[0] = 0;
  if (user) return ReportToUser(cpu, operand, function, selector1, selector2);
  return Disposition::Resume();
}

// No function code is supported: the host keeps no capacity data.
Disposition StoreHypervisorInformation(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  constexpr unsigned kFacility = 74;
  constexpr std::uint64_t kUnsupportedFunction = 4;
  if (!cpu.cpu().HasFacility(kFacility)) return cpu.Interrupt(ProgramCode::kOperation);
  const int r1 = instruction.rre1();
  const int r2 = instruction.rre2();
  if (r1 == r2 || r1 % 2 != 0 || r2 % 2 != 0) return cpu.Interrupt(ProgramCode::kSpecification);
  const bool known = (cpu.general()[r1] & 0xffff) == 0;
  if (known && !cpu.secure() && cpu.general()[r2] % kPageSize != 0) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  cpu.general()[r2 + 1] = kUnsupportedFunction;
  cpu.SetConditionCode(3);
  return Disposition::Resume();
}

}  // namespace lethe::emulated
