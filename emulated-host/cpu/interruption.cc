// Interruption actions (Principles of Operation, "Interruptions", and the figure of assigned
// storage locations).

#include <utility>

#include "base/big_endian.h"
#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

// Real locations in the prefix area.
struct Lowcore {
  static constexpr std::uint64_t kExternalParameter = 0x80;
  static constexpr std::uint64_t kExternalCpuAddress = 0x84;
  static constexpr std::uint64_t kExternalCode = 0x86;
  static constexpr std::uint64_t kSupervisorCallLength = 0x88;
  static constexpr std::uint64_t kSupervisorCallCode = 0x8a;
  static constexpr std::uint64_t kProgramLength = 0x8c;
  static constexpr std::uint64_t kProgramCode = 0x8e;
  static constexpr std::uint64_t kDataExceptionCode = 0x90;
  static constexpr std::uint64_t kMonitorClass = 0x94;
  static constexpr std::uint64_t kPerCode = 0x96;
  static constexpr std::uint64_t kPerAddress = 0x98;
  static constexpr std::uint64_t kExceptionAccess = 0xa0;
  static constexpr std::uint64_t kPerAccess = 0xa1;
  static constexpr std::uint64_t kOperandAccess = 0xa2;
  static constexpr std::uint64_t kTranslationException = 0xa8;
  static constexpr std::uint64_t kMonitorCode = 0xb0;
  static constexpr std::uint64_t kSubchannelId = 0xb8;
  static constexpr std::uint64_t kSubchannelNumber = 0xba;
  static constexpr std::uint64_t kInputOutputParameter = 0xbc;
  static constexpr std::uint64_t kInputOutputWord = 0xc0;
  static constexpr std::uint64_t kMachineCheckCode = 0xe8;
  static constexpr std::uint64_t kExternalDamage = 0xf4;
  static constexpr std::uint64_t kFailingAddress = 0xf8;
  static constexpr std::uint64_t kBreakingEvent = 0x110;
  static constexpr std::uint64_t kRestartOld = 0x120, kRestartNew = 0x1a0;
  static constexpr std::uint64_t kExternalOld = 0x130, kExternalNew = 0x1b0;
  static constexpr std::uint64_t kSupervisorCallOld = 0x140, kSupervisorCallNew = 0x1c0;
  static constexpr std::uint64_t kProgramOld = 0x150, kProgramNew = 0x1d0;
  static constexpr std::uint64_t kMachineCheckOld = 0x160, kMachineCheckNew = 0x1e0;
  static constexpr std::uint64_t kInputOutputOld = 0x170, kInputOutputNew = 0x1f0;
  static constexpr std::uint64_t kExternalParameter64 = 0x11b8;
  static constexpr std::uint64_t kStatus = 0x1200;
};

bool HasTranslationException(ProgramCode code) {
  switch (code) {
    case ProgramCode::kProtection:
    case ProgramCode::kSegmentTranslation:
    case ProgramCode::kPageTranslation:
    case ProgramCode::kAsceType:
    case ProgramCode::kRegionFirstTranslation:
    case ProgramCode::kRegionSecondTranslation:
    case ProgramCode::kRegionThirdTranslation:
    case ProgramCode::kSpaceSwitch:
    case ProgramCode::kAfxTranslation:
    case ProgramCode::kAsxTranslation:
    case ProgramCode::kLxTranslation:
    case ProgramCode::kExTranslation:
    case ProgramCode::kPrimaryAuthority:
    case ProgramCode::kSecondaryAuthority:
      return true;
    default:
      return false;
  }
}

bool HasExceptionAccess(ProgramCode code) {
  return (code >= ProgramCode::kAletSpecification && code <= ProgramCode::kExtendedAuthority) ||
         (HasTranslationException(code) && code != ProgramCode::kSpaceSwitch);
}

}  // namespace

// Host bytes of the prefix area.
std::uint8_t* Cpu::PrefixArea(std::uint64_t offset, std::size_t length) {
  const std::uint64_t absolute = registers_.prefix + offset;
  const PageFrame frame = AccessibleFrame(absolute);
  frame.key->fetch_or(kKeyReferenced | kKeyChanged, std::memory_order_relaxed);
  if (frame.code->load() != 0) CodeStored(absolute, length, /*done=*/false);
  return frame.bytes + absolute % kPageSize;
}

template <typename T>
void Cpu::StoreLowcore(std::uint64_t offset, T value) {
  WriteAligned<T>(PrefixArea(offset, sizeof(T)), value);
}

template <typename Action>
void Cpu::Present(Action action) {
  const Inside inside(*this);
  presenting_ = true;
  try {
    action();
  } catch (const ProgramInterruption&) {
    // No storage where the prefix area should be.
    Leave(Exit::Reason::kProgramLoop);
  } catch (const LeaveRun&) {
    Leave(Exit::Reason::kHost);
  }
  presenting_ = false;
}

void Cpu::SwapPsw(std::uint64_t old_psw, std::uint64_t new_psw) {
  StoreLowcore<std::uint64_t>(old_psw, registers_.psw.mask);
  StoreLowcore<std::uint64_t>(old_psw + 8, registers_.psw.address);
  const std::uint8_t* const from = PrefixArea(new_psw, 16);
  program_new_psw_ = false;
  SetPsw({ReadAligned<std::uint64_t>(from), ReadAligned<std::uint64_t>(from + 8)});
}

void Cpu::PresentProgram(const ProgramInterruption& interruption, std::uint8_t instruction_length) {
  Present([&] {
    auto code = static_cast<std::uint16_t>(interruption.code);
    SettleBreakingEvent();
    CompleteEvents();
    const ProgramEvents events = std::exchange(events_, {});
    if (events.code != 0) {
      code |= static_cast<std::uint16_t>(ProgramCode::kPer);
      StoreLowcore(Lowcore::kPerCode, static_cast<std::uint16_t>(events.code << 8 | events.mode));
      StoreLowcore(Lowcore::kPerAddress, events.address);
      StoreLowcore(Lowcore::kPerAccess, events.access);
    }
    StoreLowcore<std::uint16_t>(Lowcore::kProgramLength, instruction_length);
    StoreLowcore(Lowcore::kProgramCode, code);
    StoreLowcore(Lowcore::kBreakingEvent, registers_.breaking_event_address);
    if (interruption.code == ProgramCode::kData) {
      StoreLowcore(Lowcore::kDataExceptionCode, interruption.data_exception);
    }
    if (interruption.code == ProgramCode::kMonitorEvent) {
      StoreLowcore(Lowcore::kMonitorClass, interruption.monitor_class);
      StoreLowcore(Lowcore::kMonitorCode, interruption.monitor_code);
    }
    if (HasTranslationException(interruption.code)) {
      StoreLowcore(Lowcore::kTranslationException, interruption.translation_exception);
    }
    if (HasExceptionAccess(interruption.code)) {
      StoreLowcore(Lowcore::kExceptionAccess, interruption.exception_access);
    }
    if (interruption.code == ProgramCode::kPageTranslation) {
      StoreLowcore(Lowcore::kOperandAccess, interruption.operand_access);
    }
    SwapPsw(Lowcore::kProgramOld, Lowcore::kProgramNew);
    program_new_psw_ = true;
  });
}

void Cpu::PresentExternal(std::uint16_t code, std::uint16_t cpu_address, std::uint32_t parameter,
                          std::uint64_t parameter64) {
  PresentEvents();
  Present([&] {
    StoreLowcore(Lowcore::kExternalParameter, parameter);
    StoreLowcore(Lowcore::kExternalCpuAddress, cpu_address);
    StoreLowcore(Lowcore::kExternalCode, code);
    if (parameter64 != 0) StoreLowcore(Lowcore::kExternalParameter64, parameter64);
    SwapPsw(Lowcore::kExternalOld, Lowcore::kExternalNew);
  });
}

void Cpu::PresentInputOutput(std::uint16_t subchannel_id, std::uint16_t number,
                             std::uint32_t parameter, std::uint32_t word) {
  PresentEvents();
  Present([&] {
    StoreLowcore(Lowcore::kSubchannelId, subchannel_id);
    StoreLowcore(Lowcore::kSubchannelNumber, number);
    StoreLowcore(Lowcore::kInputOutputParameter, parameter);
    StoreLowcore(Lowcore::kInputOutputWord, word);
    SwapPsw(Lowcore::kInputOutputOld, Lowcore::kInputOutputNew);
  });
}

void Cpu::PresentMachineCheck(std::uint64_t code, std::uint64_t failing_address,
                              std::uint32_t external_damage) {
  PresentEvents();
  Present([&] {
    StoreStatusAt(PrefixArea(Lowcore::kStatus, 512));
    StoreLowcore(Lowcore::kMachineCheckCode, code);
    StoreLowcore(Lowcore::kExternalDamage, external_damage);
    StoreLowcore(Lowcore::kFailingAddress, failing_address);
    SwapPsw(Lowcore::kMachineCheckOld, Lowcore::kMachineCheckNew);
  });
}

void Cpu::PresentRestart() {
  PresentEvents();
  Present([&] { SwapPsw(Lowcore::kRestartOld, Lowcore::kRestartNew); });
}

const Op* Cpu::SupervisorCall(const Op& op) {
  next_address_ = NextAddress(op);
  ExportPsw();
  Present([&] {
    StoreLowcore<std::uint16_t>(Lowcore::kSupervisorCallLength, InstructionLength(op));
    StoreLowcore(Lowcore::kSupervisorCallCode, static_cast<std::uint16_t>(op.i2));
    SwapPsw(Lowcore::kSupervisorCallOld, Lowcore::kSupervisorCallNew);
  });
  return LeaveBlock(next_address_);
}

// The machine-check save area; also what a store-status order stores.
void Cpu::StoreStatusAt(std::uint8_t* area) {
  for (std::size_t i = 0; i < 16; ++i) {
    StoreBigEndian(area + 8 * i, registers_.floating_point[i]);
    StoreBigEndian(area + 0x80 + 8 * i, registers_.general[i]);
    StoreBigEndian(area + 0x140 + 4 * i, registers_.access[i]);
    StoreBigEndian(area + 0x180 + 8 * i, registers_.control[i]);
  }
  StoreBigEndian(area + 0x100, registers_.psw.mask);
  StoreBigEndian(area + 0x108, registers_.psw.address);
  StoreBigEndian(area + 0x118, registers_.prefix);
  StoreBigEndian(area + 0x11c, registers_.floating_point_control);
  StoreBigEndian(area + 0x124, registers_.tod_programmable);
  StoreBigEndian(area + 0x128, static_cast<std::uint64_t>(cpu_timer()));
  StoreBigEndian(area + 0x130, registers_.clock_comparator >> 8);
}

}  // namespace lethe::emulated
