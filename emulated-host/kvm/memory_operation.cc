#include "emulated-host/kvm/memory_operation.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "emulated-host/cpu/guest_bytes.h"
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

// Key-controlled protection without the overrides of control register 0, of bytes in one page.
ProgramCode CheckPage(VirtualMachine& machine, std::uint64_t absolute, std::uint8_t key,
                      bool store) {
  const PageFrame frame = machine.storage().Find(absolute);
  if (frame.bytes == nullptr) return ProgramCode::kAddressing;
  const std::uint8_t storage_key = *frame.key;
  const bool matches = key == 0 || storage_key >> 4 == key;
  return !matches && (store || (storage_key & kFetchProtection) != 0) ? ProgramCode::kProtection
                                                                      : ProgramCode::kNone;
}

// Calls `function` with address, offset and length of each part that lies in one page, until one
// answers something else than 0.
template <typename Function>
int ForEachPage(std::uint64_t absolute, std::size_t size, Function function) {
  for (std::size_t done = 0; done < size;) {
    const std::uint64_t at = absolute + done;
    const std::size_t length = std::min<std::size_t>(size - done, kPageSize - at % kPageSize);
    if (const int result = function(at, done, length); result != 0) return result;
    done += length;
  }
  return 0;
}

int ReadStorage(VirtualMachine& machine, const Operation& operation) {
  std::vector<std::uint8_t> buffer(operation.size);
  const int result = ForEachPage(
      operation.gaddr, buffer.size(), [&](std::uint64_t at, std::size_t done, std::size_t length) {
        const ProgramCode code = CheckPage(machine, at, KeyOf(operation), /*store=*/false);
        if (code != ProgramCode::kNone) return CodeOf(code);
        return machine.ReadAbsolute(at, {buffer.data() + done, length}) ? 0 : -EFAULT;
      });
  return result != 0 ? result : CopyToUser(operation.buf, buffer.data(), buffer.size());
}

// Page by page: what lies before an exception has been stored.
int WriteStorage(VirtualMachine& machine, const Operation& operation) {
  std::vector<std::uint8_t> buffer(operation.size);
  if (const int error = CopyFromUser(buffer.data(), operation.buf, buffer.size()); error != 0) {
    return error;
  }
  return ForEachPage(
      operation.gaddr, buffer.size(), [&](std::uint64_t at, std::size_t done, std::size_t length) {
        const ProgramCode code = CheckPage(machine, at, KeyOf(operation), /*store=*/true);
        if (code != ProgramCode::kNone) return CodeOf(code);
        return machine.WriteAbsolute(at, {buffer.data() + done, length}) ? 0 : -EFAULT;
      });
}

constexpr std::size_t kLongestExchange = 16;
using ExchangeValue = std::array<std::uint8_t, kLongestExchange>;

// `at` is on a boundary of sizeof(T). True: `wanted` stood there and `replacement` does now;
// otherwise `wanted` becomes what stands there.
template <typename T>
bool Exchange(std::uint8_t* at, ExchangeValue& wanted, const ExchangeValue& replacement) {
  T expected;
  T desired;
  std::memcpy(&expected, wanted.data(), sizeof(T));
  std::memcpy(&desired, replacement.data(), sizeof(T));
  const T found = CompareAndSwapAligned(reinterpret_cast<T*>(at), expected, desired);
  std::memcpy(wanted.data(), &found, sizeof(T));
  return found == expected;
}

bool ExchangeBytes(std::uint8_t* at, std::size_t size, ExchangeValue& wanted,
                   const ExchangeValue& replacement) {
  switch (size) {
    case 1:
      return Exchange<std::uint8_t>(at, wanted, replacement);
    case 2:
      return Exchange<std::uint16_t>(at, wanted, replacement);
    case 4:
      return Exchange<std::uint32_t>(at, wanted, replacement);
    case 8:
      return Exchange<std::uint64_t>(at, wanted, replacement);
    default:
      return Exchange<Uint128>(at, wanted, replacement);
  }
}

int CompareAndExchange(VirtualMachine& machine, const Operation& operation) {
  const std::uint32_t size = operation.size;
  if (const int error = CheckCommon(operation, abi::KVM_S390_MEMOP_F_SKEY_PROTECTION); error != 0) {
    return error;
  }
  if (size > kLongestExchange) return -EINVAL;
  ExchangeValue replacement;
  ExchangeValue wanted;
  if (CopyFromUser(replacement.data(), operation.buf, size) != 0) return -EFAULT;
  if (CopyFromUser(wanted.data(), operation.access.old_addr, size) != 0) return -EFAULT;
  machine.gate().Enter();
  const absl::Cleanup leave = [&] { machine.gate().Leave(); };
  const std::uint64_t at = operation.gaddr;
  const PageFrame frame = machine.storage().Find(at);
  if (frame.bytes == nullptr) return CodeOf(ProgramCode::kAddressing);
  if ((size & (size - 1)) != 0 || at % size != 0) return -EINVAL;
  const ProgramCode code = CheckPage(machine, at, KeyOf(operation), /*store=*/true);
  if (code != ProgramCode::kNone) return CodeOf(code);
  if (!machine.MakeAccessible(at, size)) return -EFAULT;
  if (!ExchangeBytes(frame.bytes + at % kPageSize, size, wanted, replacement)) {
    return CopyToUser(operation.access.old_addr, wanted.data(), size);
  }
  machine.NoteStored(frame, at);
  return 0;
}

}  // namespace

int AbsoluteMemoryOperation(VirtualMachine& machine, const Operation& operation) {
  if (machine.protection().active()) return -EINVAL;
  if (operation.op == abi::KVM_S390_MEMOP_ABSOLUTE_CMPXCHG) {
    return CompareAndExchange(machine, operation);
  }
  const bool store = operation.op == abi::KVM_S390_MEMOP_ABSOLUTE_WRITE;
  if (!store && operation.op != abi::KVM_S390_MEMOP_ABSOLUTE_READ) return -EINVAL;
  if (const int error = CheckCommon(
          operation, abi::KVM_S390_MEMOP_F_CHECK_ONLY | abi::KVM_S390_MEMOP_F_SKEY_PROTECTION);
      error != 0) {
    return error;
  }
  machine.gate().Enter();
  const absl::Cleanup leave = [&] { machine.gate().Leave(); };
  // Before anything else, the buffer included.
  if (machine.storage().Find(operation.gaddr).bytes == nullptr) {
    return CodeOf(ProgramCode::kAddressing);
  }
  if (CheckOnly(operation)) {
    // Key 0 may do everything; whether the rest is there, the kernel does not ask then.
    if (KeyOf(operation) == 0) return 0;
    return ForEachPage(operation.gaddr, operation.size,
                       [&](std::uint64_t at, std::size_t, std::size_t) {
                         return CodeOf(CheckPage(machine, at, KeyOf(operation), store));
                       });
  }
  return store ? WriteStorage(machine, operation) : ReadStorage(machine, operation);
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

  ProgramInterruption Check(Access access) {
    return ForEachPart([&](LogicalAddress at, std::size_t, std::size_t length) {
      return cpu_.cpu().CheckLogical(at, length, access);
    });
  }
  ProgramInterruption Read(std::vector<std::uint8_t>& to) {
    return ForEachPart([&](LogicalAddress at, std::size_t offset, std::size_t length) {
      return cpu_.cpu().ReadLogical(at, {to.data() + offset, length});
    });
  }
  // Part by part: what lies before an exception has been stored, if all of it could be translated.
  ProgramInterruption Write(const std::vector<std::uint8_t>& from) {
    if (const ProgramInterruption exception = Check(Access::kStore);
        exception.code != ProgramCode::kNone && exception.code != ProgramCode::kProtection) {
      return exception;
    }
    return ForEachPart([&](LogicalAddress at, std::size_t offset, std::size_t length) {
      const ProgramInterruption exception =
          cpu_.cpu().WriteLogical(at, {from.data() + offset, length});
      begun_ = begun_ || exception.code == ProgramCode::kNone;
      return exception;
    });
  }
  // Has a part been stored?
  bool begun() const { return begun_; }

 private:
  // Parts in one page, and of page 0 in one half: fetch-protection override ends there.
  template <typename Function>
  ProgramInterruption ForEachPart(Function function) {
    constexpr std::uint64_t kOverrideEnd = kPageSize / 2;
    for (std::size_t done = 0; done < operation_.size;) {
      const LogicalAddress at{cpu_.Wrap(operation_.gaddr + done), operation_.access.ar};
      const std::uint64_t end = at.address < kOverrideEnd
                                    ? kOverrideEnd
                                    : at.address - at.address % kPageSize + kPageSize;
      const std::size_t length = std::min<std::size_t>(operation_.size - done, end - at.address);
      const ProgramInterruption interruption = function(at, done, length);
      if (interruption.code != ProgramCode::kNone) return interruption;
      done += length;
    }
    return {};
  }

  VirtualCpu& cpu_;
  const Operation& operation_;
  const Psw psw_;
  bool begun_ = false;
};

// `begun`: the access was terminated, otherwise it was suppressed.
void InjectException(VirtualCpu& cpu, const ProgramInterruption& interruption, bool begun) {
  constexpr std::uint64_t kLowAddress = Psw::Bit(56);
  constexpr std::uint64_t kKeyControlled = Psw::Bit(60);
  constexpr std::uint64_t kTranslation = Psw::Bit(61);
  constexpr std::uint64_t kEnding = kLowAddress | kKeyControlled | kTranslation;
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_PROGRAM_INT;
  irq.u.pgm.code = static_cast<std::uint16_t>(interruption.code);
  irq.u.pgm.trans_exc_code = interruption.translation_exception;
  irq.u.pgm.exc_access_id = interruption.exception_access;
  if (interruption.code == ProgramCode::kProtection) {
    std::uint64_t& teid = irq.u.pgm.trans_exc_code;
    if (begun) {
      teid &= ~kEnding;
    } else if ((teid & kEnding) == 0) {
      teid |= kKeyControlled;
    }
  }
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
  bool begun = false;
  {
    LogicalAccess access(cpu, operation);
    if (CheckOnly(operation)) {
      interruption = access.Check(store ? Access::kStore : Access::kFetch);
    } else {
      interruption = store ? access.Write(buffer) : access.Read(buffer);
    }
    begun = access.begun();
  }
  if (interruption.code != ProgramCode::kNone) {
    if (operation.flags & abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION) {
      InjectException(cpu, interruption, begun);
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
