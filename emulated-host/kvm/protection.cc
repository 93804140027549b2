#include "emulated-host/kvm/protection.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include "absl/strings/str_format.h"
#include "emulated-host/kvm/page_walk.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

using Stage = ConfigurationTable::Stage;

// What a success is called that only set things aside.
constexpr Protection::Codes kSetAsideCodes{UvcResult::kExecuted, 42};

// Old firmware refuses to destroy what is no secure page any more.
bool IsDestroyed(const UvcResult& result) {
  const bool already = result.rc == UvcResult::kPageNotSecure && result.rrc == kAlreadyDestroyed;
  return result.ok() || already;
}

}  // namespace

Protection::Protection(VirtualMachine& machine)
    : machine_(machine), table_(std::make_shared<ConfigurationTable>()) {}

Protection::~Protection() = default;

Ultravisor& Protection::ultravisor() { return machine_.host().ultravisor(); }

int Protection::Answer(const UvcResult& result, int error, Codes& codes) {
  codes = {result.rc, result.rrc};
  return result.ok() ? 0 : error;
}

// --- CPUs ----------------------------------------------------------------------------------------

int Protection::CreateCpu(VirtualCpu& cpu, Codes& codes) {
  const std::lock_guard lock(cpu.mutex());
  Ultravisor::CreatedCpu created;
  CallPatiently([&] {
    created = ultravisor().CreateCpu(configuration_, cpu.cpu());
    return created.result;
  });
  if (const int error = Answer(created.result, -EIO, codes); error != 0) return error;
  cpu.secure() = std::move(created.cpu);
  cpu.ResetSecureState();
  return 0;
}

int Protection::CreateCpus(Codes& codes) {
  for (VirtualCpu* cpu : machine_.cpus()) {
    const int error = CreateCpu(*cpu, codes);
    if (error == 0) continue;
    Codes ignored;
    DestroyCpus(ignored);
    return error;
  }
  return 0;
}

bool Protection::DestroyCpu(VirtualCpu& cpu, Codes& codes) {
  const std::lock_guard lock(cpu.mutex());
  if (!cpu.secure()) return true;
  const UvcResult result = CallPatiently([&] { return ultravisor().DestroyCpu(cpu.secure()); });
  codes = {result.rc, result.rrc};
  if (!result.ok()) {
    leaked_cpus_.push_back(std::move(cpu.secure()));
    cpu.cpu().SetConfiguration(kNoConfiguration);
  }
  cpu.secure().reset();
  cpu.ResetSecureState();
  cpu.cpu().registers().breaking_event_address = 1;
  return result.ok();
}

// All CPUs are tried; the first refusal is the one that is reported.
int Protection::DestroyCpus(Codes& codes) {
  bool ok = true;
  for (VirtualCpu* cpu : machine_.cpus()) {
    Codes answer = codes;
    const bool destroyed = DestroyCpu(*cpu, answer);
    if (ok) codes = answer;
    ok = ok && destroyed;
  }
  return ok ? 0 : -EIO;
}

int Protection::AdoptCpu(VirtualCpu& cpu) {
  if (!active()) return 0;
  Codes codes;
  return CreateCpu(cpu, codes) == 0 ? 0 : -EIO;
}

// --- commands ------------------------------------------------------------------------------------

int Protection::Enable(Codes& codes) {
  if (active()) return -EINVAL;
  Ultravisor::CreatedConfiguration created;
  CallPatiently([&] {
    created = ultravisor().CreateConfiguration(machine_.storage(), machine_.host().memory());
    return created.result;
  });
  const int refusal = Answer(created.result, -EIO, codes);
  if (created.configuration == nullptr) return refusal;
  machine_.host().AddConfiguration();
  Codes ignored;
  if (refusal != 0) {  // half made
    Destroy(created.configuration.get(), ignored);
    return refusal;
  }
  configuration_ = std::move(created.configuration);
  table_->SetActive(configuration_->id());
  machine_.floating().set_protected(true);
  machine_.floating().MaskService(true);
  const int error = CreateCpus(codes);
  if (error == 0) return 0;
  // The service signal stays masked: so does the kernel's.
  Destroy(configuration_.get(), ignored);
  EndProtection();
  return error;
}

int Protection::SetParameters(absl::Span<const std::uint8_t> header, Codes& codes) {
  const auto call = [&] { return ultravisor().SetParameters(*configuration_, header); };
  return Answer(CallPatiently(call), -EINVAL, codes);
}

int Protection::Unpack(std::uint64_t absolute, std::uint64_t size, std::uint64_t tweak,
                       Codes& codes) {
  const auto& fatal_signal = machine_.host().options().fatal_signal_pending;
  for (std::uint64_t offset = 0; offset < size; offset += kPageSize) {
    if (machine_.storage().Find(absolute + offset).bytes == nullptr) return -EFAULT;
    UvcResult result;
    do {
      result = ultravisor().Unpack(*configuration_, absolute + offset, {tweak, offset});
      if (result.cc > 1 && fatal_signal && fatal_signal()) return -EAGAIN;
    } while (result.cc > 1);
    if (const int error = Answer(result, -EINVAL, codes); error != 0) return error;
  }
  return 0;
}

int Protection::Verify(Codes& codes) {
  const auto call = [&] { return ultravisor().Verify(*configuration_); };
  return Answer(CallPatiently(call), -EINVAL, codes);
}

int Protection::PrepareReset(Codes& codes) {
  const auto call = [&] { return ultravisor().PrepareReset(*configuration_); };
  return Answer(CallPatiently(call), -EINVAL, codes);
}

int Protection::UnshareAll(Codes& codes) {
  const auto call = [&] { return ultravisor().UnshareAll(*configuration_); };
  return Answer(CallPatiently(call), -EINVAL, codes);
}

void Protection::EndProtection() {
  table_->SetActive(kNoConfiguration);
  configuration_.reset();
  machine_.floating().set_protected(false);
}

int Protection::Disable(Codes& codes) {
  if (!active()) return -EINVAL;
  if (const int error = DestroyCpus(codes); error != 0) return error;
  const int error = CleanUpAll(codes);
  EndProtection();
  machine_.floating().MaskService(false);
  return error;
}

int Protection::SetAside(Codes& codes) {
  if (!active() || !machine_.host().options().asynchronous_destroy) return -EINVAL;
  // The CPUs go first, whatever comes then: after a failure there is only Disable().
  if (const int error = DestroyCpus(codes); error != 0) return error;
  machine_.floating().MaskService(false);
  if (table_->Find(Stage::kSetAside) != nullptr) return -EINVAL;
  if (machine_.settings().memory_limit <= kLowStorage) return -EINVAL;
  std::shared_ptr<SecureConfiguration> remnant = configuration_;
  if (ultravisor().features().destroy_fast) {
    const auto call = [&] { return ultravisor().DestroyConfigurationFast(*configuration_); };
    if (const int error = Answer(CallPatiently(call), -EIO, codes); error != 0) return error;
    remnant.reset();
  }
  DestroyLowPages(ultravisor(), machine_.slots().Ranges());
  table_->SetAside(std::move(remnant));
  EndProtection();
  codes = kSetAsideCodes;
  return 0;
}

int Protection::CleanUp(Codes& codes) {
  if (!machine_.host().options().asynchronous_destroy) return -EINVAL;
  ConfigurationTable::Zombie* zombie = nullptr;
  {
    const std::lock_guard lock(machine_.lock());
    zombie = table_->Find(Stage::kSetAside);
    if (zombie == nullptr) return -EINVAL;
    zombie->stage = Stage::kInTeardown;  // from here on ours alone
  }
  if (!DestroyAllPages(/*interruptible=*/true)) {
    zombie->stage = Stage::kLeftOver;
    codes = kSetAsideCodes;
    return 0;
  }
  const bool ok = Destroy(zombie->configuration.get(), codes);
  zombie->Forget();
  return ok ? 0 : -EIO;
}

// --- destruction ---------------------------------------------------------------------------------

bool Protection::Destroy(SecureConfiguration* configuration, Codes& codes) {
  if (configuration != nullptr) {
    const auto call = [&] { return ultravisor().DestroyConfiguration(*configuration); };
    // What was given to a configuration that stays is lost, and it keeps counting.
    if (Answer(CallPatiently(call), -EIO, codes) != 0) return false;
  }
  machine_.host().RemoveConfiguration();
  return true;
}

int Protection::CleanUpAll(Codes& codes) {
  // Pages are still being destroyed when the last configuration is gone.
  machine_.host().AddConfiguration();
  bool ok = true;
  if (configuration_) ok = Destroy(configuration_.get(), codes);
  table_->ForEach([&](ConfigurationTable::Zombie& zombie) {
    if (zombie.stage == Stage::kInTeardown) return;  // somebody else's
    Codes answer = codes;
    const bool destroyed = Destroy(zombie.configuration.get(), answer);
    if (!destroyed && ok) codes = answer;
    ok = ok && destroyed;
    zombie.Forget();
  });
  DestroyAllPages(/*interruptible=*/false);
  machine_.host().RemoveConfiguration();
  return ok ? 0 : -EIO;
}

// The whole memory of the process that the emulated machine knows, as it lies in its page tables.
// Pages that a new guest of the same memory owns refuse, and that is ignored.
bool Protection::DestroyAllPages(bool interruptible) {
  const auto& fatal_signal = machine_.host().options().fatal_signal_pending;
  for (HostRegion* region : machine_.host().memory().regions()) {
    if (!DestroyPages(ultravisor(), *region, 0, region->pages(),
                      interruptible ? fatal_signal : nullptr)) {
      return false;
    }
  }
  return true;
}

void Protection::DestroyEverything() {
  if (!machine_.host().offers_protection()) return;
  const std::lock_guard lock(machine_.lock());
  if (table_->empty()) return;
  Codes ignored;
  DestroyCpus(ignored);
  CleanUpAll(ignored);
  EndProtection();
}

// --- faults --------------------------------------------------------------------------------------

int Protection::ResolveFault(VirtualCpu& cpu, std::uint64_t absolute, SecureFault fault) {
  HostRegion* region = nullptr;
  std::size_t page = 0;
  if (!machine_.FindPage(absolute, region, page)) return -EFAULT;
  switch (fault) {
    case SecureFault::kSecureStorageAccess:
      if (!machine_.host().offers_protection()) return -EFAULT;
      if (ultravisor().MakeAccessible(*region, page)) return 0;
      break;
    case SecureFault::kNonSecureStorageAccess:
      if (!cpu.secure()) return -EFAULT;
      return Import(cpu, *region, page, absolute);
    case SecureFault::kSecureStorageViolation:
      if (IsDestroyed(CallPatiently([&] { return ultravisor().DestroyPage(*region, page); }))) {
        return 0;
      }
      if (CallPatiently([&] { return ultravisor().ConvertFromSecure(*region, page); }).ok()) {
        return 0;
      }
      break;
  }
  machine_.host().options().on_refused_import();
  return -EINTR;
}

int Protection::Import(VirtualCpu& cpu, HostRegion& region, std::size_t page,
                       std::uint64_t absolute) {
  // A page that another configuration of this process shared has to change hands by way of the
  // host, unless the Ultravisor does that by itself.
  if (!ultravisor().features().misc && machine_.host().configurations() > 1) {
    CallPatiently([&] { return ultravisor().ConvertFromSecure(region, page); });
  }
  const UvcResult result =
      ultravisor().ConvertToSecure(cpu.secure()->configuration(), absolute & kPageMask);
  if (result.ok() || result.cc > 1) return 0;
  // Somebody else's page after all: the CPU meets the violation when it tries again. If it is
  // shared there is none, and it has to leave by way of the host.
  if (result.rc == UvcResult::kInvalidState && result.rrc == kForeignPage) {
    if (PageState(region.states()[page].load(std::memory_order_relaxed)).shared()) {
      CallPatiently([&] { return ultravisor().ConvertFromSecure(region, page); });
    } else {
      sched_yield();
    }
    return 0;
  }
  machine_.host().log().Warning(
      absl::StrFormat("vCPU %u: import of page %#x refused, rc %#06x rrc %#06x", cpu.address(),
                      absolute, result.rc, result.rrc));
  machine_.host().options().on_refused_import();
  return -EINTR;
}

}  // namespace lethe::emulated
