// Control instructions that move storage between address spaces or with another access key.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

struct Place {
  LogicalAddress at;
  AccessMode mode;
};

// FetchSpan and StoreSpan with the key of `mode`, also while DAT is off, when there are no address
// spaces and the key has to be that of the PSW.
template <typename Function>
auto WithMode(Cpu& cpu, AccessMode mode, Function access) {
  if (DatIsOn(cpu) || mode.key == CurrentKey(cpu)) return access();
  const std::uint64_t before = cpu.psw_mask();
  const auto restore = absl::MakeCleanup([&] { cpu.SetPswMask(before); });
  cpu.SetPswMask((before & ~Psw::kKeyMask) | std::uint64_t{mode.key} << 52);
  return access();
}

absl::Span<const std::uint8_t> Fetch(Cpu& cpu, const Place& from, std::size_t offset,
                                     std::size_t length) {
  const LogicalAddress at = {cpu.WrapAddress(from.at.address + offset), from.at.base};
  return WithMode(cpu, from.mode, [&] {
    return DatIsOn(cpu) ? cpu.FetchSpan(at, length, from.mode) : cpu.FetchSpan(at, length);
  });
}

absl::Span<std::uint8_t> Store(Cpu& cpu, const Place& to, std::size_t offset, std::size_t length) {
  const LogicalAddress at = {cpu.WrapAddress(to.at.address + offset), to.at.base};
  return WithMode(cpu, to.mode, [&] {
    return DatIsOn(cpu) ? cpu.StoreSpan(at, length, to.mode) : cpu.StoreSpan(at, length);
  });
}

// As if byte by byte from the left, which matters when the operands overlap.
void CopyBytes(std::uint8_t* to, const std::uint8_t* from, std::size_t length) {
  const auto distance =
      reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
  if (distance >= length) {
    std::memmove(to, from, length);
  } else {
    for (std::size_t i = 0; i < length; ++i) to[i] = from[i];
  }
}

std::size_t LeftInPage(const Place& place) { return kPageSize - place.at.address % kPageSize; }

// Moves `length` bytes, at most 4096. Each operand lies in at most two pages; the second ones are
// looked at before anything is stored.
void Move(Cpu& cpu, const Place& to, const Place& from, std::size_t length) {
  if (LeftInPage(from) < length) {
    Fetch(cpu, from, LeftInPage(from), length - LeftInPage(from));
  }
  if (LeftInPage(to) < length) Store(cpu, to, LeftInPage(to), length - LeftInPage(to));
  for (std::size_t done = 0; done < length;) {
    const absl::Span<const std::uint8_t> source = Fetch(cpu, from, done, length - done);
    const absl::Span<std::uint8_t> target = Store(cpu, to, done, length - done);
    const std::size_t count = std::min(source.size(), target.size());
    CopyBytes(target.data(), source.data(), count);
    done += count;
  }
}

// Moves as much of `true_length` bytes as one execution may; condition code 3: there is more.
void MovePart(Cpu& cpu, const Place& to, const Place& from, std::uint64_t true_length,
              std::size_t most) {
  Move(cpu, to, from, std::min<std::uint64_t>(true_length, most));
  cpu.SetCc(true_length > most ? 3 : 0);
}

std::uint64_t TrueLength(Cpu& cpu, int number) {
  return cpu.AddressingBits() == 64 ? cpu.gr(number) : cpu.Low(number);
}

std::uint8_t KeyInRegister(Cpu& cpu, int number) {
  return static_cast<std::uint8_t>(cpu.gr(number) >> 4 & 15);
}

constexpr std::size_t kMostWithKey = 256;

void RequirePrimaryOrSecondaryMode(Cpu& cpu) {
  const AddressSpace space = CurrentSpace(cpu);
  SpecialOperationUnless(
      cpu, (cpu.cr(0) & kSecondarySpaceControl) != 0 && DatIsOn(cpu) &&
               (space == AddressSpace::kPrimary || space == AddressSpace::kSecondary));
}

void MoveToPrimary(Cpu& cpu, const Op& op) {
  RequirePrimaryOrSecondaryMode(cpu);
  const std::uint8_t key = KeyInRegister(cpu, op.r3);
  RequireKey(cpu, key);
  const Place to = {cpu.Operand1(op), {AddressSpace::kPrimary, CurrentKey(cpu)}};
  const Place from = {cpu.Operand2(op), {AddressSpace::kSecondary, key}};
  MovePart(cpu, to, from, TrueLength(cpu, op.r1), kMostWithKey);
}

void MoveToSecondary(Cpu& cpu, const Op& op) {
  RequirePrimaryOrSecondaryMode(cpu);
  const std::uint8_t key = KeyInRegister(cpu, op.r3);
  RequireKey(cpu, key);
  const Place to = {cpu.Operand1(op), {AddressSpace::kSecondary, key}};
  const Place from = {cpu.Operand2(op), {AddressSpace::kPrimary, CurrentKey(cpu)}};
  MovePart(cpu, to, from, TrueLength(cpu, op.r1), kMostWithKey);
}

void MoveWithKey(Cpu& cpu, const Op& op) {
  const std::uint8_t key = KeyInRegister(cpu, op.r3);
  RequireKey(cpu, key);
  const AddressSpace space = CurrentSpace(cpu);
  const Place to = {cpu.Operand1(op), {space, CurrentKey(cpu)}};
  const Place from = {cpu.Operand2(op), {space, key}};
  MovePart(cpu, to, from, TrueLength(cpu, op.r1), kMostWithKey);
}

void MoveWithKeysOfGeneralRegister1(Cpu& cpu, const Op& op, bool key_is_of_source) {
  const std::uint8_t key = KeyInRegister(cpu, 1);
  RequireKey(cpu, key);
  const AddressSpace space = CurrentSpace(cpu);
  const std::uint8_t current = CurrentKey(cpu);
  const Place to = {cpu.Operand1(op), {space, key_is_of_source ? current : key}};
  const Place from = {cpu.Operand2(op), {space, key_is_of_source ? key : current}};
  Move(cpu, to, from, (cpu.gr(0) & 0xff) + 1);
}

void MoveWithSourceKey(Cpu& cpu, const Op& op) { MoveWithKeysOfGeneralRegister1(cpu, op, true); }
void MoveWithDestinationKey(Cpu& cpu, const Op& op) {
  MoveWithKeysOfGeneralRegister1(cpu, op, false);
}

// Operand-access control of MVCOS: key (bits 0-3), address space (8-9), and whether they are valid
// (14, 15); what is not valid is taken from the PSW.
struct OperandAccessControl {
  AccessMode mode;
  bool key_is_permitted = true;
  bool names_home_space = false;
};

OperandAccessControl ReadOperandAccessControl(Cpu& cpu, std::uint16_t field) {
  constexpr std::uint16_t kKeyIsValid = 2;
  constexpr std::uint16_t kSpaceIsValid = 1;
  OperandAccessControl control{.mode = {CurrentSpace(cpu), CurrentKey(cpu)}};
  if ((field & kKeyIsValid) != 0) control.mode.key = static_cast<std::uint8_t>(field >> 12);
  control.key_is_permitted = KeyIsPermitted(cpu, control.mode.key);
  if ((field & kSpaceIsValid) != 0) {
    control.mode.space = static_cast<AddressSpace>(field >> 6 & 3);
    control.names_home_space = control.mode.space == AddressSpace::kHome;
  }
  return control;
}

void MoveWithOptionalSpecifications(Cpu& cpu, const Op& op) {
  constexpr std::size_t kMost = 4096;
  const OperandAccessControl to =
      ReadOperandAccessControl(cpu, static_cast<std::uint16_t>(cpu.gr(0) >> 16));
  const OperandAccessControl from =
      ReadOperandAccessControl(cpu, static_cast<std::uint16_t>(cpu.gr(0)));
  const bool uses_secondary =
      to.mode.space == AddressSpace::kSecondary || from.mode.space == AddressSpace::kSecondary;
  SpecialOperationUnless(cpu, DatIsOn(cpu) &&
                                  (!uses_secondary || (cpu.cr(0) & kSecondarySpaceControl) != 0) &&
                                  !(to.names_home_space && cpu.ProblemState()));
  if (!to.key_is_permitted || !from.key_is_permitted) {
    cpu.Interrupt(ProgramCode::kPrivilegedOperation);
  }
  MovePart(cpu, {cpu.Operand1(op), to.mode}, {cpu.Operand2(op), from.mode}, TrueLength(cpu, op.r3),
           kMost);
}

// Does `access` of MOVE PAGE find its page? What a missing one leaves behind also says which
// registers the two operands are in. (The exception remains one: `missing_cc` 0.)
template <typename Access>
bool PageIsThere(Cpu& cpu, const Op& op, std::uint8_t missing_cc, Access access) {
  constexpr std::uint64_t kOfMovePage = 4;
  try {
    access();
    return true;
  } catch (ProgramInterruption& exception) {
    if (exception.code != ProgramCode::kPageTranslation) throw;
    if (missing_cc != 0) {
      cpu.SetCc(missing_cc);
      return false;
    }
    exception.translation_exception |= kOfMovePage;
    exception.operand_access = static_cast<std::uint8_t>(op.r1 << 4 | op.r2);
    throw;
  }
}

// Register 0: reserved bits, whose key the rest holds (first or second operand's), and whether an
// invalid page is told as a condition code.
void MovePage(Cpu& cpu, const Op& op) {
  constexpr std::uint64_t kReserved = 0xf000;
  constexpr std::uint64_t kFirstHasKey = 0x800;
  constexpr std::uint64_t kSecondHasKey = 0x400;
  constexpr std::uint64_t kConditionCodeOption = 0x100;
  const std::uint64_t control = cpu.gr(0);
  const bool first_has_key = (control & kFirstHasKey) != 0;
  const bool second_has_key = (control & kSecondHasKey) != 0;
  cpu.SpecificationUnless((control & kReserved) == 0 && !(first_has_key && second_has_key));
  const std::uint8_t key = KeyInRegister(cpu, 0);
  if (first_has_key || second_has_key) RequireKey(cpu, key);
  const bool tells = (control & kConditionCodeOption) != 0;

  const auto place = [&](int number, bool has_key) {
    LogicalAddress at = cpu.AddressInRegister(number);
    at.address &= kPageMask;
    return Place{at, {CurrentSpace(cpu), has_key ? key : CurrentKey(cpu)}};
  };
  const Place to = place(op.r1, first_has_key);
  const Place from = place(op.r2, second_has_key);
  absl::Span<const std::uint8_t> source;
  absl::Span<std::uint8_t> target;
  if (!PageIsThere(cpu, op, tells ? 2 : 0, [&] { source = Fetch(cpu, from, 0, kPageSize); }) ||
      !PageIsThere(cpu, op, tells ? 1 : 0, [&] { target = Store(cpu, to, 0, kPageSize); })) {
    return;
  }
  std::memmove(target.data(), source.data(), kPageSize);
  cpu.SetCc(0);
}

constexpr Instruction kInstructions[] = {
    {0xb254, "MVPG", Format::kRRE, kBase, Straight<&MovePage>},
    {0xd9, "MVCK", Format::kSS_d, kBase, Straight<&MoveWithKey>},
    {0xda, "MVCP", Format::kSS_d, kBase, Straight<&MoveToPrimary>},
    {0xdb, "MVCS", Format::kSS_d, kBase, Straight<&MoveToSecondary>},
    {0xc80, "MVCOS", Format::kSSF, 27, Straight<&MoveWithOptionalSpecifications>},
    {0xe50e, "MVCSK", Format::kSSE, kBase, Straight<&MoveWithSourceKey>},
    {0xe50f, "MVCDK", Format::kSSE, kBase, Straight<&MoveWithDestinationKey>},
};

}  // namespace

absl::Span<const Instruction> MoveBetweenSpacesInstructions() { return kInstructions; }

}  // namespace lethe::emulated
