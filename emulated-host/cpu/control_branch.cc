// Control instructions that branch and change authority, subspace or mode on the way: BRANCH AND
// SET AUTHORITY, BRANCH IN SUBSPACE GROUP, RESUME PROGRAM, TRAP.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/dispatchable_unit.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kModeBits = Psw::kExtendedAddressing | Psw::kBasicAddressing;
constexpr std::uint64_t kBit32 = 0x8000'0000;
constexpr std::uint64_t kAsn = 0xffff;

// Where a program goes on: in the 64-bit mode an address and nothing else; in the others bit 32 of
// `value` chooses between the 24- and the 31-bit mode.
Psw BranchTarget(Cpu& cpu, std::uint64_t mask, std::uint64_t value) {
  if (cpu.AddressingBits() == 64) return {mask, value};
  mask &= ~kModeBits;
  if ((value & kBit32) != 0) return {mask | Psw::kBasicAddressing, value & (kBit32 - 1)};
  return {mask, value & 0xff'ffff};
}

// The reverse, for the next instruction.
std::uint64_t ReturnAddress(Cpu& cpu, const Op& op) {
  return cpu.NextAddress(op) | (cpu.AddressingBits() == 31 ? kBit32 : 0);
}

void SaveReturnAddress(Cpu& cpu, const Op& op) {
  const std::uint64_t address = ReturnAddress(cpu, op);
  if (op.r1 == 0) return;
  if (cpu.AddressingBits() == 64) {
    cpu.gr(op.r1) = address;
  } else {
    cpu.SetLow(op.r1, static_cast<std::uint32_t>(address));
  }
}

const Op* ContinueAt(Cpu& cpu, const Psw& psw) {
  cpu.SetPswMask(psw.mask);
  return cpu.BranchAndResume(psw.address);
}

// --- BRANCH AND SET AUTHORITY --------------------------------------------------------------------

// The word of the dispatchable-unit control table that remembers the base authority: key mask (bits
// 0-15), key (24-27), whether authority is reduced now (28), problem state (31).
constexpr std::uint32_t kKeyMaskBits = 0xffff'0000;
constexpr std::uint32_t kKeyBits = 0xf0;
constexpr std::uint32_t kIsReduced = 0x08;
constexpr std::uint32_t kWasProblemState = 0x01;

const Op* ReduceAuthority(Cpu& cpu, const Op& op, const DispatchableUnit& unit) {
  SpecialOperationUnless(cpu, op.r2 != 0);
  const std::uint32_t wanted = cpu.Low(op.r1);
  const auto key = static_cast<std::uint8_t>((wanted & kKeyBits) >> 4);
  RequireKey(cpu, key);
  const auto key_mask = static_cast<std::uint32_t>(cpu.cr(3)) & kKeyMaskBits;
  unit.Store(DispatchableUnit::kAuthority, key_mask | std::uint32_t{CurrentKey(cpu)} << 4 |
                                               kIsReduced |
                                               (cpu.ProblemState() ? kWasProblemState : 0));
  unit.Store<std::uint64_t>(DispatchableUnit::kReturnAddress, ReturnAddress(cpu, op));
  cpu.SetControl(3, cpu.cr(3) & (~std::uint64_t{kKeyMaskBits} | wanted));
  const std::uint64_t mask = (cpu.psw_mask() & ~Psw::kKeyMask) | std::uint64_t{key} << 52;
  return ContinueAt(cpu, BranchTarget(cpu, mask | Psw::kProblemState, cpu.gr(op.r2)));
}

const Op* RestoreAuthority(Cpu& cpu, const Op& op, const DispatchableUnit& unit,
                           std::uint32_t authority) {
  SpecialOperationUnless(cpu, op.r2 == 0);
  const auto back = unit.Load<std::uint64_t>(DispatchableUnit::kReturnAddress);
  unit.Store(DispatchableUnit::kAuthority, authority & ~kIsReduced);
  cpu.SetControl(3, (cpu.cr(3) & ~std::uint64_t{kKeyMaskBits}) | (authority & kKeyMaskBits));
  std::uint64_t mask = cpu.psw_mask() & ~(Psw::kKeyMask | Psw::kProblemState);
  mask |= std::uint64_t{authority & kKeyBits} << 48;
  if ((authority & kWasProblemState) != 0) mask |= Psw::kProblemState;
  SaveReturnAddress(cpu, op);
  return ContinueAt(cpu, BranchTarget(cpu, mask, back));
}

const Op* BranchAndSetAuthority(Cpu& cpu, const Op& op) {
  const DispatchableUnit unit(cpu);
  unit.RequireStores();
  const auto authority = unit.Load(DispatchableUnit::kAuthority);
  return (authority & kIsReduced) != 0 ? RestoreAuthority(cpu, op, unit, authority)
                                       : ReduceAuthority(cpu, op, unit);
}

// --- BRANCH IN SUBSPACE GROUP --------------------------------------------------------------------

struct Destination {
  std::uint32_t aste = 0;  // origin of its ASN-second-table entry
  std::uint32_t sequence_number = 0;
  std::uint64_t asce = 0;
};

[[noreturn]] void ThrowForRegister(ProgramCode code, std::uint8_t number) {
  throw ProgramInterruption{.code = code, .exception_access = number, .nullifies = Nullifies(code)};
}

Destination LastSubspace(Cpu& cpu, const DispatchableUnit& unit, std::uint8_t number) {
  constexpr std::uint32_t kInvalid = 0x8000'0000;
  Destination to;
  to.aste = unit.Load(DispatchableUnit::kSubspaceAste) & DispatchableUnit::kAsteOrigin;
  SpecialOperationUnless(cpu, to.aste != 0);
  const std::uint64_t entry = cpu.AbsoluteOf(to.aste);
  if ((cpu.LoadAbsolute<std::uint32_t>(entry) & kInvalid) != 0) {
    ThrowForRegister(ProgramCode::kAsteValidity, number);
  }
  to.sequence_number = cpu.LoadAbsolute<std::uint32_t>(entry + 20);
  if (to.sequence_number != unit.Load(DispatchableUnit::kSubspaceSequence)) {
    ThrowForRegister(ProgramCode::kAsteSequence, number);
  }
  to.asce = cpu.LoadAbsolute<std::uint64_t>(entry + 8);
  return to;
}

// Access-register translation without authorization; it must lead into the group.
Destination SpaceOfAlet(Cpu& cpu, std::uint32_t alet, std::uint32_t base, std::uint8_t number) {
  constexpr std::uint64_t kSubspaceGroup = Psw::Bit(54);
  constexpr std::uint32_t kBaseSpace = 1;
  const Cpu::AletTranslation found = cpu.TranslateAlet(alet, 0, number);
  const ProgramCode code = found.exception.code;
  if (code != ProgramCode::kNone && code != ProgramCode::kExtendedAuthority) throw found.exception;
  Destination to;
  to.aste = static_cast<std::uint32_t>(cpu.AbsoluteOf(found.aste));  // prefixing undoes itself
  to.sequence_number = cpu.LoadAbsolute<std::uint32_t>(found.aste + 20);
  to.asce = found.asce;
  const bool is_base = (cpu.LoadAbsolute<std::uint32_t>(found.aste) & kBaseSpace) != 0;
  SpecialOperationUnless(cpu, to.aste == base || ((to.asce & kSubspaceGroup) != 0 && !is_base));
  return to;
}

const Op* BranchInSubspaceGroup(Cpu& cpu, const Op& op) {
  SpecialOperationUnless(cpu, DatIsOn(cpu));
  const DispatchableUnit unit(cpu);
  unit.RequireStores();
  const auto base = unit.Load(DispatchableUnit::kBaseAste) & DispatchableUnit::kAsteOrigin;
  const auto last = unit.Load(DispatchableUnit::kSubspaceAste);
  SpecialOperationUnless(cpu, (cpu.cr(5) & DispatchableUnit::kAsteOrigin) == base);

  const std::uint32_t alet = op.r2 == 0 ? 0 : cpu.ar(op.r2);
  Destination to;
  if (alet == 0) {
    to.aste = base;
    to.asce = cpu.LoadAbsolute<std::uint64_t>(cpu.AbsoluteOf(base) + 8);
  } else {
    to = alet == 1 ? LastSubspace(cpu, unit, op.r2) : SpaceOfAlet(cpu, alet, base, op.r2);
  }
  const bool to_base = to.aste == base && alet != 1;
  const Psw psw = BranchTarget(cpu, cpu.psw_mask(), cpu.gr(op.r2));

  if (to_base) {
    unit.Store(DispatchableUnit::kSubspaceAste, last & ~DispatchableUnit::kSubspaceActive);
  } else {
    unit.Store(DispatchableUnit::kSubspaceAste, to.aste | DispatchableUnit::kSubspaceActive);
    unit.Store(DispatchableUnit::kSubspaceSequence, to.sequence_number);
  }
  SaveReturnAddress(cpu, op);
  const std::uint64_t asce = to_base ? to.asce : WithEventControlsOf(to.asce, cpu.cr(1));
  cpu.SetControl(1, asce);
  cpu.SetControl(7, asce);
  cpu.SetControl(3, (cpu.cr(3) & ~kAsn) | (cpu.cr(4) & kAsn));
  return ContinueAt(cpu, psw);
}

// --- RESUME PROGRAM ------------------------------------------------------------------------------

// A halfword of the parameter list, which stands behind the instruction.
std::uint16_t Parameter(Cpu& cpu, const Op& op, int number) {
  constexpr std::uint64_t kOwnLength = 4;
  const std::uint64_t self = cpu.RelativeAddress(op);  // the target's, not that of EXECUTE
  const LogicalAddress at = {
      cpu.WrapAddress(self + kOwnLength + static_cast<std::uint64_t>(2 * number)), 0};
  if (!DatIsOn(cpu)) return LoadBigEndian<std::uint16_t>(cpu.FetchSpan(at, 2).data());
  const AddressSpace space =
      CurrentSpace(cpu) == AddressSpace::kHome ? AddressSpace::kHome : AddressSpace::kPrimary;
  return LoadBigEndian<std::uint16_t>(cpu.FetchSpan(at, 2, {space, CurrentKey(cpu)}).data());
}

// May the program put itself into this address-space mode?
void RequireSpace(Cpu& cpu, AddressSpace to) {
  if (DatIsOn(cpu) && to == AddressSpace::kHome) cpu.PrivilegedOperationIfProblemState();
}

Psw ResumedPsw(Cpu& cpu, const Psw& saved) {
  constexpr std::uint64_t kReplaced =
      Psw::kAddressSpaceMask | Psw::kConditionCodeMask | Psw::kProgramMask | kModeBits;
  const Psw psw = {(cpu.psw_mask() & ~kReplaced) | (saved.mask & kReplaced), saved.address};
  RequireSpace(cpu, static_cast<AddressSpace>((psw.mask & Psw::kAddressSpaceMask) >> 46));
  const std::uint64_t beyond = (psw.mask & Psw::kExtendedAddressing) != 0 ? 0
                               : (psw.mask & Psw::kBasicAddressing) != 0
                                   ? ~(kBit32 - 1)
                                   : ~std::uint64_t{0xff'ffff};
  cpu.SpecificationUnless((psw.mask & kModeBits) != Psw::kExtendedAddressing &&
                          psw.address % 2 == 0 && (psw.address & beyond) == 0);
  return psw;
}

const Op* ResumeProgram(Cpu& cpu, const Op& op) {
  constexpr std::uint16_t kReserved = 0xfff8;
  constexpr std::uint16_t kLongPsw = 4;
  constexpr std::uint16_t kLongRegister = 2;
  constexpr std::uint16_t kDisjoint = 1;  // its left half stands elsewhere
  const LogicalAddress area = cpu.Operand2(op);
  const auto field = [&](int number) {
    return LogicalAddress{cpu.WrapAddress(area.address + Parameter(cpu, op, number)), area.base};
  };
  const std::uint16_t flags = Parameter(cpu, op, 0);
  cpu.SpecificationUnless((flags & kReserved) == 0);

  std::array<std::uint8_t, 16> bytes;
  Psw saved;
  if ((flags & kLongPsw) != 0) {
    cpu.LoadBytes(field(1), absl::MakeSpan(bytes));
    saved = {LoadBigEndian<std::uint64_t>(bytes.data()),
             LoadBigEndian<std::uint64_t>(bytes.data() + 8)};
  } else {
    const auto word = cpu.Load<std::uint64_t>(field(1));
    saved = {word & ~(kBit32 - 1), word & (kBit32 - 1)};
  }
  const auto access = cpu.Load<std::uint32_t>(field(2));
  std::uint64_t general = cpu.gr(area.base) & ~std::uint64_t{0xffff'ffff};
  if ((flags & kLongRegister) == 0) {
    general |= cpu.Load<std::uint32_t>(field(3));
  } else if ((flags & kDisjoint) == 0) {
    general = cpu.Load<std::uint64_t>(field(3));
  } else {
    general = cpu.Load<std::uint32_t>(field(3));
    general |= std::uint64_t{cpu.Load<std::uint32_t>(field(4))} << 32;
  }
  const Psw psw = ResumedPsw(cpu, saved);

  const AddressSpace from = CurrentSpace(cpu);
  cpu.ar(area.base) = access;
  cpu.gr(area.base) = general;
  const std::uint8_t length = cpu.InstructionLength(op);
  const Op* const next = cpu.BranchToPsw(psw);
  const auto event = SpaceSwitchEvent(cpu, from, CurrentSpace(cpu));
  if (event.has_value() && DatIsOn(cpu)) cpu.PresentProgram(*event, length);
  return next;
}

// --- TRAP ----------------------------------------------------------------------------------------

// The trap control block lies in the home space, and so does the area it names. The PSW key holds.
class HomeStorage {
 public:
  explicit HomeStorage(Cpu& cpu) : cpu_(cpu), mode_{AddressSpace::kHome, CurrentKey(cpu)} {}

  std::uint32_t Word(std::uint64_t address) const {
    return LoadBigEndian<std::uint32_t>(cpu_.FetchSpan({address, 0}, 4, mode_).data());
  }
  void Store(std::uint64_t address, absl::Span<const std::uint8_t> bytes) const {
    const auto first = cpu_.StoreSpan({address, 0}, bytes.size(), mode_);
    if (first.size() < bytes.size()) {
      const auto rest = bytes.subspan(first.size());
      const auto second = cpu_.StoreSpan({address + first.size(), 0}, rest.size(), mode_);
      std::memcpy(second.data(), rest.data(), rest.size());
    }
    std::memcpy(first.data(), bytes.data(), first.size());
  }

 private:
  Cpu& cpu_;
  const AccessMode mode_;
};

struct SaveArea {
  static constexpr std::size_t kFlags = 0, kOperand = 8, kAccess15 = 12, kPsw = 16, kGeneral = 32;
  static constexpr std::size_t kMostBytes = kGeneral + 16 * 8;
};

const Op* Trap(Cpu& cpu, const Op& op, std::uint32_t kind, std::uint32_t operand) {
  constexpr std::uint32_t kEnabled = 1;
  constexpr std::uint32_t kBlock = 0x7fff'fff8;
  constexpr std::uint32_t kLongPsw = 0x4'0000;
  constexpr std::uint32_t kLongRegisters = 0x2'0000;
  constexpr std::uint32_t kWasExecuted = 0x8000'0000;
  constexpr int kRegister = 15;
  const AddressSpace space = CurrentSpace(cpu);
  SpecialOperationUnless(cpu, DatIsOn(cpu) && (space == AddressSpace::kPrimary ||
                                               space == AddressSpace::kAccessRegister));
  const auto control = DispatchableUnit(cpu).Load(DispatchableUnit::kTrapControl);
  SpecialOperationUnless(cpu, (control & kEnabled) != 0);
  const std::uint64_t block = control & kBlock;
  const HomeStorage home(cpu);
  const std::uint32_t options = home.Word(block);
  const std::uint64_t area = home.Word(block + 12) & kBlock;
  const std::uint64_t program = home.Word(block + 20) & (kBit32 - 1);
  const bool long_psw = (options & kLongPsw) != 0;
  const bool long_registers = (options & kLongRegisters) != 0;
  SpecialOperationUnless(cpu, long_psw || cpu.AddressingBits() != 64);

  std::array<std::uint8_t, SaveArea::kMostBytes> saved{};
  const std::uint32_t executed =
      cpu.InstructionAddress(op) != cpu.RelativeAddress(op) ? kWasExecuted : 0;
  StoreBigEndian<std::uint32_t>(&saved[SaveArea::kFlags],
                                executed | kind | std::uint32_t{cpu.InstructionLength(op)} << 16);
  StoreBigEndian<std::uint32_t>(&saved[SaveArea::kOperand], operand);
  StoreBigEndian<std::uint32_t>(&saved[SaveArea::kAccess15], cpu.ar(kRegister));
  const Psw psw = {cpu.psw_mask(), cpu.NextAddress(op)};
  if (long_psw) {
    StoreBigEndian<std::uint64_t>(&saved[SaveArea::kPsw], psw.mask);
    StoreBigEndian<std::uint64_t>(&saved[SaveArea::kPsw + 8], psw.address);
  } else {
    StoreBigEndian<std::uint64_t>(&saved[SaveArea::kPsw], psw.mask | Psw::kShort | psw.address);
  }
  const std::size_t width = long_registers ? 8 : 4;
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint8_t* const to = &saved[SaveArea::kGeneral + width * i];
    if (long_registers) {
      StoreBigEndian<std::uint64_t>(to, cpu.gr(static_cast<int>(i)));
    } else {
      StoreBigEndian<std::uint32_t>(to, cpu.Low(static_cast<int>(i)));
    }
  }
  home.Store(area, absl::MakeConstSpan(saved).first(SaveArea::kGeneral + 16 * width));

  if (cpu.AddressingBits() == 64) {
    cpu.gr(kRegister) = block;
  } else {
    cpu.SetLow(kRegister, static_cast<std::uint32_t>(block));
  }
  const std::uint64_t mask = psw.mask & ~(kModeBits | Psw::kAddressSpaceMask);
  return ContinueAt(cpu, {mask | Psw::kBasicAddressing, program});
}

const Op* Trap2(Cpu& cpu, const Op& op) { return Trap(cpu, op, 0, 0); }

const Op* Trap4(Cpu& cpu, const Op& op) {
  constexpr std::uint32_t kIsTrap4 = 0x4000'0000;
  const std::uint64_t operand = cpu.Address2(op) & (kBit32 - 1);
  return Trap(cpu, op, kIsTrap4, static_cast<std::uint32_t>(operand));
}

constexpr Instruction kInstructions[] = {
    {0x01ff, "TRAP2", Format::kE, kBase, Branching<&Trap2>},
    {0xb258, "BSG", Format::kRRE, kBase, Branching<&BranchInSubspaceGroup>},
    {0xb25a, "BSA", Format::kRRE, kBase, Branching<&BranchAndSetAuthority>},
    {0xb277, "RP", Format::kS, kBase, Branching<&ResumeProgram>},
    {0xb2ff, "TRAP4", Format::kS, kBase, Branching<&Trap4>},
};

}  // namespace

absl::Span<const Instruction> BranchingControlInstructions() { return kInstructions; }

}  // namespace lethe::emulated
