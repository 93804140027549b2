#include "emulated-host/kvm/pv_command.h"

#include <array>
#include <cerrno>
#include <mutex>
#include <vector>

#include "absl/strings/str_format.h"
#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/protection.h"
#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Codes = Protection::Codes;

int Enable(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().Enable(codes);
}

int Disable(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().Disable(codes);
}

int SetParameters(VirtualMachine& machine, abi::kvm_pv_cmd& command, Codes& codes) {
  if (!machine.protection().active()) return -EINVAL;
  abi::kvm_s390_pv_sec_parm parameters;
  if (const int error = Fetch(command.data, parameters); error != 0) return error;
  if (parameters.length > abi::KVM_PV_SEC_PARM_MAX_LENGTH) return -EINVAL;
  if (parameters.length == 0) return -ENOMEM;  // as the kernel's allocator answers
  std::vector<std::uint8_t> header(parameters.length);
  if (const int error = CopyFromUser(header.data(), parameters.origin, header.size()); error != 0) {
    return error;
  }
  return machine.protection().SetParameters(header, codes);
}

int Unpack(VirtualMachine& machine, abi::kvm_pv_cmd& command, Codes& codes) {
  if (!machine.protection().active()) return -EINVAL;
  abi::kvm_s390_pv_unp unpack;
  if (const int error = Fetch(command.data, unpack); error != 0) return error;
  if (unpack.addr % kPageSize != 0 || unpack.size % kPageSize != 0 || unpack.size == 0) {
    return -EINVAL;
  }
  return machine.protection().Unpack(unpack.addr, unpack.size, unpack.tweak, codes);
}

int Verify(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().active() ? machine.protection().Verify(codes) : -EINVAL;
}

int PrepareReset(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().active() ? machine.protection().PrepareReset(codes) : -EINVAL;
}

int UnshareAll(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().active() ? machine.protection().UnshareAll(codes) : -EINVAL;
}

void DescribeHost(VirtualMachine& machine, abi::kvm_s390_pv_info_vm& info) {
  const Ultravisor& ultravisor = machine.host().ultravisor();
  const auto calls = ultravisor.installed_calls();
  for (int i = 0; i < 4; ++i) info.inst_calls_list[i] = calls[i];
  info.max_cpus = std::uint64_t{ultravisor.features().max_cpu_id} + 1;
  info.max_guests = ultravisor.features().max_configurations;
  constexpr std::uint64_t kHighest = Ultravisor::kHighestAddress;
  info.max_guest_addr = (kHighest + kPageSize - 1) & kPageMask;
  info.feature_indication = ultravisor.feature_words();
}

// Without the calls that dump: only what every Ultravisor has.
void DescribeDump(abi::kvm_s390_pv_info_dump& info) {
  info.dump_cpu_buffer_len = Ultravisor::kCpuStorage;
}

int Info(VirtualMachine& machine, abi::kvm_pv_cmd& command, Codes&) {
  abi::kvm_s390_pv_info info{};
  if (const int error = Fetch(command.data, info.header); error != 0) return error;
  if (info.header.len_max < sizeof(info.header)) return -EINVAL;
  std::uint32_t length = 0;
  switch (info.header.id) {
    case abi::KVM_PV_INFO_VM:
      length = sizeof(info.header) + sizeof(info.vm);
      break;
    case abi::KVM_PV_INFO_DUMP:
      length = sizeof(info.header) + sizeof(info.dump);
      break;
    default:
      return -EINVAL;
  }
  if (info.header.len_max < length) return -EINVAL;
  if (info.header.id == abi::KVM_PV_INFO_VM) DescribeHost(machine, info.vm);
  if (info.header.id == abi::KVM_PV_INFO_DUMP) DescribeDump(info.dump);
  info.header.len_written = length;
  return CopyToUser(command.data, &info, length);
}

// The Ultravisor has none of the calls that dump: INIT is refused, so no dump is ever in progress.
int Dump(VirtualMachine& machine, abi::kvm_pv_cmd& command, Codes& codes) {
  if (!machine.protection().active()) return -EINVAL;
  abi::kvm_s390_pv_dmp dump;
  if (const int error = Fetch(command.data, dump); error != 0) return error;
  switch (dump.subcmd) {
    case abi::KVM_PV_DUMP_INIT:
      codes = {UvcResult::kInvalidCommand, 0};
      return -EINVAL;
    case abi::KVM_PV_DUMP_CONFIG_STOR_STATE:
    case abi::KVM_PV_DUMP_COMPLETE:
      return -EINVAL;
    default:
      return -ENOTTY;
  }
}

int Prepare(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().SetAside(codes);
}

int Perform(VirtualMachine& machine, abi::kvm_pv_cmd&, Codes& codes) {
  return machine.protection().CleanUp(codes);
}

struct Row {
  std::uint32_t command;
  int (*handler)(VirtualMachine&, abi::kvm_pv_cmd&, Codes&);
  bool takes_lock = true;
};
constexpr Row kRows[] = {
    {abi::KVM_PV_ENABLE, &Enable},
    {abi::KVM_PV_DISABLE, &Disable},
    {abi::KVM_PV_SET_SEC_PARMS, &SetParameters},
    {abi::KVM_PV_UNPACK, &Unpack},
    {abi::KVM_PV_VERIFY, &Verify},
    {abi::KVM_PV_PREP_RESET, &PrepareReset},
    {abi::KVM_PV_UNSHARE_ALL, &UnshareAll},
    {abi::KVM_PV_INFO, &Info},
    {abi::KVM_PV_DUMP, &Dump},
    {abi::KVM_PV_ASYNC_CLEANUP_PREPARE, &Prepare},
    {abi::KVM_PV_ASYNC_CLEANUP_PERFORM, &Perform, false},
};

int Execute(VirtualMachine& machine, abi::kvm_pv_cmd& command) {
  for (const Row& row : kRows) {
    if (row.command != command.cmd) continue;
    std::unique_lock lock(machine.lock(), std::defer_lock);
    if (row.takes_lock) lock.lock();
    Codes codes{command.rc, command.rrc};
    const int result = row.handler(machine, command, codes);
    command.rc = codes.rc;
    command.rrc = codes.rrc;
    return result;
  }
  return -ENOTTY;
}

}  // namespace

int PvCommand(VirtualMachine& machine, std::uintptr_t argument) {
  // From here on, even if the host cannot protect anything, the user says when CPUs run.
  machine.settings().user_controls_cpu_state = true;
  if (!machine.host().offers_protection()) return -EINVAL;
  abi::kvm_pv_cmd command;
  if (const int error = Fetch(argument, command); error != 0) return error;
  if (command.flags != 0) return -EINVAL;
  const int result = Execute(machine, command);
  machine.host().log().Debug(absl::StrFormat("KVM_S390_PV_COMMAND %d: %d, rc %x, rrc %x",
                                             command.cmd, result, command.rc, command.rrc));
  if (const int error = Put(argument, command); error != 0) return error;
  return result;
}

int PvCpuCommand(VirtualCpu& cpu, std::uintptr_t argument) {
  if (!cpu.machine().host().offers_protection()) return -EINVAL;
  abi::kvm_pv_cmd command;
  if (const int error = Fetch(argument, command); error != 0) return error;
  if (command.flags != 0 || command.cmd != abi::KVM_PV_DUMP) return -EINVAL;
  // The one command stores the state of a CPU into a dump, and no dump is ever in progress. The
  // codes come back all the same, where Linux 6.12 puts them: at the beginning.
  const std::array<std::uint16_t, 2> codes = {command.rc, command.rrc};
  if (const int error = Put(argument, codes); error != 0) return error;
  return -EINVAL;
}

}  // namespace lethe::emulated
