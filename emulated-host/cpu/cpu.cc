#include "emulated-host/cpu/cpu.h"

#include <utility>

#include "base/check.h"
#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kInterruptionMasks =
    Psw::kInputOutput | Psw::kExternal | Psw::kMachineCheck;

std::uint64_t AddressMaskOf(std::uint64_t psw_mask) {
  if ((psw_mask & Psw::kExtendedAddressing) != 0) return ~std::uint64_t{0};
  return (psw_mask & Psw::kBasicAddressing) != 0 ? 0x7fff'ffff : 0xff'ffff;
}

}  // namespace

bool IsValid(const Psw& psw) {
  constexpr std::uint64_t kMustBeZero = Psw::Bit(0) | Psw::Bit(2) | Psw::Bit(3) | Psw::Bit(4) |
                                        Psw::kShort | (std::uint64_t{0x7f} << 33) | 0x7fff'ffff;
  if ((psw.mask & kMustBeZero) != 0) return false;
  if ((psw.mask & Psw::kExtendedAddressing) != 0 && (psw.mask & Psw::kBasicAddressing) == 0) {
    return false;
  }
  return (psw.address & ~AddressMaskOf(psw.mask)) == 0;
}

Cpu::Cpu(const CpuModel& model, std::uint16_t address, GuestStorage& storage, CpuGroup& group,
         CpuHost& host)
    : jumps_(std::make_unique<std::array<JumpEntry, kJumpEntries>>()),
      model_(model),
      address_(address),
      storage_(storage),
      group_(group),
      host_(host),
      instructions_(std::make_unique<InstructionSet>(model, AllChapters())),
      code_(std::make_unique<CodeCache>(*instructions_)),
      code_pages_(std::make_unique<std::array<CodePageEntry, kCodePageEntries>>()),
      blank_(std::make_unique<AddressContext>()),
      executed_(std::make_unique<std::array<ExecutedOp, kExecutedOps>>()) {
  ops_ = code_->ops();
  InitialReset();
  group_.Add(*this);
}

Cpu::~Cpu() { group_.Remove(*this); }

// --- registers -----------------------------------------------------------------------------------

void Cpu::ExportPsw() {
  registers_.psw.mask = psw_mask();
  registers_.psw.address = next_address_;
}

void Cpu::ImportPsw() {
  cc_ = registers_.psw.mask >> 44 & 3;
  next_address_ = registers_.psw.address;
}

void Cpu::ContextChanged() {
  ImportPsw();
  address_mask_ = AddressMaskOf(registers_.psw.mask);
  ClearTranslations();
  UpdateContexts();
  UpdateTimers();
}

void Cpu::SetPsw(const Psw& psw) {
  const std::uint64_t old_mask = registers_.psw.mask;
  registers_.psw = psw;
  ImportPsw();
  AfterPswChange(old_mask);
}

void Cpu::SetPswMask(std::uint64_t mask) {
  const std::uint64_t old_mask = std::exchange(registers_.psw.mask, mask);
  cc_ = mask >> 44 & 3;
  AfterPswChange(old_mask);
}

void Cpu::AfterPswChange(std::uint64_t old_mask) {
  const std::uint64_t mask = registers_.psw.mask;
  constexpr std::uint64_t kContextBits =
      Psw::kDat | Psw::kKeyMask | Psw::kAddressSpaceMask | Psw::kPer;
  address_mask_ = AddressMaskOf(mask);
  if (((mask ^ old_mask) & kContextBits) != 0) UpdateContexts();
  if ((mask & ~old_mask & kInterruptionMasks) != 0) InterruptionsMayBeEnabled();
}

void Cpu::InterruptionsMayBeEnabled() {
  if (interruption_pending_.load(std::memory_order_relaxed) ||
      timer_due_.load(std::memory_order_relaxed)) {
    RaiseAttention(kTimerAttention);
  }
}

void Cpu::SetControl(int number, std::uint64_t value) {
  const std::uint64_t old = std::exchange(registers_.control[number], value);
  const std::uint64_t changed = old ^ value;
  switch (number) {
    case 0:
      if ((changed & (kLowAddressProtection | kFetchProtectionOverride |
                      kStorageProtectionOverride | kEnhancedDat)) != 0) {
        ClearTranslations();
      }
      if ((changed & (kClockComparatorMask | kCpuTimerMask)) != 0) UpdateTimers();
      if ((value & ~old) != 0) InterruptionsMayBeEnabled();
      break;
    case 1:
    case 7:
    case 9:
    case 13:
      if (changed != 0) UpdateContexts();
      break;
    case 6:
    case 14:
      if ((value & ~old) != 0) InterruptionsMayBeEnabled();
      break;
    default:
      break;
  }
}

void Cpu::SetPrefix(std::uint32_t prefix) {
  registers_.prefix = prefix & 0x7fff'e000;
  ClearTranslations();
}

void Cpu::SetConfiguration(ConfigurationId configuration) {
  configuration_ = configuration;
  ClearTranslations();
}

void Cpu::Reset() {
  // CPU reset leaves the registers alone; what is pending belongs to the host.
  ClearTranslations();
  program_new_psw_ = false;
  events_ = {};
  debug_due_ = false;
}

void Cpu::InitialReset() {
  registers_.psw = {};
  registers_.control = {};
  registers_.control[0] = 0xe0;
  registers_.control[14] = 0xc200'0000;
  registers_.floating_point_control = 0;
  registers_.prefix = 0;
  registers_.tod_programmable = 0;
  registers_.clock_comparator = 0;
  registers_.breaking_event_address = 1;
  breaking_op_ = 0;
  registers_.program_parameter = 0;
  cpu_timer_.store(0, std::memory_order_relaxed);
  ContextChanged();
  Reset();
}

void Cpu::ClearReset() {
  registers_.general = {};
  registers_.access = {};
  registers_.floating_point = {};
  InitialReset();
}

void Cpu::RequestAttention() { RaiseAttention(kHostAttention); }

void Cpu::SetInterruptionPending(bool pending) {
  interruption_pending_.store(pending, std::memory_order_relaxed);
}

// --- told-no's -----------------------------------------------------------------------------------

void Cpu::Interrupt(ProgramCode code) {
  throw ProgramInterruption{.code = code, .nullifies = Nullifies(code)};
}

void Cpu::DataException(std::uint8_t dxc) {
  if ((registers_.control[0] & kAfpRegisters) != 0) {
    registers_.floating_point_control =
        (registers_.floating_point_control & 0xffff'00ff) | std::uint32_t{dxc} << 8;
  }
  throw ProgramInterruption{.code = ProgramCode::kData, .data_exception = dxc};
}

// --- run loop ------------------------------------------------------------------------------------

void Cpu::EnterGuest() {
  inside_ = true;
  group_.Enter(*this);
}

void Cpu::LeaveGuest() {
  group_.Leave(*this);
  inside_ = false;
}

Exit Cpu::Run() {
  exit_ = {};
  leaving_ = false;
  running_ = true;
  ImportPsw();
  StartCpuTimer();
  EnterGuest();
  LookForOutsideStores();
  UpdateContexts();
  UpdateTimers();
  InterruptionsMayBeEnabled();
  while (!leaving_) {
    try {
      RunBlocks();
    } catch (const ProgramInterruption& interruption) {
      CatchInterruption(interruption);
    } catch (const RestartInstruction&) {
      if (current_ != nullptr) next_address_ = InstructionAddress(*current_);
      AbandonStep();
    } catch (const LeaveRun&) {
      if (current_ != nullptr) next_address_ = InstructionAddress(*current_);
      AbandonStep();
      Leave(Exit::Reason::kHost);
    }
    if (step_.open) EndStep();
  }
  FinishCodeWork();
  SettleBreakingEvent();
  LeaveGuest();
  StopCpuTimer();
  running_ = false;
  ExportPsw();
  return exit_;
}

void Cpu::RunBlocks() {
  while (!leaving_) {
    current_ = nullptr;
    if (WantsAttention()) {
      Poll();
      continue;
    }
    if (events_.code != 0 || debug_due_) {  // of an instruction that the host has completed
      FinishStep();
      continue;
    }
    if (!PswAllowsInstructions()) continue;
    if (StepsSingly()) return Step();
    const Op* op = Enter();
    while (op != nullptr && !WantsAttention()) {
      op = op->handler(*this, op);
    }
    if (op != nullptr) next_address_ = AddressOf(*op);
  }
}

// Where the program goes on that has come as far as `op`.
std::uint64_t Cpu::AddressOf(const Op& op) const {
  // An executed op here is the one behind an instruction that fell through.
  return (op.executed ? executed_address_ + executed_length_ : code_base_ + op.offset) &
         address_mask_;
}

// Finds, or decodes, the op at next_address_.
const Op* Cpu::Enter() {
  SettleBreakingEvent();
  const std::uint64_t address = next_address_;
  SpecificationUnless(address % 2 == 0);
  const std::uint64_t base = address & kPageMask;
  CodePageEntry& entry = (*code_pages_)[base / kPageSize % kCodePageEntries];
  if (entry.address != base || entry.context != code_context_id_) {
    const Operand operand{code_context_, CodeSpace(), false};
    Resolve(operand, {address, 0}, Access::kInstructionFetch);
    std::uint64_t absolute = AbsoluteOf(base);
    if (code_context_->asce != AddressContext::kReal) {
      absolute = Translate(base, code_context_->asce, CodeSpace()).absolute;
    }
    const PageFrame frame = AccessibleFrame(absolute);
    if (frame.code->exchange(1, std::memory_order_seq_cst) == 0) {
      group_.WatchPage(*this, absolute);
      return nullptr;  // others may have been served meanwhile: look again
    }
    entry = {base, code_context_id_, &code_->Verified(absolute, frame.bytes, outside_stores_)};
  }
  const Op* const op = code_->Find(*entry.page, static_cast<std::uint32_t>(address - base));
  if (op == nullptr) {
    code_->Reset();
    ClearTranslations();
    return nullptr;
  }
  code_base_ = base;
  (*jumps_)[JumpIndex(address)] = {address, code_context_id_, code_->Number(*op)};
  return op;
}

const Op* Cpu::LinkBranch(const Op& op) {
  SetBreakingEvent();
  const std::uint64_t target = RelativeAddress(op);
  const bool linkable = op.link == 3 && (target & kPageMask) == code_base_;
  if (!linkable) return Jump(target);
  const Op* const to =
      code_->Find(code_->PageOf(op), static_cast<std::uint32_t>(target - code_base_));
  if (to == nullptr) return LeaveBlock(target);
  op.link = static_cast<std::int32_t>(reinterpret_cast<const char*>(to) -
                                      reinterpret_cast<const char*>(&op));
  return to;
}

const Op* Cpu::Redecode(const Op& op) {
  const std::uint64_t address = code_base_ + op.offset;
  const Op* const to = code_->Find(code_->PageOf(op), op.offset);
  if (to == nullptr) return LeaveBlock(address);
  code_->Lead(op, *to);
  return to;
}

void Cpu::Poll() {
  const std::uint32_t bits = attention_.exchange(0, std::memory_order_acquire);
  if ((bits & kGroupRequest) != 0) group_.Serve(*this);
  if ((bits & kCodeWork) != 0) FinishCodeWork();
  bool ask = (bits & kHostAttention) != 0 || ExitRequested();
  if ((bits & kTimerAttention) != 0) {
    if (timer_due_.load(std::memory_order_relaxed)) UpdateTimers();
    const std::uint64_t mask = registers_.psw.mask;
    ask |= (mask & Psw::kExternal) != 0 && timer_due_.load(std::memory_order_relaxed);
    ask |=
        (mask & kInterruptionMasks) != 0 && interruption_pending_.load(std::memory_order_relaxed);
  }
  if (ask) AskHost();
}

void Cpu::AskHost() {
  SettleBreakingEvent();
  ExportPsw();
  LeaveGuest();
  const CpuHost::Verdict verdict = host_.OnAttention(*this);
  EnterGuest();
  ImportPsw();
  LookForOutsideStores();
  if (verdict == CpuHost::Verdict::kLeave) Leave(Exit::Reason::kHost);
}

// False: the PSW is no place to execute an instruction; what follows from that is done.
bool Cpu::PswAllowsInstructions() {
  if (!IsValid({registers_.psw.mask, next_address_})) {
    if (program_new_psw_) {
      exit_.program = ProgramCode::kSpecification;
      Leave(Exit::Reason::kProgramLoop);
      return false;
    }
    ExportPsw();
    PresentProgram({.code = ProgramCode::kSpecification}, 0);
    return false;
  }
  if ((registers_.psw.mask & Psw::kWait) != 0) {
    Leave(Exit::Reason::kWait);
    return false;
  }
  return true;
}

void Cpu::CatchInterruption(const ProgramInterruption& interruption) {
  // Without a current instruction it was the fetch of one that failed.
  constexpr std::uint8_t kUnknownLength = 2;
  std::uint64_t address = next_address_;
  std::uint8_t length = step_.open && step_.length != 0 ? step_.length : kUnknownLength;
  if (current_ != nullptr) {
    address = InstructionAddress(*current_);
    length = InstructionLength(*current_);
  }
  const Psw before{psw_mask(), address};
  next_address_ = interruption.nullifies ? address : WrapAddress(address + length);
  ExportPsw();
  DropEventsOf(interruption);
  PresentProgram(interruption, length);
  if (program_new_psw_ && registers_.psw == before) {
    exit_.program = interruption.code;
    Leave(Exit::Reason::kProgramLoop);
  }
}

// --- leaving instructions ------------------------------------------------------------------------

const Op* Cpu::Resume(std::uint64_t address) { return LeaveBlock(WrapAddress(address)); }

const Op* Cpu::BranchAndResume(std::uint64_t address) {
  SetBreakingEvent();
  return Resume(address);
}

const Op* Cpu::LoadPsw(const Psw& psw) {
  step_.is_psw_load = true;
  return BranchToPsw(psw);
}

const Op* Cpu::BranchToPsw(const Psw& psw) {
  SetBreakingEvent();
  program_new_psw_ = false;
  SetPsw(psw);
  return nullptr;
}

InstructionText Cpu::TextOf(const Op& op) const {
  return op.executed ? executed_text_ : code_->TextOf(op);
}

const Op* Cpu::Intercept(const Op& op) {
  const InstructionText text = TextOf(op);
  exit_.ipa = static_cast<std::uint16_t>(text >> 48);
  exit_.ipb = static_cast<std::uint32_t>(text >> 16);
  exit_.length = InstructionLength(op);
  Leave(Exit::Reason::kInstruction);
  return LeaveBlock(NextAddress(op));
}

const Op* Cpu::UnknownOperation(const Op& op) {
  if (!model_.intercept_operation) Interrupt(ProgramCode::kOperation);
  const Op* const next = Intercept(op);
  exit_.reason = Exit::Reason::kOperation;
  return next;
}

}  // namespace lethe::emulated
