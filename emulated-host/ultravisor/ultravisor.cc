#include "emulated-host/ultravisor/ultravisor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "base/big_endian.h"
#include "base/check.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/ultravisor/cipher.h"
#include "emulated-host/ultravisor/secure_configuration.h"
#include "emulated-host/ultravisor/secure_cpu.h"
#include "emulated-host/ultravisor/secure_instructions.h"
#include "image/header.h"
#include "image/unseal.h"

namespace lethe::emulated {
namespace {

using Phase = SecureConfiguration::Phase;

UvcResult WrongState(std::uint16_t reason = 0) {
  return UvcResult::Refused(UvcResult::kInvalidState, reason);
}

UvcResult RefusalOf(HeaderRefusal refusal) {
  switch (refusal) {
    case HeaderRefusal::kLength:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kHeaderLength);
    case HeaderRefusal::kMagic:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kHeaderMagic);
    case HeaderRefusal::kVersion:
      return UvcResult::Refused(UvcResult::kHeaderVersion, 1);
    case HeaderRefusal::kNoKeySlots:
    case HeaderRefusal::kTooManyKeySlots:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kNoKeySlots);
    case HeaderRefusal::kEncryptedSize:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kEncryptedAreaSize);
    case HeaderRefusal::kPlaintextFlags:
      return UvcResult::Refused(UvcResult::kPlaintextFlags, 0x30);
    case HeaderRefusal::kCustomerKey:
      return UvcResult::Refused(UvcResult::kHostKey, kBadCustomerKey);
    case HeaderRefusal::kNoSlotForHost:
      return UvcResult::Refused(UvcResult::kHostKey, kNoKeySlot);
    case HeaderRefusal::kSlotTag:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kSlotTag);
    case HeaderRefusal::kHeaderTag:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kHeaderTag);
    case HeaderRefusal::kSecretFlags:
      return UvcResult::Refused(UvcResult::kSecretFlags, 0);
  }
  return UvcResult::Refused(UvcResult::kHeaderCorrupt);
}

// Does the handle still name a configuration?
UvcResult CheckHandle(const SecureConfiguration& configuration) {
  if (configuration.phase() != Phase::kEnded) return UvcResult::Done();
  return UvcResult::Refused(UvcResult::kInvalidHandle);
}

// Busy for this long, as the machine is.
void Spend(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// Fields of the query block.
inline constexpr std::size_t kQueryLength = 0x120;
inline constexpr std::size_t kShortestQuery = 0xa8;
inline constexpr std::uint64_t kMiscFeature = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kHeaderVersion1 = 1;
inline constexpr std::uint64_t kConfigurationStorage = 4096;
inline constexpr std::uint64_t kVirtualStorage = 4096;
inline constexpr std::uint64_t kVirtualStoragePerMiB = 2 * 4096;

template <typename T>
void Put(absl::Span<std::uint8_t> block, std::size_t offset, T value) {
  StoreBigEndian(block.data() + offset, value);
}

}  // namespace

Ultravisor::Ultravisor(const HostKey& host_key, UltravisorFeatures features)
    : host_key_(host_key),
      features_(features),
      numbers_(new Number[kNumbers]),
      leftover_cipher_(RandomCipher()) {}

Ultravisor::~Ultravisor() = default;

void Ultravisor::SetCost(std::chrono::nanoseconds cost) {
  for (const UvcNumber& row : kUvcNumbers) SetCost(row.call, cost);
}

void Ultravisor::SetCost(Uvc call, std::chrono::nanoseconds cost) {
  costs_[NumberOf(call)].store(cost.count(), std::memory_order_relaxed);
}

UvcResult Ultravisor::Enter(Uvc call) {
  counters_.Count(call);
  const std::int64_t cost = costs_[NumberOf(call)].load(std::memory_order_relaxed);
  if (cost > 0) Spend(std::chrono::nanoseconds(cost));
  return faults_.Take(call).value_or(UvcResult::Done());
}

// --- configurations ------------------------------------------------------------------------------

ConfigurationId Ultravisor::FindFreeNumber() const {
  std::uint32_t used = 0;
  ConfigurationId found = kNoConfiguration;
  for (std::size_t i = 1; i < kNumbers; ++i) {
    // Round robin, from the number given out last: a number rests as long as possible.
    const std::size_t candidate = (last_number_ + i - 1) % (kNumbers - 1) + 1;
    const Number& number = numbers_[candidate];
    if (number.configuration != nullptr) {
      ++used;
    } else if (found == kNoConfiguration && number.pages == 0 && number.cpus == 0) {
      found = static_cast<ConfigurationId>(candidate);
    }
  }
  return used < features_.max_configurations ? found : kNoConfiguration;
}

Ultravisor::CreatedConfiguration Ultravisor::CreateConfiguration(GuestStorage& storage,
                                                                 HostMapping& mapping) {
  const UvcResult entered = Enter(Uvc::kCreateConfiguration);
  const bool half_made = entered.cc == 1 && (entered.rc & UvcResult::kMustDestroy) != 0;
  if (!entered.ok() && !half_made) return {entered, nullptr};
  std::vector<HostRegion*> regions;
  for (const GuestStorage::Slot& slot : storage.slots()) {
    regions.push_back(mapping.FindByBytes(slot.bytes));
    LETHE_CHECK(regions.back() != nullptr);
  }
  std::shared_ptr<SecureConfiguration> configuration;
  bool alone = true;
  {
    const std::lock_guard lock(lock_);
    const ConfigurationId id = FindFreeNumber();
    if (id == kNoConfiguration) return {WrongState(kTooMany), nullptr};
    alone = std::none_of(numbers_.get(), numbers_.get() + kNumbers, [&](const Number& number) {
      return number.configuration != nullptr && &number.configuration->mapping_ == &mapping;
    });
    last_number_ = id;
    configuration = std::make_shared<SecureConfiguration>(id, storage, mapping);
    numbers_[id].configuration = configuration;
  }
  // Whoever comes next is not alone, and has to wait here for this to be done.
  mapping.Conceal(regions, alone);
  return {entered, std::move(configuration)};
}

UvcResult Ultravisor::End(SecureConfiguration& configuration) {
  const ConfigurationId id = configuration.id();
  if (numbers_[id].cpus != 0) return WrongState(kOwnerHasCpus);
  if (configuration.phase_.exchange(Phase::kEnded) == Phase::kEnded) {
    return UvcResult::Refused(UvcResult::kInvalidHandle);
  }
  std::shared_ptr<SecureConfiguration> last;  // goes after the lock
  const std::lock_guard lock(lock_);
  last = std::move(numbers_[id].configuration);
  return UvcResult::Done();
}

// The object stays: to free it is not for a process that came after its owners were killed.
UvcResult Ultravisor::End(ConfigurationId id) {
  if (numbers_[id].cpus != 0) return WrongState(kOwnerHasCpus);
  SecureConfiguration* const configuration = numbers_[id].configuration.get();
  if (configuration != nullptr) configuration->phase_ = Phase::kEnded;
  return UvcResult::Done();
}

UvcResult Ultravisor::DestroyConfiguration(SecureConfiguration& configuration) {
  if (const UvcResult entered = Enter(Uvc::kDestroyConfiguration); !entered.ok()) return entered;
  return End(configuration);
}

UvcResult Ultravisor::DestroyConfiguration(ConfigurationId id) {
  if (const UvcResult entered = Enter(Uvc::kDestroyConfiguration); !entered.ok()) return entered;
  return End(id);
}

UvcResult Ultravisor::EnterDestroyFast() {
  const UvcResult entered = Enter(Uvc::kDestroyConfigurationFast);
  if (!entered.ok()) return entered;
  if (!features_.destroy_fast) return UvcResult::Refused(UvcResult::kInvalidCommand);
  if (features_.devices_bound) return UvcResult::Refused(UvcResult::kDevicesBound);
  return UvcResult::Done();
}

UvcResult Ultravisor::DestroyConfigurationFast(SecureConfiguration& configuration) {
  const UvcResult entered = EnterDestroyFast();
  return entered.ok() ? End(configuration) : entered;
}

UvcResult Ultravisor::DestroyConfigurationFast(ConfigurationId id) {
  const UvcResult entered = EnterDestroyFast();
  return entered.ok() ? End(id) : entered;
}

std::shared_ptr<SecureConfiguration> Ultravisor::FindOwner(ConfigurationId id) const {
  const std::lock_guard lock(lock_);
  return numbers_[id].configuration;
}

std::size_t Ultravisor::configurations() const {
  const std::lock_guard lock(lock_);
  return static_cast<std::size_t>(
      std::count_if(numbers_.get(), numbers_.get() + kNumbers,
                    [](const Number& number) { return number.configuration != nullptr; }));
}

UvcResult Ultravisor::SetParameters(SecureConfiguration& configuration, ByteSpan header) {
  if (const UvcResult entered = Enter(Uvc::kSetParameters); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const std::lock_guard lock(configuration.lock_);
  if (configuration.phase() != Phase::kCreated) return WrongState();
  auto opened = OpenHeader(header, host_key_);
  if (const auto* refusal = std::get_if<HeaderRefusal>(&opened)) return RefusalOf(*refusal);
  OpenedHeader& secrets = std::get<OpenedHeader>(opened);
  configuration.component_cipher_ = std::make_unique<AesXts>(secrets.secrets.component_key);
  configuration.header_ = secrets;
  Cleanse(
      absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&secrets.secrets), sizeof(secrets.secrets)));
  configuration.Advance(Phase::kParametersSet);
  return UvcResult::Done();
}

// The page's content is hashed as the host stored it and decrypted; address and tweak are hashed.
UvcResult Ultravisor::Unpack(SecureConfiguration& configuration, std::uint64_t absolute,
                             std::array<std::uint64_t, 2> raw_tweak) {
  if (const UvcResult entered = Enter(Uvc::kUnpack); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const auto place = configuration.Find(absolute);
  if (place.view == nullptr || absolute % kPageSize != 0) {
    return UvcResult::Refused(UvcResult::kInvalidAddress);
  }
  const std::lock_guard lock(configuration.lock_);
  if (configuration.phase() != Phase::kParametersSet) return WrongState();
  HostRegion& region = place.region();
  PageState state = region.Lock(place.page);
  if (state.kind() != PageKind::kNonSecure) {
    region.Release(place.page, state);
    return WrongState(kForeignPage);
  }
  Hide(region, place.page, state);
  region.PurgeCode(place.page);
  std::array<std::uint8_t, kPageSize> content;
  std::memcpy(content.data(), region.bytes(place.page), kPageSize);
  const PageTweak tweak{raw_tweak[0], raw_tweak[1]};
  const Be64 address(absolute);
  configuration.page_digest_.Update(content);
  configuration.address_digest_.Update(AsBytes(address));
  configuration.tweak_digest_.Update(AsBytes(tweak));
  ++configuration.unpacked_;
  const bool decrypted =
      !configuration.header_->encrypted() ||
      configuration.component_cipher_->Decrypt(tweak, content, absl::MakeSpan(content));
  if (decrypted) {
    region.Foretell(place.page, PageState(PageKind::kSecure, configuration.id(), state.exposed()));
    std::memcpy(region.bytes(place.page), content.data(), kPageSize);
    place.view->records->owned.Set(place.page);
    place.view->records->shared_outside.Clear(place.page);
    SetOwner(state, PageKind::kSecure, configuration.id());
  }
  Cleanse(absl::MakeSpan(content));
  region.Release(place.page, state);
  return decrypted ? UvcResult::Done() : UvcResult::Refused(UvcResult::kHeaderCorrupt);
}

UvcResult Ultravisor::Verify(SecureConfiguration& configuration) {
  if (const UvcResult entered = Enter(Uvc::kVerify); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const std::lock_guard lock(configuration.lock_);
  if (configuration.phase() != Phase::kParametersSet) return WrongState();
  const OpenedHeader& header = *configuration.header_;
  const auto mismatch = [](std::uint16_t reason) {
    return UvcResult::Refused(UvcResult::kMismatch, reason);
  };
  if (configuration.unpacked_ != header.pages) return mismatch(kPageCount);
  if (configuration.address_digest_.Value() != header.address_digest) {
    return mismatch(kAddressDigest);
  }
  if (configuration.page_digest_.Value() != header.page_digest) return mismatch(kPageDigest);
  if (configuration.tweak_digest_.Value() != header.tweak_digest) return mismatch(kTweakDigest);
  configuration.Advance(Phase::kVerified);
  return UvcResult::Done();
}

// All shared pages are the guest's alone again.
UvcResult Ultravisor::UnshareAll(SecureConfiguration& configuration) {
  if (const UvcResult entered = Enter(Uvc::kUnshareAll); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  if (!configuration.shares_.exchange(false)) return UvcResult::Done();
  for (const auto& view : configuration.views_) {
    for (std::size_t i = 0; i < view.size / kPageSize; ++i) {
      const std::size_t page = view.first_page + i;
      const PageState seen(view.region->states()[page].load(std::memory_order_relaxed));
      PageMarks& outside = view.records->shared_outside;
      if (!seen.locked() && !seen.shared() && !outside.Has(page)) continue;
      PageState state = view.region->Lock(page);
      const bool returns = outside.Has(page) && state.kind() == PageKind::kNonSecure;
      outside.Clear(page);
      if (returns || (state.shared() && state.owner() == configuration.id())) {
        Hide(*view.region, page, state);
        SetOwner(state, PageKind::kSecure, configuration.id());
      }
      view.region->Release(page, state);
    }
  }
  return UvcResult::Done();
}

UvcResult Ultravisor::PrepareReset(SecureConfiguration& configuration) {
  if (const UvcResult entered = Enter(Uvc::kPrepareReset); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const std::lock_guard lock(configuration.lock_);
  if (configuration.phase() != Phase::kVerified || configuration.shares_) return WrongState();
  for (const SecureCpu* cpu : configuration.cpus_) {
    if (cpu->run_state_ == SecureCpu::RunState::kOperating) return WrongState();
  }
  for (SecureCpu* cpu : configuration.cpus_) cpu->reset_due_ = true;
  configuration.start_from_zero_ = true;
  configuration.service_block_ = 0;
  return UvcResult::Done();
}

// --- CPUs ----------------------------------------------------------------------------------------

Ultravisor::CreatedCpu Ultravisor::CreateCpu(
    const std::shared_ptr<SecureConfiguration>& configuration, Cpu& cpu) {
  if (const UvcResult entered = Enter(Uvc::kCreateCpu); !entered.ok()) return {entered, nullptr};
  const std::lock_guard lock(configuration->lock_);
  if (const UvcResult known = CheckHandle(*configuration); !known.ok()) return {known, nullptr};
  auto& cpus = configuration->cpus_;
  const bool taken = std::any_of(cpus.begin(), cpus.end(), [&](const SecureCpu* other) {
    return other->address() == cpu.address();
  });
  if (taken || cpu.address() > features_.max_cpu_id) return {WrongState(kTooMany), nullptr};
  std::unique_ptr<SecureCpu> secure(new SecureCpu(*this, configuration, cpu));
  cpus.push_back(secure.get());
  ++numbers_[configuration->id()].cpus;
  return {UvcResult::Done(), std::move(secure)};
}

UvcResult Ultravisor::DestroyCpu(std::unique_ptr<SecureCpu>& cpu) {
  if (const UvcResult entered = Enter(Uvc::kDestroyCpu); !entered.ok()) return entered;
  if (features_.cpus_stick) return WrongState();
  SecureConfiguration& configuration = cpu->configuration();
  {
    const std::lock_guard lock(configuration.lock_);
    std::erase(configuration.cpus_, cpu.get());
  }
  cpu->GiveBack();
  --numbers_[configuration.id()].cpus;
  cpu.reset();
  return UvcResult::Done();
}

UvcResult Ultravisor::DestroyCpu(ConfigurationId id) {
  if (const UvcResult entered = Enter(Uvc::kDestroyCpu); !entered.ok()) return entered;
  if (features_.cpus_stick || numbers_[id].cpus == 0) return WrongState();
  --numbers_[id].cpus;
  return UvcResult::Done();
}

UvcResult Ultravisor::Reset(SecureCpu& cpu, Uvc call) {
  if (const UvcResult entered = Enter(call); !entered.ok()) return entered;
  cpu.Forget();
  switch (call) {
    case Uvc::kCpuReset:
      cpu.cpu().Reset();
      break;
    case Uvc::kCpuInitialReset:
      cpu.cpu().InitialReset();
      break;
    default:
      cpu.cpu().ClearReset();
  }
  cpu.reset_due_ = false;
  return UvcResult::Done();
}

UvcResult Ultravisor::CpuReset(SecureCpu& cpu) { return Reset(cpu, Uvc::kCpuReset); }
UvcResult Ultravisor::CpuInitialReset(SecureCpu& cpu) { return Reset(cpu, Uvc::kCpuInitialReset); }
UvcResult Ultravisor::CpuClearReset(SecureCpu& cpu) { return Reset(cpu, Uvc::kCpuClearReset); }

// The first start takes the PSW from the header, a start after a reset the short one at absolute 0.
UvcResult Ultravisor::LoadPsw(SecureCpu& cpu) {
  SecureConfiguration& configuration = cpu.configuration();
  if (!configuration.start_from_zero_) {
    const EncryptedArea& secrets = configuration.header_->secrets;
    cpu.Load({secrets.psw_mask, secrets.psw_address});
    return UvcResult::Done();
  }
  const auto place = configuration.Find(0);
  if (place.view == nullptr) return UvcResult::Refused(UvcResult::kInvalidAddress);
  HostRegion& region = place.region();
  PageState state = region.Lock(place.page);
  UvcResult owned = UvcResult::Done();
  if (!PageState(state).Admits(configuration.id())) {
    owned = Own(configuration, region, place.page, state);
  }
  std::uint64_t psw = 0;
  if (owned.ok()) psw = LoadBigEndian<std::uint64_t>(region.bytes(place.page));
  region.Release(place.page, state);
  if (!owned.ok()) return owned;
  constexpr std::uint64_t kAddressMask = 0x7fffffff;
  cpu.Load({(psw & ~kAddressMask) ^ Psw::kShort, psw & kAddressMask});
  return UvcResult::Done();
}

UvcResult Ultravisor::SetCpuState(SecureCpu& cpu, std::uint8_t state) {
  if (const UvcResult entered = Enter(Uvc::kSetCpuState); !entered.ok()) return entered;
  using RunState = SecureCpu::RunState;
  constexpr std::uint8_t kOperating = 1, kStopped = 2, kCheckStop = 3, kOperatingLoad = 5;
  if (state != kStopped && cpu.configuration().phase() != Phase::kVerified) return WrongState();
  switch (state) {
    case kOperating:
      cpu.run_state_ = RunState::kOperating;
      return UvcResult::Done();
    case kStopped:
      cpu.run_state_ = RunState::kStopped;
      if (cpu.store_status_.exchange(false)) cpu.cpu().StoreStatus(kStatusArea);
      return UvcResult::Done();
    case kCheckStop:
      cpu.run_state_ = RunState::kCheckStopped;
      return UvcResult::Done();
    case kOperatingLoad: {
      const UvcResult loaded = LoadPsw(cpu);
      if (loaded.ok()) cpu.run_state_ = RunState::kOperating;
      return loaded;
    }
    default:
      return WrongState();
  }
}

// --- pages ---------------------------------------------------------------------------------------

void Ultravisor::SetOwner(PageState& state, PageKind kind, ConfigurationId owner) {
  if (state.owner() != owner) {
    if (state.owner() != kNoConfiguration) {
      numbers_[state.owner()].pages.fetch_sub(1, std::memory_order_relaxed);
    }
    if (owner != kNoConfiguration) {
      numbers_[owner].pages.fetch_add(1, std::memory_order_relaxed);
    }
  }
  state = PageState(kind, owner, state.exposed());
}

void Ultravisor::Hide(const HostRegion& region, std::size_t page, PageState& state) {
  if (!state.exposed()) return;
  HostMapping::Drop(region, page);
  state = PageState(state.kind(), state.owner(), false);
}

// Makes a locked page that does not admit the configuration its own. A shared page of another one
// changes hands, if this machine can do that: then that one's CPUs must forget it.
UvcResult Ultravisor::Own(SecureConfiguration& configuration, HostRegion& region, std::size_t page,
                          PageState& state) {
  const ConfigurationId id = configuration.id();
  const bool foreign = state.kind() != PageKind::kNonSecure && state.owner() != id;
  if (foreign && (state.kind() == PageKind::kSecure || !features_.misc)) {
    return WrongState(kForeignPage);
  }
  PageMarks& outside = configuration.RecordsOf(region, page).shared_outside;
  const PageKind kind = outside.Has(page) ? PageKind::kShared : PageKind::kSecure;
  if (foreign) region.Purge(page);
  if (kind == PageKind::kSecure) {
    Hide(region, page, state);
    region.PurgeCode(page);
    region.Foretell(page, PageState(kind, id, state.exposed()));
    if (!configuration.Open(region, page)) return WrongState(kPageIntegrity);
  }
  outside.Clear(page);
  SetOwner(state, kind, id);
  if (kind == PageKind::kShared) Show(configuration, region, page, state);
  return UvcResult::Done();
}

// Where system calls that name a page cannot be caught, they find shared pages mapped.
void Ultravisor::Show(SecureConfiguration& configuration, HostRegion& region, std::size_t page,
                      PageState& state) {
  if (configuration.mapping_.concealment() != Concealment::kUserMode) return;
  configuration.mapping_.Expose(region, page);
  state = PageState(state.kind(), state.owner(), true);
}

UvcResult Ultravisor::ConvertToSecure(SecureConfiguration& configuration, std::uint64_t absolute) {
  if (const UvcResult entered = Enter(Uvc::kConvertToSecure); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const auto place = configuration.Find(absolute);
  if (place.view == nullptr) return UvcResult::Refused(UvcResult::kPageNotPresent);
  HostRegion& region = place.region();
  PageState state = region.Lock(place.page);
  UvcResult result = UvcResult::Done();
  if (!state.Admits(configuration.id())) result = Own(configuration, region, place.page, state);
  region.Release(place.page, state);
  return result;
}

UvcResult Ultravisor::ConvertFromSecure(HostRegion& region, std::size_t page) {
  if (const UvcResult entered = Enter(Uvc::kConvertFromSecure); !entered.ok()) return entered;
  PageState state = region.Lock(page);
  if (state.kind() == PageKind::kNonSecure) {
    region.Release(page, state);
    return UvcResult::Done();
  }
  region.Purge(page);
  const std::shared_ptr<SecureConfiguration> owner = FindOwner(state.owner());
  if (state.shared()) {  // no secret
    if (owner != nullptr) owner->RecordsOf(region, page).shared_outside.Set(page);
  } else if (owner != nullptr) {
    owner->Seal(region, page);
  } else {
    GcmIv iv{};
    StoreBigEndian(iv.data() + 4, ++leftover_exports_);
    const auto bytes = absl::MakeSpan(region.bytes(page), kPageSize);
    leftover_cipher_->Encrypt(iv, {}, bytes, bytes);
  }
  SetOwner(state, PageKind::kNonSecure, kNoConfiguration);
  region.Release(page, state);
  return UvcResult::Done();
}

UvcResult Ultravisor::DestroyPage(HostRegion& region, std::size_t page) {
  if (const UvcResult entered = Enter(Uvc::kDestroyPage); !entered.ok()) return entered;
  PageState state = region.Lock(page);
  if (state.owner() == kNoConfiguration) {
    region.Release(page, state);
    if (!features_.old_firmware) return UvcResult::Done();
    return UvcResult::Refused(UvcResult::kPageNotSecure, kAlreadyDestroyed);
  }
  if (numbers_[state.owner()].cpus != 0) {
    region.Release(page, state);
    return WrongState(kOwnerHasCpus);
  }
  // What was shared is no secret and stays.
  if (state.kind() == PageKind::kSecure) {
    region.PurgeCode(page);
    std::memset(region.bytes(page), 0, kPageSize);
  }
  SetOwner(state, PageKind::kNonSecure, kNoConfiguration);
  region.Release(page, state);
  return UvcResult::Done();
}

UvcResult Ultravisor::PinShared(HostRegion& region, std::size_t page) {
  if (const UvcResult entered = Enter(Uvc::kPinShared); !entered.ok()) return entered;
  PageState state = region.Lock(page);
  const bool shared = state.shared();
  if (shared) SetOwner(state, PageKind::kPinnedShared, state.owner());
  region.Release(page, state);
  return shared ? UvcResult::Done() : WrongState();
}

UvcResult Ultravisor::UnpinShared(SecureConfiguration& configuration, std::uint64_t absolute) {
  if (const UvcResult entered = Enter(Uvc::kUnpinShared); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const auto place = configuration.Find(absolute);
  if (place.view == nullptr) return UvcResult::Refused(UvcResult::kInvalidAddress);
  PageState state = place.region().Lock(place.page);
  const bool pinned =
      state.kind() == PageKind::kPinnedShared && state.owner() == configuration.id();
  if (pinned) SetOwner(state, PageKind::kShared, state.owner());
  place.region().Release(place.page, state);
  return pinned ? UvcResult::Done() : WrongState();
}

bool Ultravisor::MakeAccessible(HostRegion& region, std::size_t page) {
  const PageState state(region.states()[page].load(std::memory_order_acquire));
  if (!state.locked() && state.kind() != PageKind::kSecure) return true;
  const auto insist = [](auto call) {
    UvcResult result = call();
    while (result.cc > 1) result = call();
    return result.ok();
  };
  return insist([&] { return PinShared(region, page); }) ||
         insist([&] { return ConvertFromSecure(region, page); });
}

UvcResult Ultravisor::Share(SecureConfiguration& configuration, std::uint64_t absolute) {
  if (const UvcResult entered = Enter(Uvc::kShare); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const auto place = configuration.Find(absolute);
  if (place.view == nullptr || absolute % kPageSize != 0) {
    return UvcResult::Refused(UvcResult::kInvalidAddress);
  }
  HostRegion& region = place.region();
  configuration.shares_ = true;
  PageState state = region.Lock(place.page);
  UvcResult result = UvcResult::Done();
  if (!state.Admits(configuration.id())) result = Own(configuration, region, place.page, state);
  if (result.ok() && state.kind() == PageKind::kSecure) {
    SetOwner(state, PageKind::kShared, configuration.id());
    Show(configuration, region, place.page, state);
  }
  region.Release(place.page, state);
  return result;
}

UvcResult Ultravisor::Unshare(SecureConfiguration& configuration, std::uint64_t absolute) {
  if (const UvcResult entered = Enter(Uvc::kUnshare); !entered.ok()) return entered;
  if (const UvcResult known = CheckHandle(configuration); !known.ok()) return known;
  const auto place = configuration.Find(absolute);
  if (place.view == nullptr || absolute % kPageSize != 0) {
    return UvcResult::Refused(UvcResult::kInvalidAddress);
  }
  HostRegion& region = place.region();
  PageState state = region.Lock(place.page);
  UvcResult result = UvcResult::Done();
  if (state.owner() == configuration.id()) {
    if (state.kind() == PageKind::kPinnedShared) {
      result = UvcResult::Busy();
    } else if (state.kind() == PageKind::kShared) {
      Hide(region, place.page, state);
      SetOwner(state, PageKind::kSecure, configuration.id());
    }
  }
  region.Release(place.page, state);
  return result;
}

// --- information ---------------------------------------------------------------------------------

std::array<std::uint64_t, 4> Ultravisor::installed_calls() const {
  std::uint64_t calls = 0;
  for (const UvcNumber& row : kUvcNumbers) {
    const bool of_guests = row.call == Uvc::kShare || row.call == Uvc::kUnshare;
    const bool switched_off = row.call == Uvc::kDestroyConfigurationFast && !features_.destroy_fast;
    if (!of_guests && !switched_off) calls |= std::uint64_t{1} << (63 - row.number);
  }
  return {calls, 0, 0, 0};
}

std::uint64_t Ultravisor::feature_words() const { return features_.misc ? kMiscFeature : 0; }

UvcResult Ultravisor::QueryInto(absl::Span<std::uint8_t> target, bool guest) {
  if (target.size() < kShortestQuery) return UvcResult::Refused(UvcResult::kInvalidLength);
  std::array<std::uint8_t, kQueryLength> bytes{};
  const auto block = absl::MakeSpan(bytes);
  if (guest) {
    std::uint64_t calls = 0;
    for (const Uvc call : {Uvc::kQuery, Uvc::kShare, Uvc::kUnshare}) {
      calls |= std::uint64_t{1} << (63 - NumberOf(call));
    }
    Put(block, 0x10, calls);
  } else {
    const std::array<std::uint64_t, 4> calls = installed_calls();
    for (std::size_t i = 0; i < calls.size(); ++i) Put(block, 0x10 + 8 * i, calls[i]);
    Put(block, 0x50, kConfigurationStorage);
    Put(block, 0x58, kVirtualStorage);
    Put(block, 0x60, kVirtualStoragePerMiB);
    Put(block, 0x68, kCpuStorage);
    Put(block, 0x7c, features_.max_configurations);
    Put(block, 0x80, kHighestAddress);
    Put(block, 0x9e, features_.max_cpu_id);
    Put(block, 0xa0, feature_words());
    Put(block, 0xb0, kHeaderVersion1);
    Put(block, 0xb8, kSupportedPlaintextFlags);
  }
  constexpr std::size_t kHeader = 8;
  const std::size_t length = std::min<std::size_t>(target.size(), kQueryLength);
  std::copy(block.begin() + kHeader, block.begin() + length, target.begin() + kHeader);
  if (length < kQueryLength) return UvcResult::Refused(UvcResult::kMoreData);
  return UvcResult::Done();
}

UvcResult Ultravisor::Query(absl::Span<std::uint8_t> block) {
  if (const UvcResult entered = Enter(Uvc::kQuery); !entered.ok()) return entered;
  return QueryInto(block, false);
}

UvcResult Ultravisor::QueryAsGuest(absl::Span<std::uint8_t> block) {
  if (const UvcResult entered = Enter(Uvc::kQuery); !entered.ok()) return entered;
  return QueryInto(block, true);
}

void Ultravisor::BreakLocks(absl::Span<HostRegion* const> regions) {
  lock_.Break();
  faults_.BreakLock();
  for (std::size_t i = 0; i < kNumbers; ++i) {
    if (numbers_[i].configuration != nullptr) numbers_[i].configuration->lock_.Break();
  }
  for (HostRegion* const region : regions) {
    region->ForgetViews();
    for (std::size_t page = 0; page < region->pages(); ++page) {
      if ((region->states()[page].load(std::memory_order_relaxed) & PageState::kLocked) != 0) {
        region->states()[page].fetch_and(~PageState::kLocked);
      }
    }
  }
}

}  // namespace lethe::emulated
