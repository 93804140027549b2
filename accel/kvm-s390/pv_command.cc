#include "accel/kvm-s390/pv_command.h"

#include "absl/strings/str_format.h"
#include "accel/kvm-s390/ioctl.h"
#include "accel/kvm-s390/vm.h"

namespace lethe::kvm {
namespace {

constexpr absl::string_view kNames[] = {
    "KVM_PV_ENABLE",
    "KVM_PV_DISABLE",
    "KVM_PV_SET_SEC_PARMS",
    "KVM_PV_UNPACK",
    "KVM_PV_VERIFY",
    "KVM_PV_PREP_RESET",
    "KVM_PV_UNSHARE_ALL",
    "KVM_PV_INFO",
    "KVM_PV_DUMP",
    "KVM_PV_ASYNC_CLEANUP_PREPARE",
    "KVM_PV_ASYNC_CLEANUP_PERFORM",
};

}  // namespace

absl::string_view PvCommandName(std::uint32_t command) {
  return command < std::size(kNames) ? kNames[command] : "unknown PV command";
}

absl::Status PvResult::ToStatus() const {
  if (ok()) return absl::OkStatus();
  return absl::ErrnoToStatus(
      error, absl::StrFormat("%s (rc %#06x, rrc %#06x)", PvCommandName(command), rc, rrc));
}

PvCommand::PvCommand(const Vm& vm) : descriptor_(&vm.descriptor()) {}

PvResult PvCommand::Issue(std::uint32_t command, const void* data) const {
  // rc and rrc keep what was in them when no Ultravisor call is made: start from zero.
  abi::kvm_pv_cmd argument = {};
  argument.cmd = command;
  argument.data = reinterpret_cast<std::uintptr_t>(data);
  const int result =
      IssueRaw(*descriptor_, abi::KVM_S390_PV_COMMAND, reinterpret_cast<std::uintptr_t>(&argument));
  return {.command = command,
          .error = result < 0 ? -result : 0,
          .rc = argument.rc,
          .rrc = argument.rrc};
}

PvResult PvCommand::Enable() const { return Issue(abi::KVM_PV_ENABLE); }

PvResult PvCommand::Disable() const { return Issue(abi::KVM_PV_DISABLE); }

PvResult PvCommand::SetSecureParameters(absl::Span<const std::uint8_t> header) const {
  const abi::kvm_s390_pv_sec_parm parameters = {
      .origin = reinterpret_cast<std::uintptr_t>(header.data()), .length = header.size()};
  return Issue(abi::KVM_PV_SET_SEC_PARMS, &parameters);
}

PvResult PvCommand::Unpack(std::uint64_t address, std::uint64_t size, std::uint64_t tweak) const {
  const abi::kvm_s390_pv_unp component = {.addr = address, .size = size, .tweak = tweak};
  return Issue(abi::KVM_PV_UNPACK, &component);
}

PvResult PvCommand::Verify() const { return Issue(abi::KVM_PV_VERIFY); }

PvResult PvCommand::UnshareAll() const { return Issue(abi::KVM_PV_UNSHARE_ALL); }

PvResult PvCommand::PrepareReset() const { return Issue(abi::KVM_PV_PREP_RESET); }

PvResult PvCommand::Information(abi::kvm_s390_pv_info& information) const {
  return Issue(abi::KVM_PV_INFO, &information);
}

PvResult PvCommand::PrepareCleanup() const { return Issue(abi::KVM_PV_ASYNC_CLEANUP_PREPARE); }

PvResult PvCommand::PerformCleanup() const { return Issue(abi::KVM_PV_ASYNC_CLEANUP_PERFORM); }

}  // namespace lethe::kvm
