#include "emulated-host/ultravisor/secure_cpu.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/big_endian.h"
#include "emulated-host/ultravisor/secure_configuration.h"
#include "emulated-host/ultravisor/secure_instructions.h"
#include "emulated-host/ultravisor/ultravisor.h"

namespace lethe::emulated {
namespace {

constexpr int kConditionCodeShift = 44;
constexpr std::uint64_t kInterruptionMask = Psw::kInputOutput | Psw::kExternal | Psw::kMachineCheck;

}  // namespace

SecureCpu::SecureCpu(Ultravisor& ultravisor, std::shared_ptr<SecureConfiguration> configuration,
                     Cpu& cpu)
    : ultravisor_(ultravisor), configuration_(std::move(configuration)), cpu_(cpu) {
  before_ = cpu.registers();
  timer_before_ = cpu.cpu_timer();
  cpu_.ClearReset();
  cpu_.SetConfiguration(configuration_->id());
}

SecureCpu::~SecureCpu() = default;

// --- for the Ultravisor --------------------------------------------------------------------------

void SecureCpu::Load(const Psw& psw) {
  Forget();
  used_ = true;
  cpu_.SetPsw(psw);
}

void SecureCpu::Forget() {
  state_ = State::kIdle;
  new_prefix_ = kNoPrefix;
  store_status_ = false;
  restart_orders_.CarryOut();
}

void SecureCpu::GiveBack() {
  cpu_.SetConfiguration(kNoConfiguration);
  if (used_) {
    cpu_.ClearReset();
    return;
  }
  cpu_.registers() = before_;
  cpu_.SetCpuTimer(timer_before_);
  cpu_.ContextChanged();
}

// --- between guest and host ----------------------------------------------------------------------

bool SecureCpu::Runnable() const {
  return run_state_ == RunState::kOperating && !reset_due_ &&
         configuration_->phase() == SecureConfiguration::Phase::kVerified;
}

SecureCpu::Next SecureCpu::Enter(const HostAnswer& answer) {
  if (!Runnable()) return Next::kValidity;
  used_ = true;
  if (state_ == State::kShown) {
    if (const Next next = Complete(answer); next != Next::kRun) return next;
  }
  if (const std::uint64_t prefix = new_prefix_.exchange(kNoPrefix); prefix != kNoPrefix) {
    cpu_.SetPrefix(static_cast<std::uint32_t>(prefix));
  }
  if (state_ != State::kReady) return Next::kRun;
  state_ = State::kShown;
  return Next::kIntercept;
}

SecureCpu::Next SecureCpu::Complete(const HostAnswer& answer) {
  state_ = State::kIdle;
  const Outstanding& instruction = outstanding_;
  if (answer.program != ProgramCode::kNone) {
    const bool allowed =
        answer.program == ProgramCode::kSpecification || answer.program == ProgramCode::kOperand;
    if (!instruction.takes_program || !allowed) return Next::kValidity;
    TakeSignalBack();
    Interrupt(answer.program, instruction.length);
    return Next::kRun;
  }
  // A service call is accepted by us: the host fills in the block, whatever the condition code is.
  const std::uint8_t cc = instruction.opcode == opcode::kServiceCall ? 0 : answer.cc;
  const bool results = (instruction.results & 1 << cc) != 0;
  if (results && instruction.size != 0 && !StoreResult()) return Next::kRun;
  if (results && instruction.to_register >= 0) {
    const std::uint64_t value = answer.general[instruction.from_register];
    std::uint64_t& target = gr(instruction.to_register);
    constexpr std::uint64_t kHigh = ~std::uint64_t{0xffffffff};
    target = instruction.low_half ? (target & kHigh) | (value & ~kHigh) : value;
  }
  if (instruction.sets_cc) SetCc(cc);
  if (instruction.opcode == opcode::kSignalProcessor) CompleteSignal(cc);
  if (instruction.opcode == opcode::kServiceCall) CompleteServiceCall();
  return Next::kRun;
}

// The storage operand. False: the guest got a program interruption instead.
bool SecureCpu::StoreResult() {
  const Outstanding& instruction = outstanding_;
  const auto content = absl::MakeConstSpan(sida_).first(instruction.size);
  ProgramInterruption interruption;
  if (!instruction.to_real) {
    interruption = cpu_.WriteLogical(instruction.target, content);
  } else if (!cpu_.WriteReal(instruction.target.address, content)) {
    interruption.code = ProgramCode::kAddressing;
  }
  if (interruption.code == ProgramCode::kNone) return true;
  Interrupt(interruption, instruction.length);
  return false;
}

template <typename Order>
void SecureCpu::Signal(std::uint16_t address, Order order) {
  const std::lock_guard lock(configuration_->lock_);
  for (SecureCpu* const other : configuration_->cpus_) {
    if (other->address() == address) return order(*other);
  }
}

// Hosts let the other CPU go before they answer this one: a restart is due at once.
void SecureCpu::AnnounceSignal() {
  if (outstanding_.function != kRestartOrder) return;
  Signal(outstanding_.other_cpu, [this](SecureCpu& other) {
    if (other.run_state_ == RunState::kStopped) {
      outstanding_.restart = other.restart_orders_.Give();
    }
  });
}

// The host has refused what was announced.
void SecureCpu::TakeSignalBack() {
  if (!outstanding_.restart) return;
  Signal(outstanding_.other_cpu,
         [this](SecureCpu& other) { other.restart_orders_.TakeBack(*outstanding_.restart); });
}

// Orders that concern registers of another CPU, which the host cannot see to.
void SecureCpu::CompleteSignal(std::uint8_t cc) {
  if (cc != 0) return TakeSignalBack();
  const Outstanding& order = outstanding_;
  Signal(order.other_cpu, [&](SecureCpu& other) {
    switch (order.function) {
      case kStopAndStoreStatus:
        if (other.run_state_ == RunState::kStopped) {
          other.cpu_.StoreStatus(kStatusArea);
        } else {
          other.store_status_ = true;
        }
        break;
      case kSetPrefixOrder:
        other.new_prefix_ = order.parameter & kPrefixMask;
        break;
      case kStoreStatusAtAddress:
        other.cpu_.StoreStatus(order.parameter & kStatusAddressMask);
        break;
      default:
        break;
    }
  });
}

// The guest's block is filled in; now the host may present the interruption.
void SecureCpu::CompleteServiceCall() {
  if (outstanding_.function != 0) return;
  configuration_->service_block_ = static_cast<std::uint32_t>(outstanding_.target.address);
  const std::uint8_t length = outstanding_.length;
  intercept_ = {SecureIntercept::Code::kNotification, opcode::kServiceCall, 0, {}};
  outstanding_ = {};
  outstanding_.opcode = opcode::kServiceCall;
  outstanding_.function = 1;  // the notification
  outstanding_.length = length;
  state_ = State::kReady;
}

Psw SecureCpu::VisiblePsw() const {
  const Psw& psw = cpu_.registers().psw;
  const bool disabled_wait = (psw.mask & Psw::kWait) != 0 && (psw.mask & kInterruptionMask) == 0;
  constexpr std::uint64_t kVisible = kInterruptionMask | Psw::kWait | Psw::kConditionCodeMask |
                                     Psw::kExtendedAddressing | Psw::kBasicAddressing;
  return {psw.mask & kVisible, disabled_wait ? psw.address : 0};
}

std::uint32_t SecureCpu::ServiceParameter(std::uint32_t from_host) {
  constexpr std::uint32_t kEventBits = 3;
  const std::uint32_t events = from_host & kEventBits;
  if ((from_host & ~kEventBits) == 0) return events;
  return configuration_->service_block_.exchange(0) | events;
}

UvcResult SecureCpu::SecurePrefix() {
  const std::uint64_t prefix = cpu_.registers().prefix;
  for (const std::uint64_t page : {prefix, prefix + kPageSize}) {
    const auto place = configuration_->Find(page);
    if (place.view != nullptr) {
      const PageState state(place.region().states()[place.page].load(std::memory_order_acquire));
      if (state.Admits(configuration_->id())) continue;
    }
    UvcResult result;
    do {
      result = ultravisor_.ConvertToSecure(*configuration_, page);
    } while (result.cc > 1);
    if (!result.ok()) return result;
  }
  return UvcResult::Done();
}

// --- registers and storage of the guest ----------------------------------------------------------

std::uint64_t SecureCpu::Wrap(std::uint64_t address) const {
  const std::uint64_t mask = cpu_.registers().psw.mask;
  if ((mask & Psw::kExtendedAddressing) != 0) return address;
  return address & ((mask & Psw::kBasicAddressing) != 0 ? 0x7fffffff : 0xffffff);
}

void SecureCpu::SetCc(std::uint8_t cc) {
  const std::uint64_t mask = cpu_.registers().psw.mask & ~Psw::kConditionCodeMask;
  cpu_.SetPswMask(mask | std::uint64_t{cc} << kConditionCodeShift);
}

void SecureCpu::Interrupt(ProgramCode code, std::uint8_t length) {
  ProgramInterruption interruption;
  interruption.code = code;
  Interrupt(interruption, length);
}

void SecureCpu::Interrupt(const ProgramInterruption& interruption, std::uint8_t length) {
  if (interruption.nullifies || Nullifies(interruption.code)) {
    Psw psw = cpu_.registers().psw;
    psw.address = Wrap(psw.address - length);
    cpu_.SetPsw(psw);
  }
  SecurePrefix();
  cpu_.PresentProgram(interruption, length);
}

bool SecureCpu::Fetch(LogicalAddress from, absl::Span<std::uint8_t> to, const Exit& exit) {
  const ProgramInterruption interruption = cpu_.ReadLogical(from, to);
  if (interruption.code == ProgramCode::kNone) return true;
  Interrupt(interruption, exit.length);
  return false;
}

bool SecureCpu::Probe(LogicalAddress at, std::size_t size, const Exit& exit) {
  std::array<std::uint8_t, kSidaSize> ignored;
  return Fetch(at, absl::MakeSpan(ignored).first(size), exit);
}

}  // namespace lethe::emulated
