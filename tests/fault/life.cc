#include "tests/fault/life.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/file.h"
#include "emulated-host/kvm/emulated_kernel.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "pv/event_sink.h"
#include "tests/fault/footprint.h"
#include "vmm/machine.h"

namespace lethe::fault {
namespace {

// The least with which a guest can be set aside. Little of it is touched.
constexpr std::uint64_t kMemory = (std::uint64_t{2} << 30) + (std::uint64_t{1} << 20);
constexpr std::size_t kConsoleLimit = 1 << 16;

// Disabled waits of those who were told no: in their addresses, guest.S and the first stage of a
// protected image (image/boot/stage3a.S) say what it was; 0xbad0 is a program interruption.
constexpr std::uint64_t kGuestRefused = 0xbad0;
constexpr std::uint64_t kGuestRefusedLast = 0xbad7;
constexpr std::uint64_t kStageRefused = 0x5e0001;
constexpr std::uint64_t kStageRefusedLast = 0x5e0004;
// The first stage has no handler for program interruptions: its new PSW is zero.
constexpr vmm::Psw kStageInterrupted = {0, 2};

// Where one life boots from and writes to: a link to the file of the life it is in.
class Places {
 public:
  Places(const GuestFiles::Lives& lives) : lives_(lives) {
    const std::string prefix = absl::StrCat(lives.first, "-", getpid());
    boot_ = prefix + "-boot";
    console_ = prefix + "-console";
    Point(lives.first);
  }
  ~Places() {
    unlink(boot_.c_str());
    unlink(console_.c_str());
  }
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  const std::string& boot() const { return boot_; }
  const std::string& console() const { return console_; }
  void GoToSecond() { Point(lives_.second); }
  std::string Printed() const {
    const absl::StatusOr<Bytes> bytes = ReadFile(console_, kConsoleLimit);
    return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : std::string();
  }

 private:
  void Point(const std::string& file) {
    unlink(boot_.c_str());
    LETHE_CHECK(symlink(file.c_str(), boot_.c_str()) == 0);
  }

  const GuestFiles::Lives& lives_;
  std::string boot_;
  std::string console_;
};

// Follows the life: the reboot leads to the second file, and the end waits until what was set aside
// has been cleaned, so that each life has the same calls.
class Follower final : public EventSink {
 public:
  explicit Follower(Places& places) : places_(places) {}

  void Report(const Event& event) override {
    if (event.name == "reset-request" && event.cause == "guest-reset") places_.GoToSecond();
    if (event.name == "protected") ++protected_lives_;
    if (event.name == "power-off" || event.name == "crash") before_end();
  }

  unsigned protected_lives() const { return protected_lives_; }

  std::function<void()> before_end;

 private:
  Places& places_;
  std::atomic<unsigned> protected_lives_ = 0;
};

vmm::MachineConfig ConfigOf(const LifeKind& kind, const Places& places) {
  vmm::MachineConfig config;
  config.name = "fault";
  config.memory_size = kMemory;
  config.memory_backing = vmm::MemoryBacking::kShared;
  config.cpus = 2;
  (kind.is_protected ? config.boot.protected_image : config.boot.kernel) = places.boot();
  config.console.kind = vmm::ConsoleConfig::Kind::kFile;
  config.console.path = places.console();
  config.destroy = DestroyPolicy(kind.reboot, kind.shutdown);
  config.reaper.wanted = kind.reaper;
  return config;
}

bool WasRefused(const vmm::Outcome& outcome) {
  if (outcome.kind != vmm::Outcome::Kind::kCrashed) return false;
  if (outcome.psw == kStageInterrupted) return true;
  const std::uint64_t address = outcome.psw.address;
  return outcome.reason == "disabled wait" &&
         ((address >= kGuestRefused && address <= kGuestRefusedLast) ||
          (address >= kStageRefused && address <= kStageRefusedLast));
}

std::string Describe(const vmm::Outcome& outcome) {
  return absl::StrFormat("%s, PSW %016x %016x", outcome.reason, outcome.psw.mask,
                         outcome.psw.address);
}

LifeResult Wrong(absl::string_view what) {
  return {.ending = Ending::kWrong, .text = std::string(what)};
}

LifeResult JudgeError(const absl::Status& status) {
  const std::string text(status.message());
  if (text.empty()) return Wrong("an error without words");
  if (absl::StrContains(text, '\n')) return Wrong("an error of several lines: " + text);
  return {.ending = Ending::kError, .text = text};
}

LifeResult Judge(const LifeKind& kind, const absl::StatusOr<vmm::Outcome>& outcome,
                 const Follower& follower, const std::string& printed) {
  if (!outcome.ok()) return JudgeError(outcome.status());
  if (WasRefused(*outcome))
    return {.ending = Ending::kAnswered, .text = absl::StrCat(Describe(*outcome), ": ", printed)};
  if (outcome->kind != vmm::Outcome::Kind::kPoweredOff) return Wrong(Describe(*outcome));
  const std::string all = absl::StrCat(kFirstText, kAgainText, kSecondText, kAgainText);
  if (printed != all) return Wrong("powered off, but has printed: " + printed);
  if (kind.is_protected && follower.protected_lives() != 2)
    return Wrong("ended well without having been protected");
  return {.ending = Ending::kGoesOn};
}

// The host and the machine of one life. Of a guest that is left to the reaper everything stays.
struct World {
  World(const LifeKind& kind, const GuestFiles& files, const HostKey& key)
      : ultravisor(key),
        kernel(Options(ultravisor)),
        faults(kernel),
        places(kind.is_protected ? files.sealed : files.ordinary),
        follower(places) {}

  static emulated::EmulatedKernelOptions Options(emulated::Ultravisor& ultravisor) {
    emulated::EmulatedKernelOptions options;
    options.ultravisor = &ultravisor;
    return options;
  }

  absl::StatusOr<vmm::Outcome> Run(const LifeKind& kind, LedgerRecord& record) {
    auto created = vmm::Machine::Create(
        ConfigOf(kind, places),
        {.kernel = faults, .log = log, .events = follower, .account = {.record = &record}});
    if (!created.ok()) return created.status();
    machine = *std::move(created);
    Protection* const protection = machine->protection();
    if (protection != nullptr) protection->SetPressure(kind.pressure);
    follower.before_end = [protection] {
      if (protection != nullptr) protection->cleaner().WaitUntilIdle();
    };
    return machine->Run();
  }

  // What the kernel still has for us when the machine has gone.
  std::string Left() const {
    std::string left;
    if (faults.open_descriptors() > 0)
      absl::StrAppend(&left, faults.open_descriptors(), " descriptors of the kernel; ");
    if (faults.mapped_areas() > 0)
      absl::StrAppend(&left, faults.mapped_areas(), " run structures; ");
    if (!may_leave_configurations && ultravisor.configurations() > 0)
      absl::StrAppend(&left, ultravisor.configurations(), " secure configurations; ");
    return left;
  }

  bool may_leave_configurations = false;
  emulated::Ultravisor ultravisor;
  emulated::EmulatedKernel kernel;
  kvm::FaultInjectingKernel faults;
  Places places;
  Follower follower;
  const Log log = Log::Silent();
  std::unique_ptr<vmm::Machine> machine;
};

// `world` is empty afterwards, unless it is left to the reaper.
LifeResult LiveIn(std::unique_ptr<World>& world, const LifeKind& kind, Remains& remains,
                  LifeRecord* record) {
  const absl::StatusOr<vmm::Outcome> outcome = world->Run(kind, remains.record);
  LifeResult result = Judge(kind, outcome, world->follower, world->places.Printed());
  result.struck =
      world->faults.injected() + static_cast<unsigned>(world->ultravisor.faults().taken());
  if (record != nullptr) {
    record->calls = world->faults.recorded();
    for (const emulated::UvcNumber& row : emulated::kUvcNumbers)
      record->uvcs[row.call] = world->ultravisor.counters().of(row.call);
  }
  result.left_to_reaper = world->machine != nullptr && world->machine->left_to_reaper();
  if (result.left_to_reaper) return result;
  world->machine.reset();
  const std::string left = world->Left();
  world.reset();
  if (!left.empty())
    return {Ending::kWrong, result.struck, false, absl::StrCat("left: ", left, result.text)};
  return result;
}

}  // namespace

const char* EndingName(Ending ending) {
  switch (ending) {
    case Ending::kGoesOn:
      return "goes on";
    case Ending::kAnswered:
      return "architected answer";
    case Ending::kError:
      return "clear error";
    case Ending::kWrong:
      break;
  }
  return "wrong";
}

std::string LifeResult::Serialize() const {
  return absl::StrCat(static_cast<int>(ending), " ", struck, " ", left_to_reaper ? 1 : 0, " ",
                      text);
}

LifeResult LifeResult::Parse(const std::string& text) {
  int ending = 0;
  unsigned struck = 0;
  int left = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%d %u %d%n", &ending, &struck, &left, &end) != 3)
    return Wrong("no result");
  return {static_cast<Ending>(ending), struck, left != 0,
          text.substr(static_cast<std::size_t>(end) + 1)};
}

std::string LifeRecord::Serialize() const {
  std::string text;
  for (const kvm::KernelCall& call : calls)
    absl::StrAppend(&text, "call ", static_cast<int>(call.kind), " ", call.request, " ",
                    call.subject, " ", call.cpu, "\n");
  for (const auto& [uvc, count] : uvcs)
    absl::StrAppend(&text, "uvc ", static_cast<int>(uvc), " ", count, "\n");
  return text;
}

LifeRecord LifeRecord::Parse(const std::string& text) {
  LifeRecord record;
  std::istringstream stream(text);
  for (std::string what; stream >> what;) {
    int number = 0;
    stream >> number;
    if (what == "call") {
      kvm::KernelCall call;
      call.kind = static_cast<kvm::KernelCall::Kind>(number);
      stream >> call.request >> call.subject >> call.cpu;
      record.calls.push_back(call);
    } else {
      stream >> record.uvcs[static_cast<emulated::Uvc>(number)];
    }
  }
  return record;
}

LifeResult Live(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                const Trouble& trouble, Remains& remains, LifeRecord* record) {
  std::thread([] {}).join();  // with the first one ThreadSanitizer starts one of its own
  const Footprint before = Footprint::Take();
  auto world = std::make_unique<World>(kind, files, key);
  world->faults.set_survivor_journal(&remains.journal);
  if (trouble.fault) world->faults.Inject(*trouble.fault);
  world->may_leave_configurations = trouble.leaves_configurations();
  if (trouble.uvc_fault) world->ultravisor.Inject(*trouble.uvc_fault);
  if (record != nullptr) world->faults.StartRecording();
  LifeResult result = LiveIn(world, kind, remains, record);
  if (result.left_to_reaper) {
    [[maybe_unused]] World* const stays = world.release();
    return result;
  }
  if (const std::string left = Footprint::LeftSince(before); !left.empty())
    return {Ending::kWrong, result.struck, false, absl::StrCat("left: ", left, result.text)};
  return result;
}

}  // namespace lethe::fault
