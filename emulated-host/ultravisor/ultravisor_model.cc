#include "emulated-host/ultravisor/ultravisor_model.h"

#include <algorithm>

#include "base/check.h"

namespace lethe::emulated {
namespace {

constexpr UvcResult kDone = UvcResult::Done();
constexpr UvcResult kEndedHandle = UvcResult::Refused(UvcResult::kInvalidHandle);
constexpr UvcResult kNoStorage = UvcResult::Refused(UvcResult::kInvalidAddress);

UvcResult WrongState(std::uint16_t reason = 0) {
  return UvcResult::Refused(UvcResult::kInvalidState, reason);
}

bool IsShared(const UltravisorModel::Page& page) {
  return page.kind == PageKind::kShared || page.kind == PageKind::kPinnedShared;
}

}  // namespace

UltravisorModel::UltravisorModel(bool misc, bool fast) : misc_(misc), fast_(fast) {
  Make({Content::Kind::kFill, 0, 0});
}

UltravisorModel::ContentNumber UltravisorModel::Make(Content content) {
  contents_.push_back(content);
  return static_cast<ContentNumber>(contents_.size() - 1);
}

std::optional<UvcResult> UltravisorModel::Fault(Uvc call) {
  std::vector<UvcResult>& waiting = faults_[call];
  if (waiting.empty()) return std::nullopt;
  const UvcResult result = waiting.front();
  waiting.erase(waiting.begin());
  return result;
}

bool UltravisorModel::Owns(std::size_t guest, const Page& page) const {
  return page.kind != PageKind::kNonSecure && page.owner == guests_[guest].life;
}

bool UltravisorModel::Admits(std::size_t guest, std::size_t page) const {
  return Owns(guest, pages_[guest / 2][page]);
}

bool UltravisorModel::HasCpus(const Guest& guest) const {
  return std::any_of(guest.cpus.begin(), guest.cpus.end(),
                     [](const Cpu& cpu) { return cpu.state != CpuState::kAbsent; });
}

std::optional<std::size_t> UltravisorModel::FindLife(std::size_t life) const {
  for (std::size_t guest = 0; guest < kGuests; ++guest) {
    const Guest& candidate = guests_[guest];
    const bool alive = candidate.phase != Phase::kNone && candidate.phase != Phase::kEnded;
    if (alive && candidate.life == life) return guest;
  }
  return std::nullopt;
}

std::size_t UltravisorModel::configurations() const {
  return static_cast<std::size_t>(
      std::count_if(guests_.begin(), guests_.end(), [](const Guest& guest) {
        return guest.phase != Phase::kNone && guest.phase != Phase::kEnded;
      }));
}

// --- the host's and the guests' own doing --------------------------------------------------------

void UltravisorModel::Fill(std::size_t machine, std::size_t page, std::uint64_t value) {
  pages_[machine][page].content = Make({Content::Kind::kFill, value, 0});
}

void UltravisorModel::PlaceImage(std::size_t machine, std::size_t page, std::size_t image_page) {
  pages_[machine][page].content = Make({Content::Kind::kImage, image_page, 0});
}

void UltravisorModel::Disturb(std::size_t machine, std::size_t page) {
  pages_[machine][page].content = Make({Content::Kind::kNoise, 0, 0});
}

void UltravisorModel::Copy(std::size_t machine, std::size_t page, ContentNumber content) {
  pages_[machine][page].content = content;
}

// --- configurations ------------------------------------------------------------------------------

UvcResult UltravisorModel::Create(std::size_t guest) {
  const std::optional<UvcResult> fault = Fault(Uvc::kCreateConfiguration);
  if (fault && (fault->rc & UvcResult::kMustDestroy) == 0) return *fault;
  if (configurations() >= kLimit) return WrongState(kTooMany);
  guests_[guest] = {};
  guests_[guest].phase = Phase::kCreated;
  guests_[guest].life = ++lives_;
  return fault.value_or(kDone);
}

UvcResult UltravisorModel::Destroy(std::size_t guest, bool fast) {
  const Uvc call = fast ? Uvc::kDestroyConfigurationFast : Uvc::kDestroyConfiguration;
  if (const auto fault = Fault(call)) return *fault;
  if (fast && !fast_) return UvcResult::Refused(UvcResult::kInvalidCommand);
  Guest& one = guests_[guest];
  if (HasCpus(one)) return WrongState(kOwnerHasCpus);
  if (one.phase == Phase::kEnded) return kEndedHandle;
  one.phase = Phase::kEnded;
  return kDone;
}

UvcResult UltravisorModel::SetParameters(std::size_t guest, Header header) {
  if (const auto fault = Fault(Uvc::kSetParameters)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  if (one.phase != Phase::kCreated) return WrongState();
  switch (header) {
    case Header::kWrongTag:
      return UvcResult::Refused(UvcResult::kHeaderCorrupt, kHeaderTag);
    case Header::kWrongHost:
      return UvcResult::Refused(UvcResult::kHostKey, kNoKeySlot);
    case Header::kWrongVersion:
      return UvcResult::Refused(UvcResult::kHeaderVersion, 1);
    case Header::kGood:
      one.phase = Phase::kParametersSet;
      return kDone;
  }
  LETHE_CHECK(false);
  return kDone;
}

UvcResult UltravisorModel::Unpack(std::size_t guest, std::size_t number, std::size_t tweak) {
  if (const auto fault = Fault(Uvc::kUnpack)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  if (number >= kPages) return kNoStorage;
  if (one.phase != Phase::kParametersSet) return WrongState();
  Page& page = PageOf(guest, number);
  if (page.kind != PageKind::kNonSecure) return WrongState(kForeignPage);
  one.unpacked.push_back({number, tweak, page.content});
  const Content stored = contents_[page.content];
  const bool opens = stored.kind == Content::Kind::kImage && stored.value == tweak;
  page.content = opens ? Make({Content::Kind::kFill, ImageFill(tweak), 0})
                       : Make({Content::Kind::kNoise, 0, 0});
  page.kind = PageKind::kSecure;
  page.owner = one.life;
  one.memory[number].had = true;
  one.memory[number].shared_outside = false;
  return kDone;
}

// The image is page n of it at address n + 1, in this order.
UvcResult UltravisorModel::Verify(std::size_t guest) {
  if (const auto fault = Fault(Uvc::kVerify)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  if (one.phase != Phase::kParametersSet) return WrongState();
  bool places = true, contents = true, tweaks = true;
  for (std::size_t n = 0; n < one.unpacked.size(); ++n) {
    const Content& content = contents_[one.unpacked[n].content];
    places = places && one.unpacked[n].page == n + 1;
    contents = contents && content.kind == Content::Kind::kImage && content.value == n;
    tweaks = tweaks && one.unpacked[n].tweak == n;
  }
  const auto mismatch = [](std::uint16_t reason) {
    return UvcResult::Refused(UvcResult::kMismatch, reason);
  };
  if (one.unpacked.size() != kImagePages) return mismatch(kPageCount);
  if (!places) return mismatch(kAddressDigest);
  if (!contents) return mismatch(kPageDigest);
  if (!tweaks) return mismatch(kTweakDigest);
  one.phase = Phase::kVerified;
  return kDone;
}

UvcResult UltravisorModel::PrepareReset(std::size_t guest) {
  if (const auto fault = Fault(Uvc::kPrepareReset)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  const bool runs = std::any_of(one.cpus.begin(), one.cpus.end(),
                                [](const Cpu& cpu) { return cpu.state == CpuState::kOperating; });
  if (one.phase != Phase::kVerified || one.shares || runs) return WrongState();
  for (Cpu& cpu : one.cpus) cpu.reset_due = true;
  one.starts_from_zero = true;
  return kDone;
}

UvcResult UltravisorModel::UnshareAll(std::size_t guest) {
  if (const auto fault = Fault(Uvc::kUnshareAll)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  one.shares = false;
  for (std::size_t number = 0; number < kPages; ++number) {
    Page& page = PageOf(guest, number);
    Memory& memory = one.memory[number];
    const bool returns = memory.shared_outside && page.kind == PageKind::kNonSecure;
    memory.shared_outside = false;
    if (!returns && !(IsShared(page) && Owns(guest, page))) continue;
    page.kind = PageKind::kSecure;
    page.owner = one.life;
  }
  return kDone;
}

// --- CPUs ----------------------------------------------------------------------------------------

UvcResult UltravisorModel::CreateCpu(std::size_t guest, std::size_t cpu) {
  if (const auto fault = Fault(Uvc::kCreateCpu)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  if (cpu >= kCpus) return WrongState(kTooMany);
  one.cpus[cpu] = {CpuState::kStopped, false};
  return kDone;
}

UvcResult UltravisorModel::DestroyCpu(std::size_t guest, std::size_t cpu) {
  if (const auto fault = Fault(Uvc::kDestroyCpu)) return *fault;
  guests_[guest].cpus[cpu] = {};
  return kDone;
}

UvcResult UltravisorModel::ResetCpu(std::size_t guest, std::size_t cpu, Uvc call) {
  if (const auto fault = Fault(call)) return *fault;
  guests_[guest].cpus[cpu].reset_due = false;
  return kDone;
}

UvcResult UltravisorModel::SetCpuState(std::size_t guest, std::size_t cpu, std::uint8_t state) {
  if (const auto fault = Fault(Uvc::kSetCpuState)) return *fault;
  Guest& one = guests_[guest];
  constexpr std::uint8_t kOperate = 1, kStop = 2, kCheckStop = 3, kLoad = 5;
  if (state != kStop && one.phase != Phase::kVerified) return WrongState();
  switch (state) {
    case kStop:
      one.cpus[cpu].state = CpuState::kStopped;
      return kDone;
    case kCheckStop:
      one.cpus[cpu].state = CpuState::kCheckStopped;
      return kDone;
    case kLoad: {
      // After a reset the PSW comes from page 0, which therefore must be the guest's.
      const bool fetches = one.starts_from_zero && !Admits(guest, 0);
      const UvcResult taken = fetches ? Take(guest, 0) : kDone;
      if (taken.ok()) one.cpus[cpu].state = CpuState::kOperating;
      return taken;
    }
    case kOperate:
      one.cpus[cpu].state = CpuState::kOperating;
      return kDone;
    default:
      return WrongState();
  }
}

// --- pages ---------------------------------------------------------------------------------------

// A page that the guest may not use becomes its own, with the right content or not at all.
UvcResult UltravisorModel::Take(std::size_t guest, std::size_t number) {
  Page& page = PageOf(guest, number);
  Guest& one = guests_[guest];
  Memory& memory = one.memory[number];
  if (page.kind == PageKind::kSecure) return WrongState(kForeignPage);
  if (IsShared(page) && !misc_) return WrongState(kForeignPage);
  PageKind kind = PageKind::kSecure;
  if (memory.shared_outside) {
    kind = PageKind::kShared;
  } else if (memory.exported) {
    if (page.content != *memory.exported) return WrongState(kPageIntegrity);
    page.content = contents_[page.content].plain;
  } else if (memory.had) {
    return WrongState(kPageIntegrity);
  } else {
    page.content = kZeros;
  }
  memory = {.had = true, .exported = std::nullopt, .shared_outside = false};
  page.kind = kind;
  page.owner = one.life;
  return kDone;
}

UvcResult UltravisorModel::Import(std::size_t guest, std::size_t number) {
  if (const auto fault = Fault(Uvc::kConvertToSecure)) return *fault;
  if (guests_[guest].phase == Phase::kEnded) return kEndedHandle;
  if (number >= kPages) return UvcResult::Refused(UvcResult::kPageNotPresent);
  return Admits(guest, number) ? kDone : Take(guest, number);
}

UvcResult UltravisorModel::Export(std::size_t machine, std::size_t number) {
  if (const auto fault = Fault(Uvc::kConvertFromSecure)) return *fault;
  Page& page = pages_[machine][number];
  if (page.kind == PageKind::kNonSecure) return kDone;
  const std::optional<std::size_t> owner = FindLife(*page.owner);
  if (IsShared(page)) {
    if (owner) guests_[*owner].memory[number].shared_outside = true;
  } else {
    page.content = Make({Content::Kind::kCipher, 0, page.content});
    if (owner) guests_[*owner].memory[number].exported = page.content;
  }
  page.kind = PageKind::kNonSecure;
  page.owner.reset();
  return kDone;
}

UvcResult UltravisorModel::DestroyPage(std::size_t machine, std::size_t number) {
  if (const auto fault = Fault(Uvc::kDestroyPage)) return *fault;
  Page& page = pages_[machine][number];
  if (page.kind == PageKind::kNonSecure) return kDone;
  const std::optional<std::size_t> owner = FindLife(*page.owner);
  if (owner && HasCpus(guests_[*owner])) return WrongState(kOwnerHasCpus);
  if (page.kind == PageKind::kSecure) page.content = kZeros;
  page.kind = PageKind::kNonSecure;
  page.owner.reset();
  return kDone;
}

UvcResult UltravisorModel::Pin(std::size_t machine, std::size_t number) {
  if (const auto fault = Fault(Uvc::kPinShared)) return *fault;
  Page& page = pages_[machine][number];
  if (!IsShared(page)) return WrongState();
  page.kind = PageKind::kPinnedShared;
  return kDone;
}

UvcResult UltravisorModel::Unpin(std::size_t guest, std::size_t number) {
  if (const auto fault = Fault(Uvc::kUnpinShared)) return *fault;
  if (guests_[guest].phase == Phase::kEnded) return kEndedHandle;
  if (number >= kPages) return kNoStorage;
  Page& page = PageOf(guest, number);
  if (page.kind != PageKind::kPinnedShared || !Owns(guest, page)) return WrongState();
  page.kind = PageKind::kShared;
  return kDone;
}

UvcResult UltravisorModel::Share(std::size_t guest, std::size_t number) {
  if (const auto fault = Fault(Uvc::kShare)) return *fault;
  Guest& one = guests_[guest];
  if (one.phase == Phase::kEnded) return kEndedHandle;
  if (number >= kPages) return kNoStorage;
  one.shares = true;
  if (!Admits(guest, number)) {
    if (const UvcResult taken = Take(guest, number); !taken.ok()) return taken;
  }
  Page& page = PageOf(guest, number);
  if (page.kind == PageKind::kSecure) page.kind = PageKind::kShared;
  return kDone;
}

UvcResult UltravisorModel::Unshare(std::size_t guest, std::size_t number) {
  if (const auto fault = Fault(Uvc::kUnshare)) return *fault;
  if (guests_[guest].phase == Phase::kEnded) return kEndedHandle;
  if (number >= kPages) return kNoStorage;
  Page& page = PageOf(guest, number);
  if (!Owns(guest, page)) return kDone;
  if (page.kind == PageKind::kPinnedShared) return UvcResult::Busy();
  page.kind = PageKind::kSecure;
  return kDone;
}

}  // namespace lethe::emulated
