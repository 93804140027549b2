#include "emulated-host/ultravisor/ultravisor_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "emulated-host/ultravisor/properties_summary.h"
#include "emulated-host/ultravisor/test_machine.h"
#include "emulated-host/ultravisor/tiny_image.h"

// The Ultravisor beside its model: the same calls in random order, every answer, every page's state
// and every page's content compared after every step.
//
// LETHE_UV_STEPS: how many steps; LETHE_UV_SEED: of the first walk.
namespace lethe::emulated {
namespace {

using Model = UltravisorModel;
using Phase = Model::Phase;

const HostKey& TheHostKey() {
  static const HostKey* const key = new HostKey(HostKey::Generate());
  return *key;
}

const TinyImage& TheImage() {
  static const TinyImage* const image =
      new TinyImage(TheHostKey(), {kPageSize, 2 * kPageSize}, &Model::ImageFill);
  return *image;
}

const Bytes& HeaderOf(Model::Header kind) {
  static const std::array<Bytes, 4>* const headers = [] {
    auto* const all = new std::array<Bytes, 4>;
    (*all)[0] = TheImage().header();
    (*all)[1] = (*all)[0];
    (*all)[1].back() ^= 1;
    const HostKey stranger = HostKey::Generate();
    (*all)[2] = TinyImage(stranger, {kPageSize}, &Model::ImageFill).header();
    (*all)[3] = TheImage().SealChanged([](auto& parts) { parts.header.version = 0x101; });
    return all;
  }();
  return (*headers)[static_cast<std::size_t>(kind)];
}

// --- steps ---------------------------------------------------------------------------------------

enum class Deed : std::uint8_t {
  kAdvance,  // the next step of a guest's start
  kCreate,
  kDestroy,
  kDestroyFast,
  kSetParameters,
  kUnpack,
  kVerify,
  kPrepareReset,
  kUnshareAll,
  kCreateCpu,
  kDestroyCpu,
  kResetCpu,
  kSetCpuState,
  kImport,
  kExport,
  kDestroyPage,
  kPin,
  kUnpin,
  kShare,
  kUnshare,
  kGuestStore,
  kHostStore,
  kPlaceImage,
  kDisturb,
  kKeep,
  kReplay,
  kInject,
};

struct DeedRow {
  Deed deed;
  const char* name;
  unsigned weight;
};
constexpr DeedRow kDeeds[] = {
    {Deed::kAdvance, "advance", 120},
    {Deed::kCreate, "create-configuration", 6},
    {Deed::kDestroy, "destroy-configuration", 10},
    {Deed::kDestroyFast, "destroy-configuration-fast", 8},
    {Deed::kSetParameters, "set-parameters", 3},
    {Deed::kUnpack, "unpack", 4},
    {Deed::kVerify, "verify", 3},
    {Deed::kPrepareReset, "prepare-reset", 8},
    {Deed::kUnshareAll, "unshare-all", 10},
    {Deed::kCreateCpu, "create-cpu", 25},
    {Deed::kDestroyCpu, "destroy-cpu", 20},
    {Deed::kResetCpu, "reset-cpu", 10},
    {Deed::kSetCpuState, "set-cpu-state", 25},
    {Deed::kImport, "import-page", 110},
    {Deed::kExport, "export-page", 80},
    {Deed::kDestroyPage, "destroy-page", 60},
    {Deed::kPin, "pin-shared-page", 30},
    {Deed::kUnpin, "unpin-shared-page", 30},
    {Deed::kShare, "share-page", 60},
    {Deed::kUnshare, "unshare-page", 40},
    {Deed::kGuestStore, "guest stores", 80},
    {Deed::kHostStore, "host stores", 15},
    {Deed::kPlaceImage, "host places image page", 4},
    {Deed::kDisturb, "host changes a word", 10},
    {Deed::kKeep, "host keeps a copy", 30},
    {Deed::kReplay, "host puts a copy back", 30},
    {Deed::kInject, "fault", 12},
};

// One step; the numbers are made to fit when it is taken, so that it means something wherever it
// stands.
struct Step {
  Deed deed = Deed::kAdvance;
  std::uint8_t guest = 0;
  std::uint8_t page = 0;
  std::uint8_t other = 0;
};

std::string NameOf(const Step& step) {
  const auto row = std::find_if(std::begin(kDeeds), std::end(kDeeds),
                                [&](const DeedRow& one) { return one.deed == step.deed; });
  return absl::StrFormat("%s guest %u page %u number %u", row->name, step.guest % Model::kGuests,
                         step.page % (Model::kPages + 1), step.other);
}

std::vector<Step> DrawSteps(std::mt19937& random, std::size_t count) {
  std::vector<unsigned> weights;
  for (const DeedRow& row : kDeeds) weights.push_back(row.weight);
  std::discrete_distribution<std::size_t> deeds(weights.begin(), weights.end());
  std::vector<Step> steps(count);
  for (Step& step : steps) {
    step.deed = kDeeds[deeds(random)].deed;
    step.guest = static_cast<std::uint8_t>(random());
    step.page = static_cast<std::uint8_t>(random());
    step.other = static_cast<std::uint8_t>(random());
  }
  return steps;
}

struct Outcome {
  UvcResult expected;
  UvcResult got;
};

// What walks have met: each deed with each answer.
struct Coverage {
  std::uint64_t calls = 0;
  std::set<std::tuple<Deed, std::uint8_t, std::uint16_t, std::uint16_t>> answers;
};

// --- the two of them -----------------------------------------------------------------------------

// What a walk is made on: the Ultravisor with two machines, and the model of that.
class World {
 public:
  World(bool misc, bool fast, Coverage& coverage)
      : coverage_(coverage), ultravisor_(TheHostKey(), Features(misc, fast)), model_(misc, fast) {
    for (std::size_t i = 0; i < Model::kMachines; ++i) {
      machines_[i] = std::make_unique<TestMachine>(ultravisor_, Model::kPages * kPageSize);
    }
  }
  ~World() {
    ultravisor_.faults().Clear();
    for (Guest& guest : guests_) {
      for (auto& cpu : guest.secure) {
        if (cpu != nullptr) ultravisor_.DestroyCpu(cpu);
      }
      if (guest.configuration != nullptr) ultravisor_.DestroyConfiguration(*guest.configuration);
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What is wrong after the step, if anything is.
  std::optional<std::string> Take(const Step& step) {
    const std::optional<Outcome> outcome = Do(step);
    if (outcome && outcome->got != outcome->expected) {
      return absl::StrFormat("cc %u rc %#06x rrc %#x, expected cc %u rc %#06x rrc %#x",
                             outcome->got.cc, outcome->got.rc, outcome->got.rrc,
                             outcome->expected.cc, outcome->expected.rc, outcome->expected.rrc);
    }
    if (outcome) {
      ++coverage_.calls;
      coverage_.answers.insert({step.deed, outcome->got.cc, outcome->got.rc, outcome->got.rrc});
    }
    return Compare();
  }

 private:
  struct Guest {
    std::shared_ptr<SecureConfiguration> configuration;
    std::array<std::unique_ptr<Cpu>, Model::kCpus + 1> cpus;
    std::array<std::unique_ptr<SecureCpu>, Model::kCpus> secure;
  };
  struct Copy {
    Bytes bytes;
    Model::ContentNumber content = Model::kZeros;
  };

  static UltravisorFeatures Features(bool misc, bool fast) {
    UltravisorFeatures features;
    features.misc = misc;
    features.destroy_fast = fast;
    features.max_configurations = Model::kLimit;
    features.max_cpu_id = Model::kCpus - 1;
    return features;
  }

  TestMachine& MachineOf(std::size_t guest) { return *machines_[guest / 2]; }
  std::uint8_t* BytesOf(std::size_t machine, std::size_t page) {
    return machines_[machine]->region().bytes(page);
  }
  bool Alive(std::size_t guest) const {
    return model_.phase(guest) != Phase::kNone && model_.phase(guest) != Phase::kEnded;
  }

  // No value: nothing to be done here.
  std::optional<Outcome> Do(const Step& step);
  std::optional<Outcome> DoToConfiguration(const Step& step, std::size_t guest);
  std::optional<Outcome> DoToCpu(const Step& step, std::size_t guest);
  std::optional<Outcome> DoToPage(const Step& step, std::size_t guest);
  std::optional<Outcome> DoByGuest(const Step& step, std::size_t guest);
  void DoByHost(const Step& step, std::size_t machine, std::size_t page);
  std::optional<Outcome> Advance(std::size_t guest);
  std::optional<Outcome> Create(std::size_t guest);
  Outcome Unpack(std::size_t guest, std::size_t page, std::size_t tweak);
  void PlaceImage(std::size_t machine, std::size_t page, std::size_t image_page);
  void Inject(const Step& step);

  std::optional<std::string> Compare();
  std::optional<std::string> ComparePage(std::size_t machine, std::size_t page);
  std::optional<std::string> CompareContent(std::size_t machine, std::size_t page);
  std::optional<std::size_t> LifeOf(ConfigurationId id) const;

  Coverage& coverage_;
  Ultravisor ultravisor_;
  UltravisorModel model_;
  std::array<std::unique_ptr<TestMachine>, Model::kMachines> machines_;
  CpuModel cpu_model_ = CpuModel::Default();
  std::array<Guest, Model::kGuests> guests_;
  std::array<std::size_t, 4096> lives_{};  // by configuration number: who had it last
  std::array<std::array<Copy, Model::kPages>, Model::kMachines> kept_;
  // What contents that nobody can predict were found to be.
  std::deque<Bytes> seen_;
  std::uint64_t stores_ = 0;
};

std::optional<Outcome> World::Do(const Step& step) {
  const std::size_t guest = step.guest % Model::kGuests;
  switch (step.deed) {
    case Deed::kAdvance:
      return Advance(guest);
    case Deed::kCreate:
      return Create(guest);
    case Deed::kDestroy:
    case Deed::kDestroyFast:
    case Deed::kSetParameters:
    case Deed::kUnpack:
    case Deed::kVerify:
    case Deed::kPrepareReset:
    case Deed::kUnshareAll:
      return DoToConfiguration(step, guest);
    case Deed::kCreateCpu:
    case Deed::kDestroyCpu:
    case Deed::kResetCpu:
    case Deed::kSetCpuState:
      return DoToCpu(step, guest);
    case Deed::kExport:
    case Deed::kDestroyPage:
    case Deed::kPin:
      return DoToPage(step, guest);
    case Deed::kImport:
    case Deed::kUnpin:
    case Deed::kShare:
    case Deed::kUnshare:
    case Deed::kGuestStore:
      return DoByGuest(step, guest);
    case Deed::kInject:
      Inject(step);
      return std::nullopt;
    default:
      DoByHost(step, guest / 2, step.page % Model::kPages);
      return std::nullopt;
  }
}

std::optional<Outcome> World::Create(std::size_t guest) {
  if (Alive(guest)) return std::nullopt;
  const UvcResult expected = model_.Create(guest);
  TestMachine& machine = MachineOf(guest);
  auto created = ultravisor_.CreateConfiguration(machine.storage(), machine.mapping());
  if (created.configuration != nullptr) {
    guests_[guest].configuration = std::move(created.configuration);
    lives_[guests_[guest].configuration->id()] = model_.life(guest);
  }
  return Outcome{expected, created.result};
}

Outcome World::Unpack(std::size_t guest, std::size_t page, std::size_t tweak) {
  const PageTweak& right = TheImage().pages()[tweak % Model::kImagePages].tweak;
  const bool wrong = tweak == Model::kWrongTweak;
  const UvcResult expected = model_.Unpack(guest, page, tweak);
  return {expected, ultravisor_.Unpack(*guests_[guest].configuration, page * kPageSize,
                                       {right.prefix + (wrong ? 1 : 0), right.offset})};
}

std::optional<Outcome> World::Advance(std::size_t guest) {
  const std::size_t next = model_.unpacked(guest);
  switch (model_.phase(guest)) {
    case Phase::kNone:
    case Phase::kEnded:
      return Create(guest);
    case Phase::kCreated:
      return DoToConfiguration({Deed::kSetParameters, 0, 0, 0}, guest);
    case Phase::kParametersSet:
      if (next >= Model::kImagePages) return DoToConfiguration({Deed::kVerify, 0, 0, 0}, guest);
      if (model_.page(guest / 2, next + 1).kind != PageKind::kNonSecure) {
        const UvcResult expected = model_.DestroyPage(guest / 2, next + 1);
        return Outcome{expected, ultravisor_.DestroyPage(MachineOf(guest).region(), next + 1)};
      }
      PlaceImage(guest / 2, next + 1, next);
      return Unpack(guest, next + 1, next);
    case Phase::kVerified:
      for (std::size_t cpu = 0; cpu < Model::kCpus; ++cpu) {
        if (model_.has_cpu(guest, cpu)) continue;
        return DoToCpu({Deed::kCreateCpu, 0, static_cast<std::uint8_t>(cpu), 0}, guest);
      }
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Outcome> World::DoToConfiguration(const Step& step, std::size_t guest) {
  if (model_.phase(guest) == Phase::kNone) return std::nullopt;
  SecureConfiguration& configuration = *guests_[guest].configuration;
  switch (step.deed) {
    case Deed::kDestroy:
    case Deed::kDestroyFast: {
      const bool fast = step.deed == Deed::kDestroyFast;
      const UvcResult expected = model_.Destroy(guest, fast);
      return Outcome{expected, fast ? ultravisor_.DestroyConfigurationFast(configuration)
                                    : ultravisor_.DestroyConfiguration(configuration)};
    }
    case Deed::kSetParameters: {
      const auto header = static_cast<Model::Header>(step.other % 4);
      const UvcResult expected = model_.SetParameters(guest, header);
      return Outcome{expected, ultravisor_.SetParameters(configuration, HeaderOf(header))};
    }
    case Deed::kUnpack:
      return Unpack(guest, step.page % (Model::kPages + 1), step.other % 3);
    case Deed::kVerify: {
      const UvcResult expected = model_.Verify(guest);
      return Outcome{expected, ultravisor_.Verify(configuration)};
    }
    case Deed::kPrepareReset: {
      const UvcResult expected = model_.PrepareReset(guest);
      return Outcome{expected, ultravisor_.PrepareReset(configuration)};
    }
    default: {
      const UvcResult expected = model_.UnshareAll(guest);
      return Outcome{expected, ultravisor_.UnshareAll(configuration)};
    }
  }
}

std::optional<Outcome> World::DoToCpu(const Step& step, std::size_t guest) {
  if (model_.phase(guest) == Phase::kNone) return std::nullopt;
  Guest& real = guests_[guest];
  if (step.deed == Deed::kCreateCpu) {
    const std::size_t cpu = step.page % (Model::kCpus + 1);
    if (cpu < Model::kCpus && model_.has_cpu(guest, cpu)) return std::nullopt;
    TestMachine& machine = MachineOf(guest);
    if (real.cpus[cpu] == nullptr) {
      real.cpus[cpu] = std::make_unique<Cpu>(cpu_model_, static_cast<std::uint16_t>(cpu),
                                             machine.storage(), machine.group(), machine);
    }
    const UvcResult expected = model_.CreateCpu(guest, cpu);
    auto created = ultravisor_.CreateCpu(real.configuration, *real.cpus[cpu]);
    if (created.cpu != nullptr) real.secure[cpu] = std::move(created.cpu);
    return Outcome{expected, created.result};
  }
  const std::size_t cpu = step.page % Model::kCpus;
  if (!model_.has_cpu(guest, cpu)) return std::nullopt;
  if (step.deed == Deed::kDestroyCpu) {
    const UvcResult expected = model_.DestroyCpu(guest, cpu);
    return Outcome{expected, ultravisor_.DestroyCpu(real.secure[cpu])};
  }
  if (step.deed == Deed::kSetCpuState) {
    const std::uint8_t state = step.other % 7;
    const UvcResult expected = model_.SetCpuState(guest, cpu, state);
    return Outcome{expected, ultravisor_.SetCpuState(*real.secure[cpu], state)};
  }
  constexpr Uvc kResets[] = {Uvc::kCpuReset, Uvc::kCpuInitialReset, Uvc::kCpuClearReset};
  const Uvc call = kResets[step.other % 3];
  const UvcResult expected = model_.ResetCpu(guest, cpu, call);
  SecureCpu& secure = *real.secure[cpu];
  return Outcome{expected, call == Uvc::kCpuReset          ? ultravisor_.CpuReset(secure)
                           : call == Uvc::kCpuInitialReset ? ultravisor_.CpuInitialReset(secure)
                                                           : ultravisor_.CpuClearReset(secure)};
}

std::optional<Outcome> World::DoToPage(const Step& step, std::size_t guest) {
  const std::size_t machine = guest / 2;
  const std::size_t page = step.page % Model::kPages;
  HostRegion& region = MachineOf(guest).region();
  switch (step.deed) {
    case Deed::kExport: {
      const UvcResult expected = model_.Export(machine, page);
      return Outcome{expected, ultravisor_.ConvertFromSecure(region, page)};
    }
    case Deed::kDestroyPage: {
      const UvcResult expected = model_.DestroyPage(machine, page);
      return Outcome{expected, ultravisor_.DestroyPage(region, page)};
    }
    default: {
      const UvcResult expected = model_.Pin(machine, page);
      return Outcome{expected, ultravisor_.PinShared(region, page)};
    }
  }
}

std::optional<Outcome> World::DoByGuest(const Step& step, std::size_t guest) {
  if (model_.phase(guest) == Phase::kNone) return std::nullopt;
  const std::size_t page = step.page % (Model::kPages + 1);
  const std::uint64_t absolute = page * kPageSize;
  SecureConfiguration& configuration = *guests_[guest].configuration;
  switch (step.deed) {
    case Deed::kImport: {
      const UvcResult expected = model_.Import(guest, page);
      return Outcome{expected, ultravisor_.ConvertToSecure(configuration, absolute)};
    }
    case Deed::kUnpin: {
      const UvcResult expected = model_.Unpin(guest, page);
      return Outcome{expected, ultravisor_.UnpinShared(configuration, absolute)};
    }
    case Deed::kShare: {
      const UvcResult expected = model_.Share(guest, page);
      return Outcome{expected, ultravisor_.Share(configuration, absolute)};
    }
    case Deed::kUnshare: {
      const UvcResult expected = model_.Unshare(guest, page);
      return Outcome{expected, ultravisor_.Unshare(configuration, absolute)};
    }
    default:
      break;
  }
  if (page == Model::kPages || !Alive(guest) || !model_.Admits(guest, page)) return std::nullopt;
  const std::uint64_t value = 0x6e57'0000'0000'0000 + ++stores_;
  model_.Fill(guest / 2, page, value);
  for (std::size_t at = 0; at < kPageSize; at += 8) {
    StoreBigEndian(BytesOf(guest / 2, page) + at, value);
  }
  return std::nullopt;
}

void World::PlaceImage(std::size_t machine, std::size_t page, std::size_t image_page) {
  model_.PlaceImage(machine, page, image_page);
  const Bytes& content = TheImage().pages()[image_page].content;
  std::copy(content.begin(), content.end(), BytesOf(machine, page));
}

void World::DoByHost(const Step& step, std::size_t machine, std::size_t page) {
  // (Secure pages are out of its reach: it would export them first.)
  if (model_.page(machine, page).kind == PageKind::kSecure) return;
  std::uint8_t* const bytes = BytesOf(machine, page);
  switch (step.deed) {
    case Deed::kHostStore: {
      const std::uint64_t value = 0x4057'0000'0000'0000 + ++stores_;
      model_.Fill(machine, page, value);
      for (std::size_t at = 0; at < kPageSize; at += 8) StoreBigEndian(bytes + at, value);
      return;
    }
    case Deed::kPlaceImage:
      return PlaceImage(machine, page, step.other % Model::kImagePages);
    case Deed::kDisturb:
      model_.Disturb(machine, page);
      // (A number, as it comes only once: two flips of a bit are none.)
      StoreBigEndian(bytes + step.other * 16, 0xd157'0000'0000'0000 + ++stores_);
      return;
    case Deed::kKeep:
      kept_[machine][page] = {Bytes(bytes, bytes + kPageSize), model_.page(machine, page).content};
      return;
    default: {
      // To its own place more often than to another page, or another machine.
      const std::size_t from = step.other % 4 == 0 ? step.other / 4 % Model::kPages : page;
      const Copy& copy = kept_[step.other % 16 == 0 ? 1 - machine : machine][from];
      if (copy.bytes.empty()) return;
      model_.Copy(machine, page, copy.content);
      std::copy(copy.bytes.begin(), copy.bytes.end(), bytes);
    }
  }
}

void World::Inject(const Step& step) {
  constexpr UvcResult kResults[] = {UvcResult::Busy(), UvcResult::Partial(),
                                    UvcResult::Refused(0x1234, 0x56),
                                    UvcResult::Refused(UvcResult::kMustDestroy | 3)};
  const UvcFault fault = {kUvcNumbers[step.page % kUvcNumbers.size()].call,
                          kResults[step.other % std::size(kResults)]};
  if (fault.call == Uvc::kQuery || fault.call == Uvc::kInitialize) return;
  if (step.guest % 4 != 0 && ultravisor_.faults().waiting() > 8) return;
  if (ultravisor_.faults().waiting() == UvcFaults::kLimit) return;
  ultravisor_.Inject(fault);
  model_.Inject(fault.call, fault.result);
}

// --- comparison ----------------------------------------------------------------------------------

std::optional<std::size_t> World::LifeOf(ConfigurationId id) const {
  if (id == kNoConfiguration) return std::nullopt;
  return lives_[id];
}

std::optional<std::string> World::Compare() {
  if (ultravisor_.configurations() != model_.configurations()) {
    return absl::StrCat(ultravisor_.configurations(), " configurations, expected ",
                        model_.configurations());
  }
  for (std::size_t guest = 0; guest < Model::kGuests; ++guest) {
    const Phase expected = model_.phase(guest);
    if (expected == Phase::kNone) continue;
    const auto got = static_cast<int>(guests_[guest].configuration->phase());
    if (got + 1 != static_cast<int>(expected)) {
      return absl::StrFormat("guest %u is in phase %d, expected %d", guest, got + 1,
                             static_cast<int>(expected));
    }
  }
  for (std::size_t machine = 0; machine < Model::kMachines; ++machine) {
    for (std::size_t page = 0; page < Model::kPages; ++page) {
      if (auto wrong = ComparePage(machine, page)) {
        return absl::StrFormat("machine %u page %u: %s", machine, page, *wrong);
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> World::ComparePage(std::size_t machine, std::size_t page) {
  const Model::Page& expected = model_.page(machine, page);
  const PageState state = machines_[machine]->state(page);
  if (state.kind() != expected.kind || state.locked()) {
    return absl::StrFormat("is of kind %d, expected %d", static_cast<int>(state.kind()),
                           static_cast<int>(expected.kind));
  }
  if (LifeOf(state.owner()) != expected.owner) return "has another owner than expected";
  if (state.exposed() && state.kind() == PageKind::kSecure) return "is secure and mapped";
  return CompareContent(machine, page);
}

std::optional<std::string> World::CompareContent(std::size_t machine, std::size_t page) {
  const Model::ContentNumber number = model_.page(machine, page).content;
  const Model::Content& expected = model_.content(number);
  const std::uint8_t* const bytes = BytesOf(machine, page);
  const auto is_filled = [bytes](std::uint64_t value) {
    return LoadBigEndian<std::uint64_t>(bytes) == value &&
           std::memcmp(bytes, bytes + 8, kPageSize - 8) == 0;
  };
  switch (expected.kind) {
    case Model::Content::Kind::kFill:
      if (is_filled(expected.value)) return std::nullopt;
      return absl::StrFormat("is not filled with %#x", expected.value);
    case Model::Content::Kind::kImage: {
      const Bytes& image = TheImage().pages()[expected.value].content;
      if (std::equal(image.begin(), image.end(), bytes)) return std::nullopt;
      return "is not the page of the image";
    }
    default:
      break;
  }
  if (seen_.size() <= number) seen_.resize(number + 1);
  if (!seen_[number].empty()) {
    if (std::equal(seen_[number].begin(), seen_[number].end(), bytes)) return std::nullopt;
    return "has changed";
  }
  seen_[number].assign(bytes, bytes + kPageSize);
  // An exported page shows nothing of what is in it, wherever one looks.
  const Model::Content& plain = model_.content(expected.plain);
  if (expected.kind == Model::Content::Kind::kCipher && plain.kind == Model::Content::Kind::kFill) {
    for (std::size_t at = 0; at < kPageSize; at += 8) {
      if (LoadBigEndian<std::uint64_t>(bytes + at) == plain.value) return "shows its secret";
    }
  }
  return std::nullopt;
}

// --- walks ---------------------------------------------------------------------------------------

struct Difference {
  std::size_t step;
  std::string text;
};

struct Walk {
  bool misc;
  bool fast;
  std::vector<Step> steps;

  std::optional<Difference> Run(Coverage& coverage) const {
    World world(misc, fast, coverage);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (auto wrong = world.Take(steps[i])) return Difference{i, *std::move(wrong)};
    }
    return std::nullopt;
  }
};

// As few steps as still show a difference: none of them can be left out.
Walk Shrink(Walk walk, Difference& difference) {
  Coverage ignored;
  walk.steps.resize(difference.step + 1);
  for (std::size_t part = std::max<std::size_t>(walk.steps.size() / 2, 1); part > 0; part /= 2) {
    for (std::size_t begin = 0; begin + 1 < walk.steps.size();) {
      Walk less = walk;
      const auto first = less.steps.begin() + static_cast<std::ptrdiff_t>(begin);
      const std::size_t size = std::min(part, less.steps.size() - 1 - begin);
      less.steps.erase(first, first + static_cast<std::ptrdiff_t>(size));
      if (const auto still = less.Run(ignored)) {
        difference = *still;
        less.steps.resize(still->step + 1);
        walk = std::move(less);
      } else {
        begin += part;
      }
    }
  }
  return walk;
}

std::string Describe(const Walk& walk, const Difference& difference) {
  std::string text = absl::StrFormat("misc %d, destroy fast %d\n", walk.misc, walk.fast);
  for (const Step& step : walk.steps) absl::StrAppend(&text, "  ", NameOf(step), "\n");
  return absl::StrCat(text, "  -> ", difference.text);
}

TEST(UltravisorModel, IsWhatTheUltravisorDoes) {
  constexpr std::size_t kSteps = 120'000;
  constexpr std::size_t kWalk = 1'500;
  const std::size_t wanted = NumberFromEnvironment("LETHE_UV_STEPS", kSteps);
  const auto seed = static_cast<std::uint32_t>(NumberFromEnvironment("LETHE_UV_SEED", 1));
  PropertiesSummary& summary = PropertiesSummary::Of();
  Coverage coverage;
  for (std::uint32_t number = seed; summary.model_steps < wanted; ++number) {
    std::mt19937 random(number);
    const bool misc = number % 2 == 0;
    const bool fast = number / 2 % 2 == 0;
    const Walk walk{misc, fast, DrawSteps(random, kWalk)};
    if (auto difference = walk.Run(coverage)) {
      const Walk shortest = Shrink(walk, *difference);
      FAIL() << "walk " << number << ": " << Describe(shortest, *difference);
    }
    summary.model_steps += walk.steps.size();
  }
  EXPECT_GT(coverage.calls, wanted / 3);
  // (Injected answers are among them: 4 for each of the 19 deeds that call.)
  EXPECT_GT(coverage.answers.size(), 120u);
}

}  // namespace
}  // namespace lethe::emulated
