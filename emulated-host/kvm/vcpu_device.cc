#include "emulated-host/kvm/vcpu_device.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "emulated-host/kvm/memory_operation.h"
#include "emulated-host/kvm/one_register.h"
#include "emulated-host/kvm/pv_command.h"
#include "emulated-host/kvm/sync_registers.h"
#include "emulated-host/kvm/user_memory.h"

namespace lethe::emulated {

struct VcpuDeviceTable {
  // Beside a KVM_RUN.
  static constexpr IoctlRow<VcpuDevice> kConcurrent[] = {
      {abi::KVM_RUN, "KVM_RUN", &VcpuDevice::Run},
      {abi::KVM_S390_INTERRUPT, "KVM_S390_INTERRUPT", &VcpuDevice::Interrupt},
      {abi::KVM_S390_IRQ, "KVM_S390_IRQ", &VcpuDevice::InjectInterruption},
  };
  // Under the mutex.
  static constexpr IoctlRow<VcpuDevice> kExclusive[] = {
      {abi::KVM_S390_VCPU_FAULT, "KVM_S390_VCPU_FAULT", &VcpuDevice::Fault},
      {abi::KVM_GET_REGS, "KVM_GET_REGS", &VcpuDevice::GetRegisters},
      {abi::KVM_SET_REGS, "KVM_SET_REGS", &VcpuDevice::SetRegisters},
      {abi::KVM_GET_SREGS, "KVM_GET_SREGS", &VcpuDevice::GetSystemRegisters},
      {abi::KVM_SET_SREGS, "KVM_SET_SREGS", &VcpuDevice::SetSystemRegisters},
      {abi::KVM_SET_SIGNAL_MASK, "KVM_SET_SIGNAL_MASK", &VcpuDevice::SetSignalMask},
      {abi::KVM_TRANSLATE, "KVM_TRANSLATE", &VcpuDevice::Translate},
      {abi::KVM_GET_FPU, "KVM_GET_FPU", &VcpuDevice::GetFloatingPoint},
      {abi::KVM_SET_FPU, "KVM_SET_FPU", &VcpuDevice::SetFloatingPoint},
      {abi::KVM_S390_STORE_STATUS, "KVM_S390_STORE_STATUS", &VcpuDevice::StoreStatus},
      {abi::KVM_S390_SET_INITIAL_PSW, "KVM_S390_SET_INITIAL_PSW", &VcpuDevice::SetInitialPsw},
      {abi::KVM_S390_NORMAL_RESET, "KVM_S390_NORMAL_RESET", &VcpuDevice::NormalReset},
      {abi::KVM_S390_INITIAL_RESET, "KVM_S390_INITIAL_RESET", &VcpuDevice::InitialReset},
      {abi::KVM_S390_CLEAR_RESET, "KVM_S390_CLEAR_RESET", &VcpuDevice::ClearReset},
      {abi::KVM_GET_MP_STATE, "KVM_GET_MP_STATE", &VcpuDevice::GetState},
      {abi::KVM_SET_MP_STATE, "KVM_SET_MP_STATE", &VcpuDevice::SetState},
      {abi::KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG", &VcpuDevice::SetGuestDebug},
      {abi::KVM_ENABLE_CAP, "KVM_ENABLE_CAP", &VcpuDevice::EnableCapability},
      {abi::KVM_GET_ONE_REG, "KVM_GET_ONE_REG", &VcpuDevice::GetOneRegister},
      {abi::KVM_SET_ONE_REG, "KVM_SET_ONE_REG", &VcpuDevice::SetOneRegister},
      {abi::KVM_S390_MEM_OP, "KVM_S390_MEM_OP", &VcpuDevice::MemoryOperation},
      {abi::KVM_S390_SET_IRQ_STATE, "KVM_S390_SET_IRQ_STATE", &VcpuDevice::SetInterruptionState},
      {abi::KVM_S390_GET_IRQ_STATE, "KVM_S390_GET_IRQ_STATE", &VcpuDevice::GetInterruptionState},
      {abi::KVM_S390_PV_CPU_COMMAND, "KVM_S390_PV_CPU_COMMAND", &VcpuDevice::ProtectedCommand},
  };
};

namespace {

constexpr unsigned long kRequestTypeMask = 0xff00;
constexpr unsigned long kRequestType = 0xae00;

}  // namespace

UniqueFd VcpuDevice::MakeDescriptor(const VirtualCpu& cpu) {
  return UniqueFd(fcntl(cpu.run_page_descriptor(), F_DUPFD_CLOEXEC, 0));
}

int VcpuDevice::Ioctl(unsigned long request, std::uintptr_t argument) {
  if (!machine_->IsInOwnMemory()) return -EIO;
  if ((request & kRequestTypeMask) != kRequestType) return -EINVAL;
  constexpr int kElsewhere = 1 << 30;
  const int result =
      DispatchIoctl(VcpuDeviceTable::kConcurrent, *this, request, argument, kElsewhere);
  if (result != kElsewhere) return result;
  const std::lock_guard lock(cpu_.mutex());
  return DispatchIoctl(VcpuDeviceTable::kExclusive, *this, request, argument);
}

int VcpuDevice::Run(std::uintptr_t argument) { return cpu_.Run(argument); }

int VcpuDevice::Interrupt(std::uintptr_t argument) {
  abi::kvm_s390_interrupt old;
  if (const int error = Fetch(argument, old); error != 0) return error;
  const std::optional<abi::kvm_s390_irq> irq = CpuInterruption(old);
  return irq ? cpu_.Inject(*irq) : -EINVAL;
}

int VcpuDevice::InjectInterruption(std::uintptr_t argument) {
  abi::kvm_s390_irq irq;
  if (const int error = Fetch(argument, irq); error != 0) return error;
  return cpu_.Inject(irq);
}

int VcpuDevice::Fault(std::uintptr_t address) {
  machine_->gate().Enter();
  const bool present = machine_->storage().Find(address).bytes != nullptr;
  machine_->gate().Leave();
  return present ? 0 : -EFAULT;
}

int VcpuDevice::GetRegisters(std::uintptr_t argument) {
  return CopyToUser(argument, cpu_.run_page().s.regs.gprs, sizeof(abi::kvm_regs));
}

int VcpuDevice::SetRegisters(std::uintptr_t argument) {
  return CopyFromUser(cpu_.run_page().s.regs.gprs, argument, sizeof(abi::kvm_regs));
}

int VcpuDevice::GetSystemRegisters(std::uintptr_t argument) {
  abi::kvm_sregs registers{};
  std::copy_n(cpu_.run_page().s.regs.acrs, 16, registers.acrs);
  const auto& control = cpu_.cpu().registers().control;
  std::copy(control.begin(), control.end(), registers.crs);
  return Put(argument, registers);
}

int VcpuDevice::SetSystemRegisters(std::uintptr_t argument) {
  abi::kvm_sregs registers;
  if (const int error = Fetch(argument, registers); error != 0) return error;
  std::copy_n(registers.acrs, 16, cpu_.run_page().s.regs.acrs);
  if (cpu_.secure()) return 0;
  for (int number = 0; number < 16; ++number) {
    cpu_.cpu().SetControl(number, registers.crs[number]);
  }
  return 0;
}

// Never possible on this architecture.
int VcpuDevice::Translate(std::uintptr_t argument) {
  std::array<std::uint64_t, 3> translation;
  const int error = Fetch(argument, translation);
  return error != 0 ? error : -EINVAL;
}

int VcpuDevice::SetSignalMask(std::uintptr_t argument) {
  if (argument == 0) {
    cpu_.SetSignalMask(std::nullopt);
    return 0;
  }
  std::uint32_t length;
  std::uint64_t bits;
  if (const int error = Fetch(argument, length); error != 0) return error;
  if (length != sizeof(bits)) return -EINVAL;
  if (const int error = Fetch(argument + sizeof(length), bits); error != 0) return error;
  sigset_t mask;
  sigemptyset(&mask);
  for (int number = 1; number <= 64; ++number) {
    if (bits >> (number - 1) & 1) sigaddset(&mask, number);
  }
  cpu_.SetSignalMask(mask);
  return 0;
}

int VcpuDevice::GetFloatingPoint(std::uintptr_t argument) {
  abi::kvm_fpu registers{};
  registers.fpc = cpu_.run_page().s.regs.fpc;
  std::copy_n(cpu_.run_page().s.regs.fprs, 16, registers.fprs);
  return Put(argument, registers);
}

int VcpuDevice::SetFloatingPoint(std::uintptr_t argument) {
  abi::kvm_fpu registers;
  if (const int error = Fetch(argument, registers); error != 0) return error;
  cpu_.run_page().s.regs.fpc = registers.fpc;
  std::copy_n(registers.fprs, 16, cpu_.run_page().s.regs.fprs);
  return 0;
}

int VcpuDevice::SetGuestDebug(std::uintptr_t argument) {
  abi::kvm_guest_debug wanted;
  if (const int error = Fetch(argument, wanted); error != 0) return error;
  return cpu_.SetDebug(wanted);
}

int VcpuDevice::StoreStatus(std::uintptr_t where) {
  machine_->gate().Enter();
  LoadInPlaceRegisters(cpu_.run_page(), cpu_.cpu());
  const int result = cpu_.StoreStatus(where);
  machine_->gate().Leave();
  return result;
}

int VcpuDevice::SetInitialPsw(std::uintptr_t argument) {
  abi::kvm_s390_psw psw;
  if (const int error = Fetch(argument, psw); error != 0) return error;
  if (!cpu_.stopped()) return -EBUSY;
  cpu_.run_page().psw_mask = psw.mask;
  cpu_.run_page().psw_addr = psw.addr;
  return 0;
}

int VcpuDevice::NormalReset(std::uintptr_t) { return cpu_.NormalReset(); }
int VcpuDevice::InitialReset(std::uintptr_t) { return cpu_.InitialReset(); }
int VcpuDevice::ClearReset(std::uintptr_t) { return cpu_.ClearReset(); }

// The state is the result of the call: the structure is not written (a quirk of the kernel).
int VcpuDevice::GetState(std::uintptr_t) {
  return static_cast<int>(cpu_.stopped() ? abi::KVM_MP_STATE_STOPPED : abi::KVM_MP_STATE_OPERATING);
}

int VcpuDevice::SetState(std::uintptr_t argument) {
  abi::kvm_mp_state state;
  if (const int error = Fetch(argument, state); error != 0) return error;
  machine_->settings().user_controls_cpu_state = true;
  return cpu_.SetState(state.mp_state);
}

int VcpuDevice::EnableCapability(std::uintptr_t argument) {
  abi::kvm_enable_cap wanted;
  if (const int error = Fetch(argument, wanted); error != 0) return error;
  if (wanted.flags != 0 || wanted.cap != abi::KVM_CAP_S390_CSS_SUPPORT) return -EINVAL;
  machine_->settings().channel_subsystem = true;
  return 0;
}

int VcpuDevice::GetOneRegister(std::uintptr_t argument) {
  abi::kvm_one_reg request;
  if (const int error = Fetch(argument, request); error != 0) return error;
  return emulated::GetOneRegister(cpu_, request);
}

int VcpuDevice::SetOneRegister(std::uintptr_t argument) {
  abi::kvm_one_reg request;
  if (const int error = Fetch(argument, request); error != 0) return error;
  return emulated::SetOneRegister(cpu_, request);
}

int VcpuDevice::MemoryOperation(std::uintptr_t argument) {
  abi::kvm_s390_mem_op operation;
  if (const int error = Fetch(argument, operation); error != 0) return error;
  return CpuMemoryOperation(cpu_, operation);
}

int VcpuDevice::SetInterruptionState(std::uintptr_t argument) {
  constexpr std::size_t kSize = sizeof(abi::kvm_s390_irq);
  abi::kvm_s390_irq_state state;
  if (const int error = Fetch(argument, state); error != 0) return error;
  if (state.len == 0 || state.len > kSize * abi::KVM_S390_MAX_LOCAL_IRQS ||
      state.len % kSize != 0) {
    return -EINVAL;
  }
  std::vector<abi::kvm_s390_irq> list(state.len / kSize);
  if (const int error = CopyFromUser(list.data(), state.buf, state.len); error != 0) return error;
  if (cpu_.local().pending() != 0) return -EBUSY;
  for (const abi::kvm_s390_irq& irq : list) {
    if (const int error = cpu_.Inject(irq); error != 0) return error;
  }
  return 0;
}

int VcpuDevice::GetInterruptionState(std::uintptr_t argument) {
  abi::kvm_s390_irq_state state;
  if (const int error = Fetch(argument, state); error != 0) return error;
  if (state.len == 0) return -EINVAL;
  const std::vector<abi::kvm_s390_irq> list = cpu_.local().List();
  const std::size_t size = list.size() * sizeof(abi::kvm_s390_irq);
  if (size > state.len) return -ENOBUFS;
  if (const int error = CopyToUser(state.buf, list.data(), size); error != 0) return error;
  return static_cast<int>(size);
}

int VcpuDevice::ProtectedCommand(std::uintptr_t argument) { return PvCpuCommand(cpu_, argument); }

}  // namespace lethe::emulated
