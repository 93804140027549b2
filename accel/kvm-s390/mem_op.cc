#include "accel/kvm-s390/mem_op.h"

#include <algorithm>

#include "accel/kvm-s390/ioctl.h"
#include "base/status_macros.h"

namespace lethe::kvm {
namespace {

constexpr IoctlRequest<abi::kvm_s390_mem_op> kMemOp{abi::KVM_S390_MEM_OP, "KVM_S390_MEM_OP"};

constexpr std::size_t kMostBytes = 65536;  // KVM_CAP_S390_MEM_OP of every kernel so far

}  // namespace

absl::StatusOr<std::uint16_t> TransferGuestStorage(const Descriptor& descriptor,
                                                   abi::kvm_s390_mem_op operation, void* memory,
                                                   std::size_t size) {
  operation.buf = reinterpret_cast<std::uintptr_t>(memory);
  while (size != 0) {
    operation.size = static_cast<std::uint32_t>(std::min(size, kMostBytes));
    LETHE_ASSIGN_OR_RETURN(int code, Issue(descriptor, kMemOp, operation));
    if (code > 0) return static_cast<std::uint16_t>(code);
    operation.gaddr += operation.size;
    operation.buf += operation.size;
    size -= operation.size;
  }
  return std::uint16_t{0};
}

}  // namespace lethe::kvm
