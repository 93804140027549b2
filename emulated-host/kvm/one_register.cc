#include "emulated-host/kvm/one_register.h"

#include <cerrno>

#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

struct Row {
  std::uint64_t id;
  std::uint64_t (*get)(VirtualCpu&);
  void (*set)(VirtualCpu&, std::uint64_t);
};

Registers& RegistersOf(VirtualCpu& cpu) { return cpu.cpu().registers(); }

constexpr Row kRows[] = {
    {abi::KVM_REG_S390_TODPR,
     [](VirtualCpu& cpu) -> std::uint64_t { return RegistersOf(cpu).tod_programmable; },
     [](VirtualCpu& cpu, std::uint64_t value) {
       RegistersOf(cpu).tod_programmable = static_cast<std::uint32_t>(value);
     }},
    {abi::KVM_REG_S390_EPOCHDIFF, [](VirtualCpu& cpu) { return cpu.machine().group().epoch(); },
     [](VirtualCpu& cpu, std::uint64_t value) { cpu.machine().group().SetEpoch(value); }},
    {abi::KVM_REG_S390_CPU_TIMER,
     [](VirtualCpu& cpu) { return static_cast<std::uint64_t>(cpu.cpu().cpu_timer()); },
     [](VirtualCpu& cpu, std::uint64_t value) {
       cpu.cpu().SetCpuTimer(static_cast<std::int64_t>(value));
     }},
    {abi::KVM_REG_S390_CLOCK_COMP,
     [](VirtualCpu& cpu) { return RegistersOf(cpu).clock_comparator; },
     [](VirtualCpu& cpu, std::uint64_t value) { cpu.cpu().SetClockComparator(value); }},
    {abi::KVM_REG_S390_PFTOKEN, [](VirtualCpu& cpu) { return cpu.page_fault_handshake().token; },
     [](VirtualCpu& cpu, std::uint64_t value) { cpu.page_fault_handshake().token = value; }},
    {abi::KVM_REG_S390_PFCOMPARE,
     [](VirtualCpu& cpu) { return cpu.page_fault_handshake().compare; },
     [](VirtualCpu& cpu, std::uint64_t value) { cpu.page_fault_handshake().compare = value; }},
    {abi::KVM_REG_S390_PFSELECT, [](VirtualCpu& cpu) { return cpu.page_fault_handshake().select; },
     [](VirtualCpu& cpu, std::uint64_t value) { cpu.page_fault_handshake().select = value; }},
    {abi::KVM_REG_S390_PP, [](VirtualCpu& cpu) { return RegistersOf(cpu).program_parameter; },
     [](VirtualCpu& cpu, std::uint64_t value) { RegistersOf(cpu).program_parameter = value; }},
    {abi::KVM_REG_S390_GBEA,
     [](VirtualCpu& cpu) { return RegistersOf(cpu).breaking_event_address; },
     [](VirtualCpu& cpu, std::uint64_t value) { RegistersOf(cpu).breaking_event_address = value; }},
};

const Row* FindRow(std::uint64_t id) {
  for (const Row& row : kRows) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

}  // namespace

int GetOneRegister(VirtualCpu& cpu, const abi::kvm_one_reg& request) {
  const Row* row = FindRow(request.id);
  if (cpu.secure() || row == nullptr) return -EINVAL;
  const std::uint64_t value = row->get(cpu);
  if (request.id == abi::KVM_REG_S390_TODPR) {
    return Put(request.addr, static_cast<std::uint32_t>(value));
  }
  return Put(request.addr, value);
}

int SetOneRegister(VirtualCpu& cpu, const abi::kvm_one_reg& request) {
  const Row* row = FindRow(request.id);
  if (cpu.secure() || row == nullptr) return -EINVAL;
  if (request.id == abi::KVM_REG_S390_TODPR) {
    std::uint32_t narrow = 0;
    if (const int error = Fetch(request.addr, narrow); error != 0) return error;
    row->set(cpu, narrow);
    return 0;
  }
  std::uint64_t value = 0;
  if (const int error = Fetch(request.addr, value); error != 0) return error;
  row->set(cpu, value);
  return 0;
}

}  // namespace lethe::emulated
