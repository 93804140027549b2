#include "accel/kvm-s390/vcpu.h"

#include <atomic>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/ioctl.h"
#include "accel/kvm-s390/mem_op.h"
#include "base/status_macros.h"

namespace lethe::kvm {
namespace {

constexpr IoctlRequest<ByValue> kNormalReset{abi::KVM_S390_NORMAL_RESET, "KVM_S390_NORMAL_RESET"};
constexpr IoctlRequest<ByValue> kInitialReset{abi::KVM_S390_INITIAL_RESET,
                                              "KVM_S390_INITIAL_RESET"};
constexpr IoctlRequest<ByValue> kClearReset{abi::KVM_S390_CLEAR_RESET, "KVM_S390_CLEAR_RESET"};
constexpr IoctlRequest<ByValue> kStoreStatus{abi::KVM_S390_STORE_STATUS, "KVM_S390_STORE_STATUS"};
constexpr IoctlRequest<abi::kvm_mp_state> kGetState{abi::KVM_GET_MP_STATE, "KVM_GET_MP_STATE"};
constexpr IoctlRequest<abi::kvm_mp_state> kSetState{abi::KVM_SET_MP_STATE, "KVM_SET_MP_STATE"};
constexpr IoctlRequest<abi::kvm_s390_irq> kIrq{abi::KVM_S390_IRQ, "KVM_S390_IRQ"};
constexpr IoctlRequest<abi::kvm_s390_irq_state> kGetIrqState{abi::KVM_S390_GET_IRQ_STATE,
                                                             "KVM_S390_GET_IRQ_STATE"};
constexpr IoctlRequest<abi::kvm_s390_irq_state> kSetIrqState{abi::KVM_S390_SET_IRQ_STATE,
                                                             "KVM_S390_SET_IRQ_STATE"};
constexpr IoctlRequest<abi::kvm_s390_mem_op> kMemOp{abi::KVM_S390_MEM_OP, "KVM_S390_MEM_OP"};
constexpr IoctlRequest<abi::kvm_one_reg> kGetOneRegister{abi::KVM_GET_ONE_REG, "KVM_GET_ONE_REG"};
constexpr IoctlRequest<abi::kvm_one_reg> kSetOneRegister{abi::KVM_SET_ONE_REG, "KVM_SET_ONE_REG"};
constexpr IoctlRequest<abi::kvm_sregs> kGetSpecialRegisters{abi::KVM_GET_SREGS, "KVM_GET_SREGS"};
constexpr IoctlRequest<abi::kvm_sregs> kSetSpecialRegisters{abi::KVM_SET_SREGS, "KVM_SET_SREGS"};
constexpr IoctlRequest<abi::kvm_enable_cap> kEnableCapability{abi::KVM_ENABLE_CAP,
                                                              "KVM_ENABLE_CAP"};

abi::kvm_s390_mem_op LogicalOperation(std::uint32_t op, std::uint64_t address,
                                      std::uint8_t access_register, bool inject) {
  abi::kvm_s390_mem_op operation = {};
  operation.op = op;
  operation.gaddr = address;
  operation.access.ar = access_register;
  operation.flags = inject ? abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION : 0;
  return operation;
}

abi::kvm_s390_mem_op SidaOperation(std::uint32_t op, std::uint32_t offset, const void* memory,
                                   std::size_t size) {
  abi::kvm_s390_mem_op operation = {};
  operation.op = op;
  operation.sida_offset = offset;
  operation.buf = reinterpret_cast<std::uintptr_t>(memory);
  operation.size = static_cast<std::uint32_t>(size);
  return operation;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Vcpu>> Vcpu::Create(Descriptor descriptor, unsigned cpu_address,
                                                   std::size_t run_area_bytes) {
  const std::intptr_t address = descriptor.kernel().Map(descriptor.get(), run_area_bytes);
  if (address < 0 && address >= -4095)
    return absl::ErrnoToStatus(static_cast<int>(-address),
                               absl::StrCat("run area of CPU ", cpu_address));
  return std::unique_ptr<Vcpu>(new Vcpu(std::move(descriptor), cpu_address,
                                        reinterpret_cast<abi::kvm_run*>(address), run_area_bytes));
}

Vcpu::Vcpu(Descriptor descriptor, unsigned cpu_address, abi::kvm_run* run,
           std::size_t run_area_bytes)
    : descriptor_(std::move(descriptor)),
      cpu_address_(cpu_address),
      run_(run),
      run_area_bytes_(run_area_bytes) {}

Vcpu::~Vcpu() { descriptor_.kernel().Unmap(run_, run_area_bytes_); }

std::string Vcpu::Name() const { return absl::StrCat("CPU ", cpu_address_); }

absl::StatusOr<VcpuExit> Vcpu::Enter() {
  {
    std::lock_guard lock(runner_mutex_);
    runner_ = pthread_self();
  }
  int result;
  do {
    result = descriptor_.kernel().Ioctl(descriptor_.get(), abi::KVM_RUN, 0);
  } while (result == -EAGAIN);  // the kernel could not get a lock
  {
    std::lock_guard lock(runner_mutex_);
    runner_.reset();
  }
  if (result == -EINTR) {
    // Cleared before the caller looks for requests, so none is lost.
    std::atomic_ref(run_->immediate_exit).store(0);
    return Interrupted{};
  }
  if (result < 0)
    return absl::ErrnoToStatus(-result, absl::StrFormat("%s: KVM_RUN at PSW %016x %016x", Name(),
                                                        run_->psw_mask, run_->psw_addr));
  return DecodeExit();
}

void Vcpu::Kick() {
  std::atomic_ref(run_->immediate_exit).store(1);
  std::lock_guard lock(runner_mutex_);
  if (runner_) descriptor_.kernel().Kick(descriptor_.get(), *runner_);
}

VcpuExit Vcpu::DecodeExit() const {
  switch (run_->exit_reason) {
    case abi::KVM_EXIT_S390_SIEIC: {
      const auto& exit = run_->s390_sieic;
      return Intercept{exit.icptcode, exit.ipa, exit.ipb};
    }
    case abi::KVM_EXIT_S390_RESET:
      return ResetRequest{run_->s390_reset_flags};
    case abi::KVM_EXIT_S390_TSCH: {
      const auto& exit = run_->s390_tsch;
      TestSubchannel decoded{exit.ipb, std::nullopt};
      if (exit.dequeued != 0)
        decoded.dequeued = {exit.subchannel_id, exit.subchannel_nr, exit.io_int_parm,
                            exit.io_int_word};
      return decoded;
    }
    case abi::KVM_EXIT_S390_STSI: {
      const auto& exit = run_->s390_stsi;
      return StoreSystemInformation{exit.addr, exit.ar, exit.fc, exit.sel1, exit.sel2};
    }
    case abi::KVM_EXIT_DEBUG:
      return DebugStop{run_->debug.arch.addr, run_->debug.arch.type};
    case abi::KVM_EXIT_INTR:
      return Interrupted{};
    default:
      return UnknownExit{run_->exit_reason};
  }
}

absl::Status Vcpu::NormalReset() const {
  return Annotate(Issue(descriptor_, kNormalReset).status(), Name());
}

absl::Status Vcpu::InitialReset() const {
  return Annotate(Issue(descriptor_, kInitialReset).status(), Name());
}

absl::Status Vcpu::ClearReset() const {
  return Annotate(Issue(descriptor_, kClearReset).status(), Name());
}

absl::StatusOr<VcpuState> Vcpu::State() const {
  // The state is the ioctl's result; the structure is not written.
  abi::kvm_mp_state unused = {};
  absl::StatusOr<int> state = Issue(descriptor_, kGetState, unused);
  if (!state.ok()) return Annotate(state.status(), Name());
  return static_cast<VcpuState>(*state);
}

absl::Status Vcpu::SetState(VcpuState state) const {
  abi::kvm_mp_state argument = {.mp_state = static_cast<std::uint32_t>(state)};
  return Annotate(Issue(descriptor_, kSetState, argument).status(), Name());
}

absl::Status Vcpu::Inject(const abi::kvm_s390_irq& interruption) const {
  abi::kvm_s390_irq argument = interruption;
  return Annotate(Issue(descriptor_, kIrq, argument).status(),
                  absl::StrFormat("%s: interruption %#x", Name(), interruption.type));
}

absl::Status Vcpu::InjectProgram(std::uint16_t code) const {
  abi::kvm_s390_irq interruption = {};
  interruption.type = abi::KVM_S390_PROGRAM_INT;
  interruption.u.pgm.code = code;
  return Inject(interruption);
}

absl::Status Vcpu::InjectRestart() const {
  abi::kvm_s390_irq interruption = {};
  interruption.type = abi::KVM_S390_RESTART;
  return Inject(interruption);
}

absl::Status Vcpu::InjectStop(bool store_status) const {
  abi::kvm_s390_irq interruption = {};
  interruption.type = abi::KVM_S390_SIGP_STOP;
  interruption.u.stop.flags = store_status ? abi::KVM_S390_STOP_FLAG_STORE_STATUS : 0;
  return Inject(interruption);
}

absl::StatusOr<std::vector<abi::kvm_s390_irq>> Vcpu::PendingInterruptions() const {
  std::vector<abi::kvm_s390_irq> interruptions(abi::KVM_S390_MAX_LOCAL_IRQS);
  abi::kvm_s390_irq_state state = {};
  state.buf = reinterpret_cast<std::uintptr_t>(interruptions.data());
  state.len = static_cast<std::uint32_t>(interruptions.size() * sizeof(abi::kvm_s390_irq));
  absl::StatusOr<int> bytes = Issue(descriptor_, kGetIrqState, state);
  if (!bytes.ok()) return Annotate(bytes.status(), Name());
  interruptions.resize(static_cast<std::size_t>(*bytes) / sizeof(abi::kvm_s390_irq));
  return interruptions;
}

absl::Status Vcpu::SetPendingInterruptions(
    absl::Span<const abi::kvm_s390_irq> interruptions) const {
  if (interruptions.empty()) return absl::OkStatus();
  abi::kvm_s390_irq_state state = {};
  state.buf = reinterpret_cast<std::uintptr_t>(interruptions.data());
  state.len = static_cast<std::uint32_t>(interruptions.size() * sizeof(abi::kvm_s390_irq));
  return Annotate(Issue(descriptor_, kSetIrqState, state).status(), Name());
}

absl::StatusOr<std::uint16_t> Vcpu::ReadLogical(std::uint64_t address, std::uint8_t access_register,
                                                absl::Span<std::uint8_t> target,
                                                bool inject) const {
  return TransferGuestStorage(
      descriptor_,
      LogicalOperation(abi::KVM_S390_MEMOP_LOGICAL_READ, address, access_register, inject),
      target.data(), target.size());
}

absl::StatusOr<std::uint16_t> Vcpu::WriteLogical(std::uint64_t address,
                                                 std::uint8_t access_register,
                                                 absl::Span<const std::uint8_t> source,
                                                 bool inject) const {
  return TransferGuestStorage(
      descriptor_,
      LogicalOperation(abi::KVM_S390_MEMOP_LOGICAL_WRITE, address, access_register, inject),
      const_cast<std::uint8_t*>(source.data()), source.size());
}

absl::Status Vcpu::ReadSida(std::uint32_t offset, absl::Span<std::uint8_t> target) const {
  abi::kvm_s390_mem_op operation =
      SidaOperation(abi::KVM_S390_MEMOP_SIDA_READ, offset, target.data(), target.size());
  return Annotate(Issue(descriptor_, kMemOp, operation).status(), absl::StrCat(Name(), ": SIDA"));
}

absl::Status Vcpu::WriteSida(std::uint32_t offset, absl::Span<const std::uint8_t> source) const {
  abi::kvm_s390_mem_op operation =
      SidaOperation(abi::KVM_S390_MEMOP_SIDA_WRITE, offset, source.data(), source.size());
  return Annotate(Issue(descriptor_, kMemOp, operation).status(), absl::StrCat(Name(), ": SIDA"));
}

absl::StatusOr<std::uint64_t> Vcpu::OneRegister(std::uint64_t id) const {
  // One register is 32 bits wide; the size is part of the id.
  std::uint64_t wide = 0;
  std::uint32_t narrow = 0;
  const bool is_narrow = id == abi::KVM_REG_S390_TODPR;
  abi::kvm_one_reg argument = {.id = id,
                               .addr = is_narrow ? reinterpret_cast<std::uintptr_t>(&narrow)
                                                 : reinterpret_cast<std::uintptr_t>(&wide)};
  absl::StatusOr<int> result = Issue(descriptor_, kGetOneRegister, argument);
  if (!result.ok()) return Annotate(result.status(), Name());
  return is_narrow ? narrow : wide;
}

absl::Status Vcpu::SetOneRegister(std::uint64_t id, std::uint64_t value) const {
  std::uint32_t narrow = static_cast<std::uint32_t>(value);
  abi::kvm_one_reg argument = {.id = id,
                               .addr = id == abi::KVM_REG_S390_TODPR
                                           ? reinterpret_cast<std::uintptr_t>(&narrow)
                                           : reinterpret_cast<std::uintptr_t>(&value)};
  return Annotate(Issue(descriptor_, kSetOneRegister, argument).status(), Name());
}

absl::StatusOr<abi::kvm_sregs> Vcpu::SpecialRegisters() const {
  abi::kvm_sregs registers = {};
  absl::StatusOr<int> result = Issue(descriptor_, kGetSpecialRegisters, registers);
  if (!result.ok()) return Annotate(result.status(), Name());
  return registers;
}

absl::Status Vcpu::SetSpecialRegisters(abi::kvm_sregs registers) const {
  return Annotate(Issue(descriptor_, kSetSpecialRegisters, registers).status(), Name());
}

absl::Status Vcpu::StoreStatus(std::uint64_t address) const {
  return Annotate(Issue(descriptor_, kStoreStatus, address).status(), Name());
}

absl::Status Vcpu::EnableCapability(unsigned capability) const {
  abi::kvm_enable_cap request = {};
  request.cap = capability;
  return Annotate(Issue(descriptor_, kEnableCapability, request).status(),
                  absl::StrCat(Name(), ": capability ", capability));
}

}  // namespace lethe::kvm
