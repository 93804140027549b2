#include "emulated-host/kvm/protection.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "absl/strings/str_format.h"
#include "emulated-host/kvm/virtual_cpu.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kLowStorage = std::uint64_t{2} << 30;
constexpr std::size_t kBatch = 32;  // pages between two looks for a fatal signal
// What a success is called that only set things aside.
constexpr Protection::Codes kSetAsideCodes{UvcResult::kExecuted, 42};

}  // namespace

Protection::Protection(VirtualMachine& machine) : machine_(machine) {}

Protection::~Protection() = default;

Ultravisor& Protection::ultravisor() { return machine_.host().ultravisor(); }

int Protection::Answer(const UvcResult& result, int error, Codes& codes) {
  codes = {result.rc, result.rrc};
  return result.ok() ? 0 : error;
}

// --- CPUs ----------------------------------------------------------------------------------------

int Protection::CreateCpu(VirtualCpu& cpu, Codes& codes) {
  const std::lock_guard lock(cpu.mutex());
  Ultravisor::CreatedCpu created = ultravisor().CreateCpu(configuration_, cpu.cpu());
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
  const UvcResult result = ultravisor().DestroyCpu(cpu.secure());
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
  if (!active_) return 0;
  Codes codes;
  return CreateCpu(cpu, codes) == 0 ? 0 : -EIO;
}

// --- commands ------------------------------------------------------------------------------------

int Protection::Enable(Codes& codes) {
  if (active_) return -EINVAL;
  Ultravisor::CreatedConfiguration created =
      ultravisor().CreateConfiguration(machine_.storage(), machine_.host().memory());
  if (const int error = Answer(created.result, -EIO, codes); error != 0) return error;
  configuration_ = std::move(created.configuration);
  machine_.host().AddConfiguration();
  active_ = true;
  machine_.floating().set_protected(true);
  machine_.floating().MaskService(true);
  const int error = CreateCpus(codes);
  if (error == 0) return 0;
  // The service signal stays masked: so does the kernel's.
  active_ = false;
  machine_.floating().set_protected(false);
  if (ultravisor().DestroyConfiguration(*configuration_).ok()) {
    machine_.host().RemoveConfiguration();
  }
  configuration_.reset();
  return error;
}

int Protection::SetParameters(absl::Span<const std::uint8_t> header, Codes& codes) {
  return Answer(ultravisor().SetParameters(*configuration_, header), -EINVAL, codes);
}

int Protection::Unpack(std::uint64_t absolute, std::uint64_t size, std::uint64_t tweak,
                       Codes& codes) {
  for (std::uint64_t offset = 0; offset < size; offset += kPageSize) {
    if (machine_.storage().Find(absolute + offset).bytes == nullptr) return -EFAULT;
    UvcResult result;
    do {
      result = ultravisor().Unpack(*configuration_, absolute + offset, {tweak, offset});
    } while (result.cc > 1);
    if (const int error = Answer(result, -EINVAL, codes); error != 0) return error;
  }
  return 0;
}

int Protection::Verify(Codes& codes) {
  return Answer(ultravisor().Verify(*configuration_), -EINVAL, codes);
}

int Protection::PrepareReset(Codes& codes) {
  return Answer(ultravisor().PrepareReset(*configuration_), -EINVAL, codes);
}

int Protection::UnshareAll(Codes& codes) {
  return Answer(ultravisor().UnshareAll(*configuration_), -EINVAL, codes);
}

void Protection::EndProtection() {
  active_ = false;
  configuration_.reset();
  machine_.floating().set_protected(false);
}

int Protection::Disable(Codes& codes) {
  if (!active_) return -EINVAL;
  if (const int error = DestroyCpus(codes); error != 0) return error;
  const int error = CleanUpAll(codes);
  EndProtection();
  machine_.floating().MaskService(false);
  return error;
}

int Protection::SetAside(Codes& codes) {
  if (!active_ || !machine_.host().options().asynchronous_destroy) return -EINVAL;
  // The CPUs go first, whatever comes then: after a failure there is only Disable().
  if (const int error = DestroyCpus(codes); error != 0) return error;
  machine_.floating().MaskService(false);
  if (set_aside_) return -EINVAL;
  if (machine_.settings().memory_limit <= kLowStorage) return -EINVAL;
  Remnant remnant{configuration_};
  if (ultravisor().features().destroy_fast) {
    const UvcResult result = ultravisor().DestroyConfigurationFast(*configuration_);
    if (const int error = Answer(result, -EIO, codes); error != 0) return error;
    remnant.configuration.reset();
  }
  DestroyLowPages();
  set_aside_ = std::move(remnant);
  EndProtection();
  codes = kSetAsideCodes;
  return 0;
}

int Protection::CleanUp(Codes& codes) {
  if (!machine_.host().options().asynchronous_destroy) return -EINVAL;
  Remnant remnant;
  {
    const std::lock_guard lock(machine_.lock());
    if (!set_aside_) return -EINVAL;
    remnant = *std::exchange(set_aside_, std::nullopt);
  }
  if (!DestroyAllPages(/*interruptible=*/true)) {
    const std::lock_guard lock(machine_.lock());
    left_over_.push_back(std::move(remnant));
    codes = kSetAsideCodes;
    return 0;
  }
  return DestroyRemnant(remnant, codes) ? 0 : -EIO;
}

// --- destruction ---------------------------------------------------------------------------------

bool Protection::DestroyRemnant(const Remnant& remnant, Codes& codes) {
  if (remnant.configuration) {
    const UvcResult result = ultravisor().DestroyConfiguration(*remnant.configuration);
    codes = {result.rc, result.rrc};
    // What was given to the configuration is lost, and it keeps counting.
    if (!result.ok()) return false;
  }
  machine_.host().RemoveConfiguration();
  return true;
}

int Protection::CleanUpAll(Codes& codes) {
  // Pages are still being destroyed when the last configuration is gone.
  machine_.host().AddConfiguration();
  bool ok = true;
  if (configuration_) ok = DestroyRemnant({configuration_}, codes);
  if (set_aside_) left_over_.push_back(*std::exchange(set_aside_, std::nullopt));
  for (const Remnant& remnant : std::exchange(left_over_, {})) {
    Codes answer = codes;
    const bool destroyed = DestroyRemnant(remnant, answer);
    if (!destroyed && ok) codes = answer;
    ok = ok && destroyed;
  }
  DestroyAllPages(/*interruptible=*/false);
  machine_.host().RemoveConfiguration();
  return ok ? 0 : -EIO;
}

// The whole memory of the process that the emulated machine knows, as it lies in its page tables.
// Pages that a new guest of the same memory owns refuse, and that is ignored.
bool Protection::DestroyAllPages(bool interruptible) {
  const auto& interrupted = machine_.host().options().fatal_signal_pending;
  std::array<unsigned char, kBatch> present;
  for (HostRegion* region : machine_.host().memory().regions()) {
    for (std::size_t first = 0; first < region->pages(); first += kBatch) {
      if (interruptible && interrupted && interrupted()) return false;
      const std::size_t count = std::min(kBatch, region->pages() - first);
      region->FindPresent(first, count, present.data());
      for (std::size_t i = 0; i < count; ++i) {
        if (present[i] != 0) ultravisor().DestroyPage(*region, first + i);
      }
    }
  }
  return true;
}

// Prefix areas lie there: a new guest must not find old secure pages in them.
void Protection::DestroyLowPages() {
  std::uint64_t expected = 0;
  for (const MemorySlots::Range& range : machine_.slots().Ranges()) {
    if (range.absolute != expected || range.absolute >= kLowStorage) break;
    expected = range.absolute + range.size;
    const std::uint64_t end = std::min(expected, kLowStorage);
    const std::size_t pages = (end - range.absolute) / kPageSize;
    std::array<unsigned char, kBatch> present;
    for (std::size_t first = 0; first < pages; first += kBatch) {
      const std::size_t count = std::min(kBatch, pages - first);
      range.region->FindPresent(range.first_page + first, count, present.data());
      for (std::size_t i = 0; i < count; ++i) {
        if (present[i] != 0) ultravisor().DestroyPage(*range.region, range.first_page + first + i);
      }
    }
  }
}

void Protection::DestroyEverything() {
  if (!machine_.host().offers_protection()) return;
  const std::lock_guard lock(machine_.lock());
  if (!active_ && !set_aside_ && left_over_.empty()) return;
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
      if (ultravisor().DestroyPage(*region, page).ok()) return 0;
      if (ultravisor().ConvertFromSecure(*region, page).ok()) return 0;
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
    ultravisor().ConvertFromSecure(region, page);
  }
  const UvcResult result =
      ultravisor().ConvertToSecure(cpu.secure()->configuration(), absolute & kPageMask);
  if (result.ok() || result.cc > 1) return 0;
  // Somebody else's page after all: the CPU meets the violation when it tries again.
  if (result.rc == UvcResult::kInvalidState && result.rrc == kForeignPage) {
    sched_yield();
    return 0;
  }
  machine_.host().log().Warning(
      absl::StrFormat("vCPU %u: import of page %#x refused, rc %#06x rrc %#06x", cpu.address(),
                      absolute, result.rc, result.rrc));
  machine_.host().options().on_refused_import();
  return -EINTR;
}

}  // namespace lethe::emulated
