#include "vmm/store_status.h"

#include <array>
#include <cstddef>

#include "base/big_endian.h"

namespace lethe::vmm {
namespace {

struct StatusArea {
  std::array<Be64, 16> floating_point;
  std::array<Be64, 16> general;
  std::array<Be64, 2> psw;
  Be64 reserved272;
  Be32 prefix;
  Be32 floating_point_control;
  Be32 reserved288;
  Be32 tod_programmable;
  Be64 cpu_timer;
  Be64 clock_comparator;  // without its lowest byte
  Be64 reserved312;
  std::array<Be32, 16> access;
  std::array<Be64, 16> control;
};
static_assert(sizeof(StatusArea) == kStatusAreaSize);
static_assert(offsetof(StatusArea, prefix) == 0x118);
static_assert(offsetof(StatusArea, tod_programmable) == 0x124);
static_assert(offsetof(StatusArea, access) == 0x140);

}  // namespace

bool StoreStatus(const kvm::Vcpu& vcpu, GuestMemory& memory, GuestAddress area) {
  const abi::kvm_sync_regs& registers = vcpu.registers();
  // Floating-point registers are the left halves of the first vector registers.
  const bool vectors = (vcpu.valid_registers() & abi::KVM_SYNC_VRS) != 0;
  StatusArea status;
  for (std::size_t i = 0; i < 16; ++i) {
    status.floating_point[i] = vectors ? registers.vrs[i][0] : registers.fprs[i];
    status.general[i] = registers.gprs[i];
    status.access[i] = registers.acrs[i];
    status.control[i] = registers.crs[i];
  }
  status.psw = {vcpu.psw().mask, vcpu.psw().address};
  status.prefix = static_cast<std::uint32_t>(registers.prefix);
  status.floating_point_control = registers.fpc;
  status.tod_programmable = static_cast<std::uint32_t>(registers.todpr);
  status.cpu_timer = registers.cputm;
  status.clock_comparator = registers.ckc >> 8;
  return memory.Write(area, status);
}

}  // namespace lethe::vmm
