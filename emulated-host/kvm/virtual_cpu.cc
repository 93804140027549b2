#include "emulated-host/kvm/virtual_cpu.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/big_endian.h"
#include "emulated-host/kvm/descriptor_table.h"
#include "emulated-host/kvm/intercepts.h"
#include "emulated-host/kvm/page_walk.h"
#include "emulated-host/kvm/signal_block.h"
#include "emulated-host/kvm/sync_registers.h"
#include "emulated-host/kvm/virtual_machine.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {
namespace {

using Kind = InterruptionKind;

constexpr std::uint64_t kAnyInterruption = Psw::kInputOutput | Psw::kExternal | Psw::kMachineCheck;
constexpr int kConditionCodeShift = 44;

// States of KVM_SET_MP_STATE as the Ultravisor numbers them.
constexpr std::uint8_t kOperatingState = 1;
constexpr std::uint8_t kStoppedState = 2;
constexpr std::uint8_t kLoadState = 5;

std::uint8_t ConditionCodeOf(std::uint64_t mask) {
  return static_cast<std::uint8_t>((mask & Psw::kConditionCodeMask) >> kConditionCodeShift);
}

std::uint64_t WithConditionCode(std::uint64_t mask, std::uint8_t cc) {
  return (mask & ~Psw::kConditionCodeMask) | std::uint64_t{cc} << kConditionCodeShift;
}

// A difference of two TOD clock values; 4096 units are a microsecond.
std::chrono::nanoseconds Duration(std::uint64_t clock_units) {
  return std::chrono::nanoseconds((clock_units >> 9) * 125);
}

}  // namespace

VirtualCpu::VirtualCpu(VirtualMachine& machine, std::uint16_t address, const CpuModel& model)
    : machine_(machine),
      address_(address),
      run_memory_(MakeMemoryDescriptor("kvm-vcpu", kPageSize)),
      cpu_(model, address, machine.storage(), machine.group(), *this) {
  if (!run_memory_ || !wait_point_.ok()) return;
  void* page = mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, run_memory_.get(), 0);
  if (page == MAP_FAILED) return;
  run_ = static_cast<abi::kvm_run*>(page);
  run_->kvm_valid_regs = kSyncRegistersOffered;
  cpu_.WatchExitRequest(&run_->immediate_exit);
  cpu_.InitialReset();
  cpu_.registers().breaking_event_address = 1;
  StoreInitialRegisters(*run_, cpu_);
}

VirtualCpu::~VirtualCpu() {
  if (run_ != nullptr) munmap(run_, kPageSize);
}

// --- running -------------------------------------------------------------------------------------

void VirtualCpu::Kick(pthread_t thread) {
  const std::lock_guard lock(kick_mutex_);
  if (in_run_ && pthread_equal(runner_, thread) != 0) LeaveSoon();
}

namespace {

// The CPU whose KVM_RUN this thread is in.
thread_local std::atomic<VirtualCpu*> running_here{nullptr};

}  // namespace

void VirtualCpu::NoteSignal() {
  if (VirtualCpu* const cpu = running_here.load(std::memory_order_relaxed)) cpu->LeaveSoon();
}

void VirtualCpu::LeaveSoon() {
  kicked_ = true;
  cpu_.RequestAttention();
  wait_point_.Wake();
}

void VirtualCpu::Notify() {
  cpu_.SetInterruptionPending(true);
  cpu_.RequestAttention();
  wait_point_.Wake();
}

int VirtualCpu::Run(std::uintptr_t argument) {
  const std::lock_guard lock(mutex_);
  if (argument != 0) return -EINVAL;
  {
    const std::lock_guard kick_lock(kick_mutex_);
    runner_ = pthread_self();
    in_run_ = true;
    kicked_ = false;
  }
  running_here = this;
  running_ = true;
  const int result = RunLocked();
  running_ = false;
  running_here = nullptr;
  const std::lock_guard kick_lock(kick_mutex_);
  in_run_ = false;
  return result;
}

int VirtualCpu::RunLocked() {
  // Whoever kicks has set immediate_exit before, so one of the two is seen.
  if (__atomic_load_n(&run_->immediate_exit, __ATOMIC_SEQ_CST) != 0) return -EINTR;
  if ((run_->kvm_valid_regs | run_->kvm_dirty_regs) & ~abi::KVM_SYNC_S390_VALID_FIELDS) {
    return -EINVAL;
  }
  if (!machine_.settings().user_controls_cpu_state) {
    Start();
  } else if (stopped()) {
    return -EINVAL;
  }
  const RunSignalMask signals(signal_mask_);
  if (signals.interrupted()) {
    run_->exit_reason = abi::KVM_EXIT_INTR;
    return -EINTR;
  }
  LoadFromRunPage();
  machine_.group().NoteOutsideStores();
  machine_.gate().Enter();
  const int result = RunLoop();
  machine_.gate().Leave();
  StoreToRunPage();
  return result;
}

int VirtualCpu::RunLoop() {
  fault_error_ = 0;
  bool leave = false;
  int result = 0;
  while (!leave) result = RunOnce(leave);
  return result;
}

// One turn: until something happens that the kernel or the user has to look at.
int VirtualCpu::RunOnce(bool& leave) {
  if (ShouldLeave()) return LeaveForUser(leave);
  if (local_.Has(Kind::kStop) && HandleStopRequest(leave)) return 0;
  return secure_ ? ExecuteSecure(leave) : ExecuteOrdinary(leave);
}

bool VirtualCpu::ShouldLeave() {
  return kicked_ || __atomic_load_n(&run_->immediate_exit, __ATOMIC_SEQ_CST) != 0;
}

int VirtualCpu::LeaveForUser(bool& leave) {
  leave = true;
  run_->exit_reason = abi::KVM_EXIT_INTR;
  return -EINTR;
}

bool VirtualCpu::HandleStopRequest(bool& leave) {
  // What is pending and enabled comes first.
  if (Deliverable()) return false;
  const std::optional<abi::kvm_s390_irq> request = local_.Take(Kind::kStop);
  if (!request) return false;
  if (request->u.stop.flags & abi::KVM_S390_STOP_FLAG_STORE_STATUS) {
    StoreStatus(abi::KVM_S390_STORE_STATUS_NOADDR);
  }
  if (machine_.settings().user_controls_cpu_state) {
    // Stays pending until the user has stopped the CPU.
    local_.Inject(*request);
  } else {
    Stop();
  }
  ReportIntercept(abi::ICPT_STOP, 0, 0);
  leave = true;
  return true;
}

int VirtualCpu::ExecuteOrdinary(bool& leave) { return HandleExit(Execute(), leave); }

// Interruptions are delivered in OnAttention only: there the CPU can leave half-way if a page of
// the prefix area cannot be had.
Exit VirtualCpu::Execute() {
  cpu_.RequestAttention();
  last_length_ = 0;
  return cpu_.Run();
}

int VirtualCpu::ExecuteSecure(bool& leave) {
  if (const int error = TakeSecureAnswer(); error != 0) {
    leave = true;
    return error;
  }
  const SecureCpu::Next next = secure_->Enter(answer_);
  answer_.program = ProgramCode::kNone;
  if (next == SecureCpu::Next::kValidity) {
    leave = true;
    return -EINVAL;
  }
  if (next == SecureCpu::Next::kIntercept) {
    const SecureIntercept& intercept = secure_->intercept();
    answer_.general = intercept.general;
    answer_.cc = ConditionCodeOf(secure_->VisiblePsw().mask);
    const auto code = static_cast<std::uint8_t>(intercept.code);
    const Disposition disposition =
        HandleSecureIntercept(*this, intercept.code, intercept.ipa, intercept.ipb);
    if (disposition.kind == Disposition::Kind::kForward) {
      ReportIntercept(code, intercept.ipa, intercept.ipb);
    }
    return Finish(disposition, leave);
  }
  const Exit exit = Execute();
  if (exit.reason == Exit::Reason::kInstruction) {
    secure_->Take(exit);
    return 0;
  }
  if (exit.reason == Exit::Reason::kOperation) {
    secure_->TakeOperationException(exit);
    return 0;
  }
  return HandleExit(exit, leave);
}

// A program interruption that the user injected as the result of an intercepted instruction. Others
// than these two cannot be injected into a secure CPU.
int VirtualCpu::TakeSecureAnswer() {
  const std::optional<abi::kvm_s390_irq> program = local_.Take(Kind::kProgram);
  if (!program) return 0;
  const auto code = static_cast<ProgramCode>(program->u.pgm.code);
  if (code != ProgramCode::kSpecification && code != ProgramCode::kOperand) return -EINVAL;
  if (!secure_->answer_due()) return -EINVAL;
  answer_.program = code;
  return 0;
}

int VirtualCpu::HandleExit(const Exit& exit, bool& leave) {
  switch (exit.reason) {
    case Exit::Reason::kHost:
      if (std::exchange(timer_loop_, false)) {
        ReportIntercept(abi::ICPT_EXTINT, 0, 0);
        leave = true;
        return 0;
      }
      leave = fault_error_ != 0;
      return fault_error_;
    case Exit::Reason::kWait:
      return Wait(leave);
    case Exit::Reason::kInstruction: {
      last_length_ = exit.length;
      const Disposition disposition = HandleInstruction(*this, exit.ipa, exit.ipb);
      if (disposition.kind == Disposition::Kind::kForward) {
        ReportIntercept(abi::ICPT_INST, exit.ipa, exit.ipb);
      }
      return Finish(disposition, leave);
    }
    case Exit::Reason::kOperation: {
      last_length_ = exit.length;
      const Disposition disposition = HandleOperationException(exit);
      if (disposition.kind == Disposition::Kind::kForward) {
        ReportIntercept(abi::ICPT_OPEREXC, exit.ipa, exit.ipb);
      }
      return Finish(disposition, leave);
    }
    case Exit::Reason::kDebug:
      leave = ReportDebug(exit.debug);
      return 0;
    case Exit::Reason::kProgramLoop:
      ReportIntercept(abi::ICPT_PROGI, 0, 0);
      leave = true;
      return 0;
  }
  return 0;
}

bool VirtualCpu::ReportDebug(const DebugEvent& event) {
  const std::optional<abi::kvm_debug_exit_arch> told = debug_.Judge(event, machine_);
  if (!told) return false;
  run_->exit_reason = abi::KVM_EXIT_DEBUG;
  run_->debug.arch = *told;
  return true;
}

int VirtualCpu::SetDebug(const abi::kvm_guest_debug& wanted) {
  if (secure_) {
    debug_ = {};
    cpu_.SetDebug({});
    return -EINVAL;
  }
  machine_.gate().Enter();
  const int result = debug_.Set(wanted, machine_, cpu_);
  machine_.gate().Leave();
  return result;
}

int VirtualCpu::Finish(const Disposition& disposition, bool& leave) {
  leave = disposition.kind != Disposition::Kind::kResume;
  return disposition.kind == Disposition::Kind::kFail ? disposition.error : 0;
}

// Does the program-new PSW lead straight back to the undefined instruction? As Linux judges it: in
// the supervisor state, in the same mode, and at most six bytes before where the CPU stands now.
bool VirtualCpu::LoopsOnOperationException() {
  constexpr std::uint64_t kProgramNewPsw = 0x1d0;
  constexpr std::uint64_t kMode = Psw::kDat | Psw::kAddressSpaceMask | Psw::kExtendedAddressing |
                                  Psw::kBasicAddressing | Psw::kProblemState | Psw::kWait;
  std::array<std::uint8_t, 16> bytes;
  if (!cpu_.ReadReal(kProgramNewPsw, absl::MakeSpan(bytes))) return false;
  const std::uint64_t mask = LoadBigEndian<std::uint64_t>(bytes.data());
  const std::uint64_t address = LoadBigEndian<std::uint64_t>(bytes.data() + 8);
  const Psw& psw = cpu_.registers().psw;
  return (psw.mask & Psw::kProblemState) == 0 && ((mask ^ psw.mask) & kMode) == 0 &&
         psw.address - address <= 6;
}

Disposition VirtualCpu::HandleOperationException(const Exit& exit) {
  if (exit.ipa == 0 && machine_.settings().user_instruction0) return Disposition::Forward();
  if (LoopsOnOperationException()) return Disposition::Forward();
  return Interrupt(ProgramCode::kOperation);
}

void VirtualCpu::ReportIntercept(std::uint8_t code, std::uint16_t ipa, std::uint32_t ipb) {
  run_->exit_reason = abi::KVM_EXIT_S390_SIEIC;
  run_->s390_sieic.icptcode = code;
  run_->s390_sieic.ipa = ipa;
  run_->s390_sieic.ipb = ipb;
}

int VirtualCpu::Wait(bool& leave) {
  const SignalBlock signals;
  for (;;) {
    const WaitPoint::Ticket ticket = wait_point_.Prepare();
    if (ShouldLeave() || local_.Has(Kind::kStop) || Deliverable()) return 0;
    if ((cpu_.registers().psw.mask & kAnyInterruption) == 0) {
      ReportIntercept(abi::ICPT_WAIT, 0, 0);
      leave = true;
      return 0;
    }
    const std::uint64_t deadline = cpu_.NextTimerDeadline();
    std::optional<std::chrono::nanoseconds> limit;
    if (deadline != ~std::uint64_t{0}) {
      const std::uint64_t now = cpu_.Tod();
      if (deadline <= now) return 0;
      limit = Duration(deadline - now) + std::chrono::nanoseconds(1);
    }
    const std::uint64_t asleep_at = machine_.group().clock().HostTime();
    machine_.gate().Leave();
    running_ = false;
    const bool interrupted = wait_point_.Sleep(ticket, limit, signals.mask());
    running_ = true;
    machine_.gate().Enter();
    // The CPU timer runs in the wait state as well.
    const std::uint64_t slept = machine_.group().clock().HostTime() - asleep_at;
    cpu_.SetCpuTimer(cpu_.cpu_timer() - static_cast<std::int64_t>(slept));
    if (interrupted) return LeaveForUser(leave);
  }
}

// --- CpuHost -------------------------------------------------------------------------------------

CpuHost::Verdict VirtualCpu::OnAttention(Cpu&) {
  if (machine_.gate().closing()) {
    machine_.gate().Leave();
    machine_.gate().Enter();
  }
  Deliver();
  return timer_loop_ || ShouldLeave() || local_.Has(Kind::kStop) ? Verdict::kLeave
                                                                 : Verdict::kContinue;
}

CpuHost::Verdict VirtualCpu::ResolveSecureFault(Cpu&, std::uint64_t absolute, SecureFault fault) {
  fault_error_ = machine_.protection().ResolveFault(*this, absolute, fault);
  return fault_error_ == 0 ? Verdict::kContinue : Verdict::kLeave;
}

// --- interruptions -------------------------------------------------------------------------------

bool VirtualCpu::Deliverable() {
  FloatingInterrupts& floating = machine_.floating();
  const InterruptionSet pending = local_.pending() | floating.pending();
  const InterruptionSet admitted =
      Admitted(MasksOf(cpu_.registers()),
               local_.machine_check_subclasses() | floating.machine_check_subclasses());
  return (pending & admitted & ~SetOf(Kind::kStop)) != 0;
}

void VirtualCpu::Deliver() {
  FloatingInterrupts& floating = machine_.floating();
  // Timer interruptions are what the timers say, whatever was injected.
  local_.Take(Kind::kClockComparator);
  local_.Take(Kind::kCpuTimer);
  if (secure_ && secure_->TakeRestart()) {
    local_.Take(Kind::kRestart);  // of a user who injects it as well
    secure_->SecurePrefix();
    cpu_.PresentRestart();
  }
  bool taken = false;
  for (;;) {
    InterruptionSet set = local_.pending() | floating.pending();
    cpu_.SetInterruptionPending(set != 0);
    set &= Admitted(MasksOf(cpu_.registers()),
                    local_.machine_check_subclasses() | floating.machine_check_subclasses());
    set &= ~SetOf(Kind::kStop);
    if (secure_) set &= ~SetOf(Kind::kProgram);
    const auto kind = static_cast<Kind>(std::countr_zero(set));
    if ((set == 0 || kind > Kind::kCpuTimer) && cpu_.PresentTimers()) {
      taken = true;
      timer_loop_ = (cpu_.registers().psw.mask & Psw::kExternal) != 0;
      if (timer_loop_) break;
      continue;
    }
    if (set == 0) break;
    std::optional<abi::kvm_s390_irq> irq = local_.Take(kind);
    if (!irq) irq = floating.Take(kind);
    // Another CPU may have been faster.
    if (irq) {
      Present(*irq, kind);
      taken = true;
    }
  }
  if (taken && !secure_ && debug_.single_step()) cpu_.StopForDebug();
  // An injection after the first look has raised the hint again.
  const bool pending = (local_.pending() | floating.pending()) != 0;
  if (pending) cpu_.SetInterruptionPending(true);
}

void VirtualCpu::Present(const abi::kvm_s390_irq& irq, InterruptionKind kind) {
  // Vector registers and guarded storage are not there to be saved with a machine check.
  constexpr std::uint64_t kNotSaved = Psw::Bit(25) | Psw::Bit(36);
  constexpr std::uint16_t kInitialPageFault = 0x0600;
  constexpr std::uint16_t kCompletedPageFault = 0x0680;
  constexpr std::uint16_t kVirtioSignal = 0x0d00;
  if (secure_) secure_->SecurePrefix();
  switch (kind) {
    case Kind::kExigentMachineCheck:
    case Kind::kRepressibleMachineCheck:
      return cpu_.PresentMachineCheck(irq.u.mchk.mcic & ~kNotSaved,
                                      irq.u.mchk.failing_storage_address,
                                      irq.u.mchk.ext_damage_code);
    case Kind::kProgram:
      return PresentProgram(irq);
    case Kind::kEmergencySignal:
      return cpu_.PresentExternal(0x1201, irq.u.emerg.code, 0, 0);
    case Kind::kExternalCall:
      return cpu_.PresentExternal(0x1202, irq.u.extcall.code, 0, 0);
    case Kind::kClockComparator:
      return cpu_.PresentExternal(0x1004, 0, 0, 0);
    case Kind::kCpuTimer:
      return cpu_.PresentExternal(0x1005, 0, 0, 0);
    case Kind::kServiceEvent:
    case Kind::kService: {
      const std::uint32_t parameter = irq.u.ext.ext_params;
      return cpu_.PresentExternal(0x2401, 0,
                                  secure_ ? secure_->ServiceParameter(parameter) : parameter, 0);
    }
    case Kind::kPageFaultInitial:
      return cpu_.PresentExternal(0x2603, kInitialPageFault, 0, irq.u.ext.ext_params2);
    case Kind::kPageFaultCompleted:
      return cpu_.PresentExternal(0x2603, kCompletedPageFault, 0, irq.u.ext.ext_params2);
    case Kind::kVirtio:
      return cpu_.PresentExternal(0x2603, kVirtioSignal, irq.u.ext.ext_params,
                                  irq.u.ext.ext_params2);
    case Kind::kRestart:
      return cpu_.PresentRestart();
    case Kind::kSetPrefix:
      return cpu_.SetPrefix(irq.u.prefix.address & 0x7fffe000);
    default:
      return cpu_.PresentInputOutput(irq.u.io.subchannel_id, irq.u.io.subchannel_nr,
                                     irq.u.io.io_int_parm, irq.u.io.io_int_word);
  }
}

void VirtualCpu::PresentProgram(const abi::kvm_s390_irq& irq) {
  const abi::kvm_s390_pgm_info& program = irq.u.pgm;
  ProgramInterruption interruption;
  interruption.code = static_cast<ProgramCode>(program.code);
  interruption.translation_exception = program.trans_exc_code;
  interruption.exception_access = program.exc_access_id;
  interruption.data_exception = program.data_exc_code;
  interruption.monitor_class = program.mon_class_nr;
  interruption.monitor_code = program.mon_code;
  const std::uint8_t length = program.flags & abi::KVM_S390_PGM_FLAGS_ILC_MASK;
  const bool rewinds =
      Nullifies(interruption.code) && (program.flags & abi::KVM_S390_PGM_FLAGS_NO_REWIND) == 0;
  if (rewinds) cpu_.registers().psw.address = Wrap(cpu_.registers().psw.address - length);
  cpu_.PresentProgram(interruption, length);
  constexpr std::uint64_t kOperandAccess = 162;
  cpu_.WriteReal(kOperandAccess, {&program.op_access_id, 1});
  if (program.code & kProgramEvent) StoreProgramEvent(program);
}

// What program-event recording has found, in the prefix area.
void VirtualCpu::StoreProgramEvent(const abi::kvm_s390_pgm_info& program) {
  constexpr std::uint64_t kCode = 150;
  constexpr std::uint64_t kAccess = 161;
  std::array<std::uint8_t, 10> found{program.per_code, program.per_atmid};
  StoreBigEndian(found.data() + 2, program.per_address);
  cpu_.WriteReal(kCode, found);
  cpu_.WriteReal(kAccess, {&program.per_access_id, 1});
}

int VirtualCpu::Inject(const abi::kvm_s390_irq& irq) {
  const std::optional<Kind> kind = KindOf(irq);
  if (!kind) return -EINVAL;
  switch (*kind) {
    case Kind::kExigentMachineCheck:
    case Kind::kRepressibleMachineCheck:
    case Kind::kProgram:
    case Kind::kClockComparator:
    case Kind::kCpuTimer:
    case Kind::kPageFaultInitial:
    case Kind::kRestart:
      break;
    case Kind::kEmergencySignal:
      if (machine_.FindCpu(irq.u.emerg.code) == nullptr) return -EINVAL;
      break;
    case Kind::kExternalCall:
      if (machine_.FindCpu(irq.u.extcall.code) == nullptr) return -EINVAL;
      break;
    case Kind::kSetPrefix:
      if (!stopped()) return -EBUSY;
      break;
    case Kind::kStop:
      if (irq.u.stop.flags & ~abi::KVM_S390_STOP_FLAG_STORE_STATUS) return -EINVAL;
      if (stopped()) return StoreStatusOfStopped(irq.u.stop.flags);
      break;
    default:
      return -EINVAL;
  }
  abi::kvm_s390_irq complete = irq;
  if (*kind == Kind::kProgram && (irq.u.pgm.flags & abi::KVM_S390_PGM_FLAGS_ILC_VALID) == 0) {
    complete.u.pgm.flags &= ~abi::KVM_S390_PGM_FLAGS_ILC_MASK;
    complete.u.pgm.flags |= last_length_ | abi::KVM_S390_PGM_FLAGS_ILC_VALID;
  }
  if (const int error = local_.Inject(complete); error != 0) return error;
  Notify();
  return 0;
}

int VirtualCpu::StoreStatusOfStopped(std::uint32_t stop_flags) {
  if ((stop_flags & abi::KVM_S390_STOP_FLAG_STORE_STATUS) == 0) return 0;
  // A CPU that just leaves its last KVM_RUN or is in another call holds the mutex; nobody who
  // comes here may wait for it while holding his own.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return 0;
  LoadInPlaceRegisters(*run_, cpu_);
  StoreStatus(abi::KVM_S390_STORE_STATUS_NOADDR);
  return 0;
}

// --- state ---------------------------------------------------------------------------------------

void VirtualCpu::Stop() {
  stopped_ = true;
  local_.Take(Kind::kStop);
}

int VirtualCpu::SetState(std::uint32_t mp_state) {
  const auto tell = [this](std::uint8_t state) {
    const auto call = [&] { return machine_.host().ultravisor().SetCpuState(*secure_, state); };
    return !secure_ || CallPatiently(call).ok();
  };
  switch (mp_state) {
    case abi::KVM_MP_STATE_STOPPED:
      if (stopped()) return 0;
      if (!tell(kStoppedState)) return -EINVAL;
      Stop();
      return 0;
    case abi::KVM_MP_STATE_OPERATING:
      if (!stopped()) return 0;
      if (!tell(kOperatingState)) return -EINVAL;
      Start();
      return 0;
    case abi::KVM_MP_STATE_LOAD:
      if (!secure_) return -ENXIO;
      return tell(kLoadState) ? 0 : -EINVAL;
    default:
      return -ENXIO;
  }
}

void VirtualCpu::ForgetLocalState() {
  local_.Clear();
  page_fault_ = {};
  if (!machine_.settings().user_controls_cpu_state) Stop();
}

namespace {

int ResetSecure(Ultravisor& ultravisor, SecureCpu& cpu,
                UvcResult (Ultravisor::*reset)(SecureCpu&)) {
  return CallPatiently([&] { return (ultravisor.*reset)(cpu); }).ok() ? 0 : -EINVAL;
}

}  // namespace

int VirtualCpu::NormalReset() {
  ForgetLocalState();
  if (secure_) return ResetSecure(machine_.host().ultravisor(), *secure_, &Ultravisor::CpuReset);
  cpu_.Reset();
  return 0;
}

int VirtualCpu::InitialReset() {
  ForgetLocalState();
  if (secure_) {
    ClearInitialRegisters(*run_);
    return ResetSecure(machine_.host().ultravisor(), *secure_, &Ultravisor::CpuInitialReset);
  }
  LoadInPlaceRegisters(*run_, cpu_);
  cpu_.InitialReset();
  cpu_.registers().breaking_event_address = 1;
  StoreInitialRegisters(*run_, cpu_);
  return 0;
}

int VirtualCpu::ClearReset() {
  ForgetLocalState();
  ClearGeneralRegisters(*run_);
  if (secure_) {
    ClearInitialRegisters(*run_);
    return ResetSecure(machine_.host().ultravisor(), *secure_, &Ultravisor::CpuClearReset);
  }
  cpu_.ClearReset();
  cpu_.registers().breaking_event_address = 1;
  StoreInitialRegisters(*run_, cpu_);
  return 0;
}

int VirtualCpu::StoreStatus(std::uint64_t where) {
  constexpr std::uint64_t kArchitectureMode = 163;
  constexpr std::uint64_t kSaveArea = 0x1200;
  const std::uint8_t z_architecture[] = {1};
  const std::uint64_t prefix = cpu_.registers().prefix;
  std::uint64_t base = where;
  if (where == abi::KVM_S390_STORE_STATUS_NOADDR) {
    base = kSaveArea;
    if (!machine_.WriteAbsolute(kArchitectureMode, z_architecture)) return -EFAULT;
  } else if (where == abi::KVM_S390_STORE_STATUS_PREFIXED) {
    base = prefix + kSaveArea;
    if (!machine_.WriteAbsolute(prefix + kArchitectureMode, z_architecture)) return -EFAULT;
  }
  return cpu_.StoreStatus(base) ? 0 : -EFAULT;
}

// --- registers -----------------------------------------------------------------------------------

void VirtualCpu::LoadFromRunPage() {
  if (secure_) {
    // Of the PSW, the host may only set the condition code.
    std::copy_n(run_->s.regs.gprs, 16, answer_.general.begin());
    answer_.cc = ConditionCodeOf(run_->psw_mask);
    run_->kvm_dirty_regs = 0;
    return;
  }
  LoadDirtyRegisters(*run_, *this);
  LoadInPlaceRegisters(*run_, cpu_);
  cpu_.SetPsw({run_->psw_mask, run_->psw_addr});
  run_->kvm_dirty_regs = 0;
}

void VirtualCpu::StoreToRunPage() {
  if (secure_) {
    const Psw psw = secure_->VisiblePsw();
    std::copy(answer_.general.begin(), answer_.general.end(), run_->s.regs.gprs);
    run_->psw_mask = WithConditionCode(psw.mask, answer_.cc);
    run_->psw_addr = psw.address;
    return;
  }
  StoreRegisters(*run_, *this);
}

std::array<std::uint64_t, 16>& VirtualCpu::general() {
  return secure_ ? answer_.general : cpu_.registers().general;
}

void VirtualCpu::SetConditionCode(std::uint8_t cc) {
  if (secure_) {
    answer_.cc = cc;
    return;
  }
  Registers& registers = cpu_.registers();
  registers.psw.mask = WithConditionCode(registers.psw.mask, cc);
  cpu_.SetCc(cc);
}

bool VirtualCpu::ProblemState() {
  // The Ultravisor lets no instruction of the problem state through.
  return !secure_ && cpu_.ProblemState();
}

std::uint64_t VirtualCpu::Wrap(std::uint64_t address) {
  const std::uint64_t mode =
      cpu_.registers().psw.mask & (Psw::kExtendedAddressing | Psw::kBasicAddressing);
  if (mode == (Psw::kExtendedAddressing | Psw::kBasicAddressing)) return address;
  return address & (mode == Psw::kBasicAddressing ? 0x7fffffff : 0xffffff);
}

Disposition VirtualCpu::Interrupt(ProgramCode code) {
  ProgramInterruption interruption;
  interruption.code = code;
  return Interrupt(interruption);
}

Disposition VirtualCpu::Interrupt(const ProgramInterruption& interruption) {
  if (secure_) {
    answer_.program = interruption.code;
    return Disposition::Resume();
  }
  if (Nullifies(interruption.code)) {
    cpu_.registers().psw.address = Wrap(cpu_.registers().psw.address - last_length_);
  }
  cpu_.PresentProgram(interruption, last_length_);
  return Disposition::Resume();
}

void VirtualCpu::ResetSecureState() {
  answer_ = HostAnswer{};
  cpu_.SetDebug(secure_ ? DebugRequest{} : debug_.Request());
}

}  // namespace lethe::emulated
