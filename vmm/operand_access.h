#ifndef LETHE_VMM_OPERAND_ACCESS_H_
#define LETHE_VMM_OPERAND_ACCESS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "accel/kvm-s390/vcpu.h"
#include "vmm/guest_memory.h"

namespace lethe::vmm {

// Program interruption codes (Principles of Operation, "Interruption"), kNone when there is none.
enum class ProgramCode : std::uint16_t {
  kNone = 0,
  kOperation = 0x01,
  kPrivilegedOperation = 0x02,
  kProtection = 0x04,
  kAddressing = 0x05,
  kSpecification = 0x06,
  kOperand = 0x15,
};

// Where an instruction's operand in storage lies. Logical addresses go through the CPU's
// translation, absolute ones do not.
struct OperandAddress {
  enum class Space { kAbsolute, kLogical };
  Space space = Space::kAbsolute;
  std::uint64_t address = 0;
  std::uint8_t access_register = 0;  // kLogical: the base register's number
};

// How an instruction that we execute reaches its operand in storage. One implementation for
// ordinary guests, one for protected guests, whose operands the Ultravisor copies out and in.
// Used on the CPU's thread. An error means the host failed; what the guest did wrong is a code.
class OperandAccess {
 public:
  virtual ~OperandAccess() = default;

  virtual absl::StatusOr<ProgramCode> Read(const kvm::Vcpu& vcpu, OperandAddress from,
                                           absl::Span<std::uint8_t> to) const = 0;
  virtual absl::StatusOr<ProgramCode> Write(const kvm::Vcpu& vcpu, OperandAddress to,
                                            absl::Span<const std::uint8_t> from) const = 0;
  // Whether the guest's storage and registers are hidden from us.
  virtual bool guest_is_protected() const = 0;
};

// Operands in guest storage.
class StorageOperands final : public OperandAccess {
 public:
  explicit StorageOperands(GuestMemory& memory) : memory_(memory) {}
  absl::StatusOr<ProgramCode> Read(const kvm::Vcpu& vcpu, OperandAddress from,
                                   absl::Span<std::uint8_t> to) const override;
  absl::StatusOr<ProgramCode> Write(const kvm::Vcpu& vcpu, OperandAddress to,
                                    absl::Span<const std::uint8_t> from) const override;
  bool guest_is_protected() const override { return false; }

 private:
  GuestMemory& memory_;
};

// Operands in the secure instruction data area of the CPU: the operand starts at offset 0 whatever
// its address was. Addresses are the Ultravisor's business.
class SecureOperands final : public OperandAccess {
 public:
  absl::StatusOr<ProgramCode> Read(const kvm::Vcpu& vcpu, OperandAddress from,
                                   absl::Span<std::uint8_t> to) const override;
  absl::StatusOr<ProgramCode> Write(const kvm::Vcpu& vcpu, OperandAddress to,
                                    absl::Span<const std::uint8_t> from) const override;
  bool guest_is_protected() const override { return true; }
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_OPERAND_ACCESS_H_
