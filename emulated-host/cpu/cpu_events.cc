// Program-event recording, and the single steps that it and a debugger are made of.
//
// While the PSW says that PER is on, or the host debugs, instructions run one by one outside of the
// code cache, as those across a page boundary do, so that the others need not know of it.

#include <utility>

#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

// No instruction has this address.
constexpr std::uint64_t kNoBreakingEvent = ~std::uint64_t{0};

// The addressing-and-translation-mode identification: PSW bits 31, 32, 5, 16 and 17, and a one that
// says they are there.
std::uint8_t ModeOf(std::uint64_t psw_mask) {
  unsigned mode = 0x40;
  if ((psw_mask & Psw::kExtendedAddressing) != 0) mode |= 0x80;
  if ((psw_mask & Psw::kBasicAddressing) != 0) mode |= 0x20;
  if ((psw_mask & Psw::kDat) != 0) mode |= 0x10;
  mode |= static_cast<unsigned>((psw_mask & Psw::kAddressSpaceMask) >> 46) << 2;
  return static_cast<std::uint8_t>(mode);
}

// Has an instruction that met this program interruption done all that it does?
bool Completes(ProgramCode code) {
  switch (code) {
    case ProgramCode::kFixedPointOverflow:
    case ProgramCode::kDecimalOverflow:
    case ProgramCode::kHfpExponentOverflow:
    case ProgramCode::kHfpExponentUnderflow:
    case ProgramCode::kHfpSignificance:
    case ProgramCode::kSpaceSwitch:
    case ProgramCode::kMonitorEvent:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Cpu::SetDebug(DebugRequest request) {
  debug_ = request;
  debug_due_ = false;
  step_.debug_code = 0;
  UpdateContexts();
  UpdateTimers();
}

void Cpu::StopForDebug() {
  debug_due_ = true;
  step_.debug_code = 0;
}

bool Cpu::StepsSingly() const { return (registers_.psw.mask & Psw::kPer) != 0 || !debug_.Empty(); }

bool Cpu::WatchesStores() const {
  if (debug_.Wants(PerCode::kAlteration)) return true;
  return (registers_.psw.mask & Psw::kPer) != 0 &&
         (registers_.control[9] & PerControl::kAlteration) != 0;
}

// To be called before the page changes that code_base_ tells, and before the register is read.
void Cpu::SettleBreakingEvent() {
  if (breaking_op_ == 0) return;
  const bool has_base = (breaking_op_ & kHasBase) != 0;
  const Op& op = *reinterpret_cast<const Op*>(breaking_op_ & ~kHasBase);
  registers_.breaking_event_address =
      op.executed ? executed_address_ : (has_base ? breaking_base_ : code_base_) + op.offset;
  breaking_op_ = 0;
}

void Cpu::Step() {
  SettleBreakingEvent();
  const std::uint64_t address = next_address_;
  const std::uint64_t mask = registers_.psw.mask;
  step_ = {};
  step_.open = true;
  step_.address = address;
  if ((mask & Psw::kPer) != 0) step_.per_control = registers_.control[9];
  step_.per_range = {registers_.control[10], registers_.control[11]};
  step_.breaking_event_before = std::exchange(registers_.breaking_event_address, kNoBreakingEvent);
  events_ = {.mode = ModeOf(mask), .address = address};
  NoteFetchForDebug(address);  // also if that is as far as it comes
  SpecificationUnless(address % 2 == 0);
  const InstructionText text = FetchInstruction(address);
  step_.length = LengthOfText(text);
  NoteFetch(address);
  const Op* const op = RunExecuted(text, address, address, step_.length);
  if (op != nullptr) next_address_ = AddressOf(*op);
}

void Cpu::EndStep() {
  CompleteEvents();
  step_.open = false;
  debug_due_ = step_.debug_code != 0;
  if (!leaving_) FinishStep();  // else the host has something to do first
}

// The instruction will be executed anew.
void Cpu::AbandonStep() {
  if (!step_.open) return;
  breaking_op_ = 0;
  registers_.breaking_event_address = step_.breaking_event_before;
  step_ = {};
  events_ = {};
}

// What is known of the instruction only when it has come to its end.
void Cpu::CompleteEvents() {
  if (!step_.open || step_.complete) return;
  step_.complete = true;
  SettleBreakingEvent();
  if (registers_.breaking_event_address == kNoBreakingEvent) {
    registers_.breaking_event_address = step_.breaking_event_before;
    return;
  }
  if (step_.is_psw_load) return;
  if (debug_.Wants(PerCode::kBranching) && debug_.range.Has(next_address_)) {
    step_.debug_code |= PerCode::kBranching;
  }
  if (!Records(PerControl::kBranching)) return;
  if (Records(PerControl::kBranchAddress) && !step_.per_range.Has(next_address_)) return;
  events_.code |= PerCode::kBranching;
}

bool Cpu::HasProgramEvent() {
  CompleteEvents();
  return step_.open && events_.code != 0;
}

// An instruction that was not completed has stored nothing. Complete are also those whose new
// system mask is invalid.
void Cpu::DropEventsOf(const ProgramInterruption& interruption) {
  if (!step_.open || Completes(interruption.code) || !IsValid(registers_.psw)) return;
  events_.code &= PerCode::kFetching | PerCode::kNullification;
  step_.debug_code &= PerCode::kFetching;
}

void Cpu::FinishStep() {
  if (events_.code != 0) {
    ExportPsw();
    PresentEvents();
  }
  const StepState step = std::exchange(step_, {});
  if (!std::exchange(debug_due_, false) || leaving_) return;
  exit_.debug = {step.debug_code, step.address, next_address_};
  Leave(Exit::Reason::kDebug);
}

void Cpu::PresentEvents() {
  if (events_.code == 0) return;
  // The PSW that the instruction has introduced may be one that interrupts early.
  if (IsValid(registers_.psw)) {
    PresentProgram({}, step_.length);
  } else {
    PresentProgram({.code = ProgramCode::kSpecification}, 0);
  }
}

void Cpu::NoteFetchForDebug(std::uint64_t address) {
  if (debug_.Wants(PerCode::kFetching) && debug_.range.Has(address)) {
    step_.debug_code |= PerCode::kFetching;
  }
}

void Cpu::NoteFetch(std::uint64_t address) {
  NoteFetchForDebug(address);
  if (!Records(PerControl::kFetching) || !step_.per_range.Has(address)) return;
  events_.code |= PerCode::kFetching;
  if (!Records(PerControl::kNullification)) return;
  events_.code |= PerCode::kNullification;
  throw ProgramInterruption{.nullifies = true};
}

void Cpu::NoteStore(const AddressContext& context, AddressSpace space, LogicalAddress at,
                    std::size_t length) {
  if (!step_.open) return;
  if (debug_.Wants(PerCode::kAlteration) && debug_.range.Meets(at.address, length)) {
    step_.debug_code |= PerCode::kAlteration;
  }
  if (!Records(PerControl::kAlteration) || !step_.per_range.Meets(at.address, length)) return;
  const bool translated = context.asce != AddressContext::kReal;
  if (translated) {
    if (Records(PerControl::kAlterationSpace) && !IsAlterationSpace(space, at)) return;
    events_.mode = static_cast<std::uint8_t>((events_.mode & ~3) | static_cast<int>(space));
    if (space == AddressSpace::kAccessRegister) events_.access = at.base;
  }
  events_.code |= PerCode::kAlteration;
}

// Does the address-space-control element of the operand say that stores are to be recorded?
bool Cpu::IsAlterationSpace(AddressSpace space, LogicalAddress at) {
  constexpr std::uint64_t kAlterationEvent = Psw::Bit(56);
  if (space != AddressSpace::kAccessRegister) return (AsceOf(space) & kAlterationEvent) != 0;
  const std::uint32_t alet = at.base == 0 ? 0 : registers_.access[at.base];
  if (alet <= 1) {
    return (AsceOf(alet == 0 ? AddressSpace::kPrimary : AddressSpace::kSecondary) &
            kAlterationEvent) != 0;
  }
  const auto eax = static_cast<std::uint16_t>(registers_.control[8] >> 16);
  return (TranslateAlet(alet, eax, at.base).asce & kAlterationEvent) != 0;
}

void Cpu::NoteStoreUsingRealAddress() {
  if (Records(PerControl::kAlteration) && Records(PerControl::kStoreReal)) {
    events_.code |= PerCode::kStoreReal;
  }
}

}  // namespace lethe::emulated
