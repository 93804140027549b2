#include "emulated-host/kvm/memory_operation.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "emulated-host/kvm/sync_registers.h"
#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Operation = abi::kvm_s390_mem_op;

constexpr int kKeyShift = 52;
constexpr std::uint8_t kMaxKey = 15;
constexpr std::uint8_t kMaxAccessRegister = 15;
constexpr std::uint8_t kFetchProtection = 0x08;

// Flags, size and key; what differs is the set of flags.
int CheckCommon(const Operation& operation, std::uint64_t flags) {
  if ((operation.flags & ~flags) != 0 || operation.size == 0) return -EINVAL;
  if (operation.size > kMaxMemoryOperation) return -E2BIG;
  if ((operation.flags & abi::KVM_S390_MEMOP_F_SKEY_PROTECTION) != 0 &&
      operation.access.key > kMaxKey) {
    return -EINVAL;
  }
  return 0;
}

std::uint8_t KeyOf(const Operation& operation) {
  return operation.flags & abi::KVM_S390_MEMOP_F_SKEY_PROTECTION ? operation.access.key : 0;
}

bool CheckOnly(const Operation& operation) {
  return (operation.flags & abi::KVM_S390_MEMOP_F_CHECK_ONLY) != 0;
}

int CodeOf(ProgramCode code) { return static_cast<int>(code); }

// Key-controlled protection without the overrides of control register 0.
ProgramCode CheckAbsolute(VirtualMachine& machine, std::uint64_t absolute, std::uint64_t size,
                          std::uint8_t key, bool store) {
  const std::uint64_t last = absolute + size - 1;
  for (std::uint64_t at = absolute & kPageMask;; at += kPageSize) {
    const PageFrame frame = machine.storage().Find(at);
    if (frame.bytes == nullptr) return ProgramCode::kAddressing;
    const std::uint8_t storage_key = *frame.key;
    const bool matches = key == 0 || storage_key >> 4 == key;
    if (!matches && (store || (storage_key & kFetchProtection) != 0)) {
      return ProgramCode::kProtection;
    }
    if (at == (last & kPageMask)) return ProgramCode::kNone;
  }
}

}  // namespace

int AbsoluteMemoryOperation(VirtualMachine& machine, const Operation& operation) {
  if (machine.protection().active()) return -EINVAL;
  const bool store = operation.op == abi::KVM_S390_MEMOP_ABSOLUTE_WRITE;
  if (!store && operation.op != abi::KVM_S390_MEMOP_ABSOLUTE_READ) return -EINVAL;
  if (const int error = CheckCommon(
          operation, abi::KVM_S390_MEMOP_F_CHECK_ONLY | abi::KVM_S390_MEMOP_F_SKEY_PROTECTION);
      error != 0) {
    return error;
  }
  std::vector<std::uint8_t> buffer(CheckOnly(operation) ? 0 : operation.size);
  machine.gate().Enter();
  const absl::Cleanup leave = [&] { machine.gate().Leave(); };
  const ProgramCode code =
      CheckAbsolute(machine, operation.gaddr, operation.size, KeyOf(operation), store);
  if (code != ProgramCode::kNone || CheckOnly(operation)) return CodeOf(code);
  if (!store) {
    if (!machine.ReadAbsolute(operation.gaddr, absl::MakeSpan(buffer))) return -EFAULT;
    return CopyToUser(operation.buf, buffer.data(), buffer.size());
  }
  if (const int error = CopyFromUser(buffer.data(), operation.buf, buffer.size()); error != 0) {
    return error;
  }
  return machine.WriteAbsolute(operation.gaddr, buffer) ? 0 : -EFAULT;
}

namespace {

// The CPU's own access, with a key of its own in the PSW's place while this object lives.
class LogicalAccess {
 public:
  LogicalAccess(VirtualCpu& cpu, const Operation& operation)
      : cpu_(cpu), operation_(operation), psw_(cpu.cpu().registers().psw) {
    LoadInPlaceRegisters(cpu.run_page(), cpu.cpu());
    Psw psw{cpu.run_page().psw_mask, cpu.run_page().psw_addr};
    psw.mask = (psw.mask & ~Psw::kKeyMask) | std::uint64_t{KeyOf(operation)} << kKeyShift;
    cpu.cpu().SetPsw(psw);
    cpu.machine().gate().Enter();
  }
  ~LogicalAccess() {
    cpu_.machine().gate().Leave();
    cpu_.cpu().SetPsw(psw_);
  }
  LogicalAccess(const LogicalAccess&) = delete;
  LogicalAccess& operator=(const LogicalAccess&) = delete;

  // All of it first: nothing is transferred unless everything can be.
  ProgramInterruption Check(Access access) {
    return ForEachPage([&](LogicalAddress at, std::size_t, std::size_t length) {
      return cpu_.cpu().CheckLogical(at, length, access);
    });
  }
  ProgramInterruption Read(std::vector<std::uint8_t>& to) {
    return ForEachPage([&](LogicalAddress at, std::size_t offset, std::size_t length) {
      return cpu_.cpu().ReadLogical(at, {to.data() + offset, length});
    });
  }
  ProgramInterruption Write(const std::vector<std::uint8_t>& from) {
    return ForEachPage([&](LogicalAddress at, std::size_t offset, std::size_t length) {
      return cpu_.cpu().WriteLogical(at, {from.data() + offset, length});
    });
  }

 private:
  template <typename Function>
  ProgramInterruption ForEachPage(Function function) {
    for (std::size_t done = 0; done < operation_.size;) {
      const LogicalAddress at{cpu_.Wrap(operation_.gaddr + done), operation_.access.ar};
      const std::size_t length =
          std::min<std::size_t>(operation_.size - done, kPageSize - at.address % kPageSize);
      const ProgramInterruption interruption = function(at, done, length);
      if (interruption.code != ProgramCode::kNone) return interruption;
      done += length;
    }
    return {};
  }

  VirtualCpu& cpu_;
  const Operation& operation_;
  const Psw psw_;
};

void InjectException(VirtualCpu& cpu, const ProgramInterruption& interruption) {
  // Address bits stay; those that say how the access ended do not: a terminated one.
  constexpr std::uint64_t kEnding = Psw::Bit(56) | Psw::Bit(60) | Psw::Bit(61);
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_PROGRAM_INT;
  irq.u.pgm.code = static_cast<std::uint16_t>(interruption.code);
  irq.u.pgm.trans_exc_code = interruption.translation_exception;
  irq.u.pgm.exc_access_id = interruption.exception_access;
  if (interruption.code == ProgramCode::kProtection) irq.u.pgm.trans_exc_code &= ~kEnding;
  cpu.Inject(irq);
}

int LogicalOperation(VirtualCpu& cpu, const Operation& operation) {
  if (const int error = CheckCommon(operation, abi::KVM_S390_MEMOP_F_CHECK_ONLY |
                                                   abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION |
                                                   abi::KVM_S390_MEMOP_F_SKEY_PROTECTION);
      error != 0) {
    return error;
  }
  if (operation.access.ar > kMaxAccessRegister) return -EINVAL;
  if (cpu.secure()) return -EINVAL;
  const bool store = operation.op == abi::KVM_S390_MEMOP_LOGICAL_WRITE;
  std::vector<std::uint8_t> buffer(CheckOnly(operation) ? 0 : operation.size);
  if (store && !CheckOnly(operation)) {
    if (const int error = CopyFromUser(buffer.data(), operation.buf, buffer.size()); error != 0) {
      return error;
    }
  }
  ProgramInterruption interruption;
  {
    LogicalAccess access(cpu, operation);
    interruption = access.Check(store ? Access::kStore : Access::kFetch);
    if (interruption.code == ProgramCode::kNone && !CheckOnly(operation)) {
      interruption = store ? access.Write(buffer) : access.Read(buffer);
    }
  }
  if (interruption.code != ProgramCode::kNone) {
    if (operation.flags & abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION) {
      InjectException(cpu, interruption);
    }
    return CodeOf(interruption.code);
  }
  if (store || CheckOnly(operation)) return 0;
  return CopyToUser(operation.buf, buffer.data(), buffer.size());
}

// The size of the SIDA is where an ordinary CPU keeps its breaking-event address; the kernel looks
// before it asks which of the two it is.
std::uint64_t SidaSize(VirtualCpu& cpu) {
  if (cpu.secure()) return SecureCpu::kSidaSize;
  return ((cpu.cpu().registers().breaking_event_address & 0xff) + 1) * kPageSize;
}

int SidaOperation(VirtualCpu& cpu, const Operation& operation) {
  if (operation.flags != 0 || operation.size == 0) return -EINVAL;
  const std::uint64_t end = std::uint64_t{operation.size} + operation.sida_offset;
  if (end > 0xffffffff) return -EINVAL;
  if (end > SidaSize(cpu)) return -E2BIG;
  if (!cpu.secure()) return -EINVAL;
  std::uint8_t* area = cpu.secure()->sida().data() + operation.sida_offset;
  return operation.op == abi::KVM_S390_MEMOP_SIDA_READ
             ? CopyToUser(operation.buf, area, operation.size)
             : CopyFromUser(area, operation.buf, operation.size);
}

}  // namespace

int CpuMemoryOperation(VirtualCpu& cpu, const Operation& operation) {
  switch (operation.op) {
    case abi::KVM_S390_MEMOP_LOGICAL_READ:
    case abi::KVM_S390_MEMOP_LOGICAL_WRITE:
      return LogicalOperation(cpu, operation);
    case abi::KVM_S390_MEMOP_SIDA_READ:
    case abi::KVM_S390_MEMOP_SIDA_WRITE:
      return SidaOperation(cpu, operation);
    default:
      return -EINVAL;
  }
}

}  // namespace lethe::emulated
