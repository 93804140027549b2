#include "vmm/operand_access.h"

#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

absl::StatusOr<ProgramCode> AsProgramCode(absl::StatusOr<std::uint16_t> code) {
  if (!code.ok()) return code.status();
  return static_cast<ProgramCode>(*code);
}

}  // namespace

absl::StatusOr<ProgramCode> StorageOperands::Read(const kvm::Vcpu& vcpu, OperandAddress from,
                                                  absl::Span<std::uint8_t> to) const {
  if (from.space == OperandAddress::Space::kLogical)
    return AsProgramCode(vcpu.ReadLogical(from.address, from.access_register, to));
  return memory_.CopyOut(GuestAddress(from.address), to) ? ProgramCode::kNone
                                                         : ProgramCode::kAddressing;
}

absl::StatusOr<ProgramCode> StorageOperands::Write(const kvm::Vcpu& vcpu, OperandAddress to,
                                                   absl::Span<const std::uint8_t> from) const {
  if (to.space == OperandAddress::Space::kLogical)
    return AsProgramCode(vcpu.WriteLogical(to.address, to.access_register, from));
  return memory_.CopyIn(GuestAddress(to.address), from) ? ProgramCode::kNone
                                                        : ProgramCode::kAddressing;
}

absl::StatusOr<ProgramCode> SecureOperands::Read(const kvm::Vcpu& vcpu, OperandAddress,
                                                 absl::Span<std::uint8_t> to) const {
  LETHE_RETURN_IF_ERROR(vcpu.ReadSida(0, to));
  return ProgramCode::kNone;
}

absl::StatusOr<ProgramCode> SecureOperands::Write(const kvm::Vcpu& vcpu, OperandAddress,
                                                  absl::Span<const std::uint8_t> from) const {
  LETHE_RETURN_IF_ERROR(vcpu.WriteSida(0, from));
  return ProgramCode::kNone;
}

}  // namespace lethe::vmm
