#include "emulated-host/kvm/sync_registers.h"

#include <algorithm>
#include <cstring>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/kvm/virtual_cpu.h"

namespace lethe::emulated {

void LoadInPlaceRegisters(const abi::kvm_run& run, Cpu& cpu) {
  const abi::kvm_sync_regs& page = run.s.regs;
  Registers& registers = cpu.registers();
  std::copy_n(page.gprs, 16, registers.general.begin());
  std::copy_n(page.fprs, 16, registers.floating_point.begin());
  registers.floating_point_control = page.fpc;
  if (!std::equal(page.acrs, page.acrs + 16, registers.access.begin())) {
    std::copy_n(page.acrs, 16, registers.access.begin());
    cpu.ContextChanged();
  }
}

void LoadDirtyRegisters(const abi::kvm_run& run, VirtualCpu& cpu) {
  const abi::kvm_sync_regs& page = run.s.regs;
  const std::uint64_t dirty = run.kvm_dirty_regs;
  Registers& registers = cpu.cpu().registers();
  if (dirty & abi::KVM_SYNC_PREFIX) cpu.cpu().SetPrefix(static_cast<std::uint32_t>(page.prefix));
  if (dirty & abi::KVM_SYNC_CRS) {
    for (int number = 0; number < 16; ++number) {
      if (registers.control[number] != page.crs[number]) {
        cpu.cpu().SetControl(number, page.crs[number]);
      }
    }
  }
  if (dirty & abi::KVM_SYNC_ARCH0) {
    cpu.cpu().SetCpuTimer(static_cast<std::int64_t>(page.cputm));
    cpu.cpu().SetClockComparator(page.ckc);
    registers.tod_programmable = static_cast<std::uint32_t>(page.todpr);
    registers.program_parameter = page.pp;
    registers.breaking_event_address = page.gbea;
  }
  if (dirty & abi::KVM_SYNC_PFAULT) {
    cpu.page_fault_handshake() = {page.pft, page.pfs, page.pfc};
  }
  if (dirty & abi::KVM_SYNC_DIAG318) cpu.diagnose318 = page.diag318;
}

namespace {

void StoreSystemRegisters(abi::kvm_run& run, Cpu& cpu) {
  abi::kvm_sync_regs& page = run.s.regs;
  const Registers& registers = cpu.registers();
  run.psw_mask = registers.psw.mask;
  run.psw_addr = registers.psw.address;
  std::copy(registers.control.begin(), registers.control.end(), page.crs);
  page.todpr = registers.tod_programmable;
  page.cputm = static_cast<std::uint64_t>(cpu.cpu_timer());
  page.ckc = registers.clock_comparator;
  page.pp = registers.program_parameter;
  page.gbea = registers.breaking_event_address;
}

}  // namespace

void StoreRegisters(abi::kvm_run& run, VirtualCpu& cpu) {
  abi::kvm_sync_regs& page = run.s.regs;
  const Registers& registers = cpu.cpu().registers();
  StoreSystemRegisters(run, cpu.cpu());
  page.prefix = registers.prefix;
  std::copy(registers.general.begin(), registers.general.end(), page.gprs);
  std::copy(registers.access.begin(), registers.access.end(), page.acrs);
  std::copy(registers.floating_point.begin(), registers.floating_point.end(), page.fprs);
  page.fpc = registers.floating_point_control;
  page.pft = cpu.page_fault_handshake().token;
  page.pfs = cpu.page_fault_handshake().select;
  page.pfc = cpu.page_fault_handshake().compare;
  page.diag318 = cpu.diagnose318;
}

void StoreInitialRegisters(abi::kvm_run& run, Cpu& cpu) {
  StoreSystemRegisters(run, cpu);
  run.s.regs.fpc = cpu.registers().floating_point_control;
}

void ClearInitialRegisters(abi::kvm_run& run) {
  constexpr std::uint64_t kInitialControl0 = 0xe0;
  constexpr std::uint64_t kInitialControl14 = 0xc2000000;
  abi::kvm_sync_regs& page = run.s.regs;
  run.psw_mask = 0;
  run.psw_addr = 0;
  std::fill_n(page.crs, 16, 0);
  page.crs[0] = kInitialControl0;
  page.crs[14] = kInitialControl14;
  page.todpr = 0;
  page.cputm = 0;
  page.ckc = 0;
  page.fpc = 0;
}

void ClearGeneralRegisters(abi::kvm_run& run) {
  abi::kvm_sync_regs& page = run.s.regs;
  std::fill_n(page.gprs, 16, 0);
  std::fill_n(page.acrs, 16, 0);
  std::memset(page.vrs, 0, sizeof(page.vrs));
  std::memset(page.sdnx, 0, sizeof(page.sdnx));
}

}  // namespace lethe::emulated
