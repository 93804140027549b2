#ifndef LETHE_ACCEL_KVM_S390_VCPU_H_
#define LETHE_ACCEL_KVM_S390_VCPU_H_

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/descriptor.h"

namespace lethe::kvm {

// An instruction or condition that KVM leaves to us. `code` is one of abi::ICPT_*.
struct Intercept {
  std::uint8_t code;
  std::uint16_t ipa;  // first halfword of the instruction
  std::uint32_t ipb;  // the rest of it
  friend bool operator==(const Intercept&, const Intercept&) = default;
};

// DIAGNOSE 308 subcode 3 or 4: re-IPL. `flags` is a set of abi::KVM_S390_RESET_*.
struct ResetRequest {
  std::uint64_t flags;
  friend bool operator==(const ResetRequest&, const ResetRequest&) = default;
};

// TEST SUBCHANNEL; KVM may have taken the subchannel's interruption off its queue.
struct TestSubchannel {
  std::uint32_t ipb;
  struct Dequeued {
    std::uint16_t subchannel_id;
    std::uint16_t subchannel_number;
    std::uint32_t io_int_parm;
    std::uint32_t io_int_word;
  };
  std::optional<Dequeued> dequeued;  // inject it again if the instruction fails
};

// STORE SYSTEM INFORMATION that KVM has done and that may be amended.
struct StoreSystemInformation {
  std::uint64_t address;
  std::uint8_t access_register;
  std::uint8_t function_code;
  std::uint8_t selector_1;
  std::uint16_t selector_2;
};

struct DebugStop {
  std::uint64_t address;
  std::uint8_t type;
};

// Kick(), or another signal: the guest made no request. Look at what others ask of this vCPU.
struct Interrupted {
  friend bool operator==(const Interrupted&, const Interrupted&) = default;
};

// An exit reason that Lethe does not know.
struct UnknownExit {
  std::uint32_t reason;
};

using VcpuExit = std::variant<Intercept, ResetRequest, TestSubchannel, StoreSystemInformation,
                              DebugStop, Interrupted, UnknownExit>;

enum class VcpuState : std::uint32_t {
  kStopped = abi::KVM_MP_STATE_STOPPED,
  kCheckStop = abi::KVM_MP_STATE_CHECK_STOP,
  kOperating = abi::KVM_MP_STATE_OPERATING,
  kLoad = abi::KVM_MP_STATE_LOAD,  // protected vCPUs only; follow with kOperating
};

struct Psw {
  std::uint64_t mask = 0;
  std::uint64_t address = 0;
  friend bool operator==(const Psw&, const Psw&) = default;
};

// One vCPU. One thread runs it and touches its registers; Kick and Inject may come from any thread.
// Every other call waits while the vCPU is inside Enter().
class Vcpu {
 public:
  static absl::StatusOr<std::unique_ptr<Vcpu>> Create(Descriptor descriptor, unsigned cpu_address,
                                                      std::size_t run_area_bytes);
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;
  ~Vcpu();

  unsigned cpu_address() const { return cpu_address_; }
  const Descriptor& descriptor() const { return descriptor_; }
  RunArea run_area() const { return {run_, run_area_bytes_}; }

  // Runs the guest until it needs us (KVM_RUN). An error means that this vCPU cannot go on: a
  // validity intercept or running while stopped (EINVAL), storage that cannot be had (EFAULT,
  // ENOMEM).
  absl::StatusOr<VcpuExit> Enter();
  // Makes a present or the next Enter() return Interrupted. The caller has stored its request
  // before, where the vCPU's thread looks after Interrupted.
  void Kick();

  // The registers, as of the last exit. General, access, floating-point and vector registers are
  // used in place; the others count only after MarkDirty(KVM_SYNC_...).
  abi::kvm_sync_regs& registers() { return run_->s.regs; }
  const abi::kvm_sync_regs& registers() const { return run_->s.regs; }
  void MarkDirty(std::uint64_t sync_bits) { run_->kvm_dirty_regs |= sync_bits; }
  // Which of them this host has: a set of KVM_SYNC_*.
  std::uint64_t valid_registers() const { return run_->kvm_valid_regs; }
  Psw psw() const { return {run_->psw_mask, run_->psw_addr}; }
  // Of a protected vCPU only the condition code is taken.
  void set_psw(Psw psw) {
    run_->psw_mask = psw.mask;
    run_->psw_addr = psw.address;
  }

  // The resets of the architecture. For a protected vCPU the Ultravisor may refuse (EINVAL).
  absl::Status NormalReset() const;
  absl::Status InitialReset() const;
  absl::Status ClearReset() const;

  // From the first SetState of any vCPU on, user space decides which vCPUs run (irrevocably):
  // Enter() of a stopped one fails.
  absl::StatusOr<VcpuState> State() const;
  absl::Status SetState(VcpuState state) const;

  // Makes an interruption of this CPU pending. EBUSY: one of its kind is pending already.
  absl::Status Inject(const abi::kvm_s390_irq& interruption) const;
  // Program interruption `code`; of a protected vCPU only 0x06 and 0x15, for an instruction that
  // was intercepted with ICPT_PV_INSTR.
  absl::Status InjectProgram(std::uint16_t code) const;
  absl::Status InjectRestart() const;
  absl::Status InjectStop(bool store_status = false) const;

  // Pending interruptions of this CPU, for saving and restoring.
  absl::StatusOr<std::vector<abi::kvm_s390_irq>> PendingInterruptions() const;
  absl::Status SetPendingInterruptions(absl::Span<const abi::kvm_s390_irq> interruptions) const;

  // Guest storage by logical address as this CPU sees it: 0, or the program interruption code that
  // the access met. With `inject` the exception is pending as well. Not for protected vCPUs.
  absl::StatusOr<std::uint16_t> ReadLogical(std::uint64_t address, std::uint8_t access_register,
                                            absl::Span<std::uint8_t> target,
                                            bool inject = false) const;
  absl::StatusOr<std::uint16_t> WriteLogical(std::uint64_t address, std::uint8_t access_register,
                                             absl::Span<const std::uint8_t> source,
                                             bool inject = false) const;

  // The page through which a protected CPU exchanges operands (SIDA, 4096 bytes). E2BIG beyond its
  // end, EINVAL if the vCPU is not protected.
  absl::Status ReadSida(std::uint32_t offset, absl::Span<std::uint8_t> target) const;
  absl::Status WriteSida(std::uint32_t offset, absl::Span<const std::uint8_t> source) const;

  // KVM_REG_S390_*; EINVAL on a protected vCPU.
  absl::StatusOr<std::uint64_t> OneRegister(std::uint64_t id) const;
  absl::Status SetOneRegister(std::uint64_t id, std::uint64_t value) const;
  absl::StatusOr<abi::kvm_sregs> SpecialRegisters() const;
  absl::Status SetSpecialRegisters(abi::kvm_sregs registers) const;

  // STORE STATUS at an absolute address (or abi::KVM_S390_STORE_STATUS_*). Never for a protected
  // vCPU: it would export the guest's pages.
  absl::Status StoreStatus(std::uint64_t address) const;

  absl::Status EnableCapability(unsigned capability) const;

 private:
  Vcpu(Descriptor descriptor, unsigned cpu_address, abi::kvm_run* run, std::size_t run_area_bytes);

  VcpuExit DecodeExit() const;
  std::string Name() const;

  Descriptor descriptor_;
  const unsigned cpu_address_;
  abi::kvm_run* const run_;
  const std::size_t run_area_bytes_;
  // Who is inside Enter(); held while kicking, so that the thread is still there.
  std::mutex runner_mutex_;
  std::optional<pthread_t> runner_;
};

}  // namespace lethe::kvm

#endif  // LETHE_ACCEL_KVM_S390_VCPU_H_
