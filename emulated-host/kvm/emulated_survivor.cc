#include "emulated-host/kvm/emulated_survivor.h"

#include <sys/syscall.h>

#include <cerrno>
#include <utility>

#include "base/system_call.h"
#include "emulated-host/kvm/page_walk.h"

namespace lethe::emulated {
namespace {

using Stage = ConfigurationTable::Stage;

// The codes of the last call; true: it was done.
bool Note(const UvcResult& result, abi::kvm_pv_cmd& command) {
  command.rc = result.rc;
  command.rrc = result.rrc;
  return result.ok();
}

constexpr UvcResult kSetAsideResult{0, UvcResult::kExecuted, 42};

}  // namespace

EmulatedSurvivor::EmulatedSurvivor(Ultravisor& ultravisor, Machine machine, int vm_fd,
                                   std::vector<kvm::RunArea> run_areas,
                                   std::shared_ptr<const void> copy)
    : ultravisor_(ultravisor),
      machine_(std::move(machine)),
      vm_fd_(vm_fd),
      run_areas_(std::move(run_areas)),
      copy_(std::move(copy)) {
  for (const auto& region : machine_.regions) regions_.push_back(region.get());
}

// FindPresent and Drop ask the host; who waits for a page or spends time does so, too.
kvm::Survivor::Needs EmulatedSurvivor::needs() const {
  return {.descriptors = {vm_fd_},
          .system_calls = {SYS_mincore, SYS_madvise, SYS_sched_yield, SYS_clock_gettime}};
}

void EmulatedSurvivor::BreakLocks() {
  if (!std::exchange(locks_broken_, true)) ultravisor_.BreakLocks(regions_);
}

int EmulatedSurvivor::Command(abi::kvm_pv_cmd& command) {
  if (command.flags != 0) return -EINVAL;
  if (command.cmd > abi::KVM_PV_ASYNC_CLEANUP_PERFORM) return -ENOTTY;
  BreakLocks();
  switch (command.cmd) {
    case abi::KVM_PV_DISABLE:
      return Disable(command);
    case abi::KVM_PV_ASYNC_CLEANUP_PREPARE:
      return SetAside(command);
    case abi::KVM_PV_ASYNC_CLEANUP_PERFORM:
      return CleanUp(command);
    default:
      return -EINVAL;  // nobody is there to run another guest
  }
}

void EmulatedSurvivor::Close() {
  BreakLocks();
  if (!table().empty()) {
    abi::kvm_pv_cmd ignored{};
    DestroyCpus(ignored);
    DestroyEverything(ignored);
  }
  for (const kvm::RunArea& area : run_areas_) {
    SystemCall(SYS_munmap, Argument(area.address), static_cast<long>(area.length));
  }
  SystemCall(SYS_close, vm_fd_);
}

// --- commands ------------------------------------------------------------------------------------

int EmulatedSurvivor::Disable(abi::kvm_pv_cmd& command) {
  if (table().active() == kNoConfiguration) return -EINVAL;
  if (!DestroyCpus(command)) return -EIO;
  return DestroyEverything(command) ? 0 : -EIO;
}

int EmulatedSurvivor::SetAside(abi::kvm_pv_cmd& command) {
  ConfigurationId id = table().active();
  if (id == kNoConfiguration || !machine_.may_set_aside) return -EINVAL;
  if (!DestroyCpus(command)) return -EIO;
  if (table().Find(Stage::kSetAside) != nullptr || !machine_.long_address_space) return -EINVAL;
  if (ultravisor_.features().destroy_fast) {
    const auto destroy = [&] { return ultravisor_.DestroyConfigurationFast(id); };
    if (!Note(CallPatiently(destroy), command)) return -EIO;
    id = kNoConfiguration;
  }
  DestroyLowPages(ultravisor_, machine_.ranges);
  table().SetAsideLast(id);
  table().SetActive(kNoConfiguration);
  Note(kSetAsideResult, command);
  return 0;
}

int EmulatedSurvivor::CleanUp(abi::kvm_pv_cmd& command) {
  if (!machine_.may_set_aside) return -EINVAL;
  ConfigurationTable::Zombie* const zombie = table().Find(Stage::kSetAside);
  if (zombie == nullptr) return -EINVAL;
  zombie->stage = Stage::kInTeardown;
  DestroyAllPages();
  const bool ok = DestroyConfiguration(zombie->number, command);
  zombie->stage = Stage::kNone;
  return ok ? 0 : -EIO;
}

// --- destruction ---------------------------------------------------------------------------------

bool EmulatedSurvivor::DestroyCpus(abi::kvm_pv_cmd& command) {
  const ConfigurationId id = table().active();
  bool ok = true;
  for (std::uint32_t cpus = ultravisor_.CpusOf(id); cpus != 0; --cpus) {
    const UvcResult result = CallPatiently([&] { return ultravisor_.DestroyCpu(id); });
    if (ok) ok = Note(result, command);
  }
  return ok;
}

bool EmulatedSurvivor::DestroyConfiguration(ConfigurationId id, abi::kvm_pv_cmd& command) {
  if (id == kNoConfiguration) return true;
  return Note(CallPatiently([&] { return ultravisor_.DestroyConfiguration(id); }), command);
}

// All configurations, then all memory.
bool EmulatedSurvivor::DestroyEverything(abi::kvm_pv_cmd& command) {
  bool ok = DestroyConfiguration(table().active(), command);
  table().ForEach([&](ConfigurationTable::Zombie& zombie) {
    abi::kvm_pv_cmd ignored{};
    ok = DestroyConfiguration(zombie.number, ok ? command : ignored) && ok;
    zombie.stage = Stage::kNone;
  });
  DestroyAllPages();
  table().SetActive(kNoConfiguration);
  return ok;
}

void EmulatedSurvivor::DestroyAllPages() {
  for (HostRegion* const region : regions_) DestroyPages(ultravisor_, *region, 0, region->pages());
}

}  // namespace lethe::emulated
