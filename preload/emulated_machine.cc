#include "preload/emulated_machine.h"

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/status_macros.h"

namespace lethe::preload {
namespace {

// The first machine that had an Ultravisor. Clients that know machines by their type (QEMU) believe
// in protected guests from this one on, whatever facilities are missing.
constexpr std::uint64_t kMachineType = 0x8561;
constexpr std::uint64_t kMachineTypeMask = 0xffff'0000;

emulated::CpuModel HostCpuModel() {
  emulated::CpuModel model = emulated::CpuModel::Default();
  model.cpu_id = (model.cpu_id & ~kMachineTypeMask) | kMachineType << 16;
  return model;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmulatedMachine>> EmulatedMachine::Make(
    const Settings& settings, std::function<void(int fd)> on_descriptor) {
  std::string key_path = settings.host_key;
  if (key_path.empty()) {
    LETHE_ASSIGN_OR_RETURN(key_path, DefaultHostKeyPath());
  }
  LETHE_ASSIGN_OR_RETURN(HostKey host_key, OpenOrCreateHostKey(key_path));
  return std::unique_ptr<EmulatedMachine>(
      new EmulatedMachine(std::move(host_key), settings, std::move(on_descriptor)));
}

EmulatedMachine::EmulatedMachine(HostKey host_key, const Settings& settings,
                                 std::function<void(int fd)> on_descriptor)
    : process_(getpid()), host_key_(std::move(host_key)) {
  emulated::UltravisorFeatures features;
  features.destroy_fast = settings.destroy_fast;
  ultravisor_ = std::make_unique<emulated::Ultravisor>(host_key_, features);
  ultravisor_->SetCost(settings.uvc_cost);
  if (settings.export_cost.count() > 0) {
    ultravisor_->SetCost(emulated::Uvc::kConvertFromSecure, settings.export_cost);
  }
  emulated::EmulatedKernelOptions options;
  options.cpu_model = HostCpuModel();
  options.ultravisor = ultravisor_.get();
  options.asynchronous_destroy = settings.asynchronous_destroy;
  options.on_descriptor = std::move(on_descriptor);
  options.log = Log::ToStandardError(settings.log_level);
  kernel_ = std::make_unique<emulated::EmulatedKernel>(std::move(options));
}

}  // namespace lethe::preload
