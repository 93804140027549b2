// DIAGNOSE as KVM answers it (Linux, Documentation/virt/kvm/s390/s390-diag.rst).

#include <sched.h>

#include "base/big_endian.h"
#include "emulated-host/kvm/intercepts.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Instruction = InterceptedInstruction;

// X'10': release pages. They are shared memory of the user: the host has nothing to gain, and what
// a released page contains is not defined.
Disposition ReleasePages(VirtualCpu& cpu, const Instruction& instruction) {
  const std::uint64_t start = cpu.general()[instruction.r1()];
  const std::uint64_t end = cpu.general()[instruction.r3()] + kPageSize;
  if (start % kPageSize != 0 || end % kPageSize != 0 || start >= end || start < 2 * kPageSize) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  return Disposition::Resume();
}

// X'44' and X'9c': the CPU waits for another one.
Disposition Yield(VirtualCpu&, const Instruction&) {
  sched_yield();
  return Disposition::Resume();
}

struct PageFaultBlock {
  Be16 code;
  Be16 subcode;
  Be16 length;
  Be16 version;
  Be64 token;
  Be64 select;
  Be64 compare;
  Be64 architecture;
};
static_assert(sizeof(PageFaultBlock) == 40);

constexpr std::uint64_t kNoToken = ~std::uint64_t{0};

Disposition EstablishPageFaults(VirtualCpu& cpu, const Instruction& instruction,
                                const PageFaultBlock& block) {
  VirtualCpu::PageFaultHandshake& handshake = cpu.page_fault_handshake();
  std::uint64_t& answer = cpu.general()[instruction.r3()];
  if (handshake.token != kNoToken) {
    answer = 8;
    return Disposition::Resume();
  }
  if ((block.compare & block.select) != block.compare || block.token % 8 != 0) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  if (cpu.machine().storage().Find(block.token).bytes == nullptr) {
    return cpu.Interrupt(ProgramCode::kAddressing);
  }
  handshake = {block.token, block.select, block.compare};
  answer = 0;
  return Disposition::Resume();
}

Disposition CancelPageFaults(VirtualCpu& cpu, const Instruction& instruction,
                             const PageFaultBlock& block) {
  if (block.token != 0 || block.select != 0 || block.compare != 0 || block.architecture != 0) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  VirtualCpu::PageFaultHandshake& handshake = cpu.page_fault_handshake();
  cpu.general()[instruction.r3()] = handshake.token == kNoToken ? 4 : 0;
  handshake.token = kNoToken;
  return Disposition::Resume();
}

// X'258': page-reference services.
Disposition PageReferenceServices(VirtualCpu& cpu, const Instruction& instruction) {
  constexpr std::uint16_t kLengthInDoublewords = 5;
  if (cpu.secure()) return Disposition::Forward();
  const std::uint64_t address = cpu.general()[instruction.r1()];
  if (address % 8 != 0) return cpu.Interrupt(ProgramCode::kSpecification);
  PageFaultBlock block;
  if (!cpu.cpu().ReadReal(address, {reinterpret_cast<std::uint8_t*>(&block), sizeof(block)})) {
    return cpu.Interrupt(ProgramCode::kAddressing);
  }
  if (block.version != 2 || block.length < kLengthInDoublewords || block.code != 0x258) {
    return cpu.Interrupt(ProgramCode::kSpecification);
  }
  if (block.subcode == 0) return EstablishPageFaults(cpu, instruction, block);
  if (block.subcode == 1) return CancelPageFaults(cpu, instruction, block);
  return Disposition::Forward();
}

// X'308': the two subcodes that reset the machine and load anew.
Disposition InitialProgramLoad(VirtualCpu& cpu, const Instruction& instruction) {
  constexpr std::uint64_t kResetAndLoad =
      abi::KVM_S390_RESET_SUBSYSTEM | abi::KVM_S390_RESET_CPU_INIT | abi::KVM_S390_RESET_IPL;
  std::uint64_t flags = 0;
  switch (cpu.general()[instruction.r3()] & 0xffff) {
    case 3:
      flags = kResetAndLoad | abi::KVM_S390_RESET_CLEAR;
      break;
    case 4:
      flags = kResetAndLoad;
      break;
    default:
      return Disposition::Forward();
  }
  if (!cpu.machine().settings().user_controls_cpu_state) cpu.Stop();
  cpu.run_page().exit_reason = abi::KVM_EXIT_S390_RESET;
  cpu.run_page().s390_reset_flags = flags;
  return Disposition::Exit();
}

// X'500': a virtio queue of a subchannel has work.
Disposition NotifyQueue(VirtualCpu& cpu, const Instruction&) {
  constexpr std::uint64_t kNotify = 3;
  auto& general = cpu.general();
  if (!cpu.machine().settings().channel_subsystem || general[1] != kNotify) {
    return Disposition::Forward();
  }
  const auto cookie = cpu.machine().channels().Signal(general[2] & 0xffffffff, general[3]);
  if (!cookie) return Disposition::Forward();
  general[2] = *cookie;
  return Disposition::Resume();
}

struct Row {
  std::uint16_t code;
  Disposition (*handler)(VirtualCpu&, const Instruction&);
};
constexpr Row kRows[] = {
    {0x10, &ReleasePages},
    {0x44, &Yield},
    {0x9c, &Yield},
    {0x258, &PageReferenceServices},
    {0x308, &InitialProgramLoad},
    {0x500, &NotifyQueue},
};

}  // namespace

Disposition Diagnose(VirtualCpu& cpu, const InterceptedInstruction& instruction) {
  const auto code = static_cast<std::uint16_t>(instruction.Address(cpu));
  for (const Row& row : kRows) {
    if (row.code == code) return row.handler(cpu, instruction);
  }
  return Disposition::Forward();
}

}  // namespace lethe::emulated
