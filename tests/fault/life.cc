#include "tests/fault/life.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>

#include "absl/cleanup/cleanup.h"
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
    std::unique_lock lock(mutex_);
    if (event.name == "reset-request" && event.cause == "guest-reset") places_.GoToSecond();
    if (event.name == "prepare") being_cleaned_ = true;
    if (event.name == "disable" || event.name == "perform-end") being_cleaned_ = false;
    if (event.name == "protected") ++protected_lives_;
    if (event.name == "pv-refused") refused_ = true;
    changed_.notify_all();
    if (event.name == "power-off" || event.name == "crash")
      changed_.wait(lock, [this] { return !being_cleaned_; });
  }

  unsigned protected_lives() const { return protected_lives_; }
  bool refused() const { return refused_; }

 private:
  Places& places_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool being_cleaned_ = false;
  unsigned protected_lives_ = 0;
  bool refused_ = false;
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
  config.destroy = kind.destroy;
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

absl::StatusOr<vmm::Outcome> RunMachine(const LifeKind& kind, const Places& places,
                                        Follower& follower, kvm::Kernel& kernel) {
  const Log log = Log::Silent();
  auto machine = vmm::Machine::Create(ConfigOf(kind, places),
                                      {.kernel = kernel, .log = log, .events = follower});
  if (!machine.ok()) return machine.status();
  return (*machine)->Run();
}

// What the kernel still has for us when the machine has gone.
std::string LeftInKernel(const kvm::FaultInjectingKernel& faults,
                         const emulated::EmulatedKernel& kernel,
                         const emulated::Ultravisor& ultravisor) {
  std::string left;
  if (faults.open_descriptors() > 0)
    absl::StrAppend(&left, faults.open_descriptors(), " descriptors of the kernel; ");
  if (faults.mapped_areas() > 0) absl::StrAppend(&left, faults.mapped_areas(), " run structures; ");
  if (kernel.configurations() > 0 || ultravisor.configurations() > 0)
    absl::StrAppend(&left, kernel.configurations(), " secure configurations; ");
  return left;
}

LifeResult LiveOn(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                  const kvm::Fault* fault, std::vector<kvm::KernelCall>* calls) {
  emulated::Ultravisor ultravisor(key);
  emulated::EmulatedKernelOptions options;
  options.ultravisor = &ultravisor;
  emulated::EmulatedKernel kernel(std::move(options));
  kvm::FaultInjectingKernel faults(kernel);
  if (fault != nullptr) faults.Inject(*fault);
  if (calls != nullptr) faults.StartRecording();

  Places places(kind.is_protected ? files.sealed : files.ordinary);
  Follower follower(places);
  const absl::StatusOr<vmm::Outcome> outcome = RunMachine(kind, places, follower, faults);
  LifeResult result = Judge(kind, outcome, follower, places.Printed());
  result.struck = faults.injected();
  if (calls != nullptr) *calls = faults.recorded();
  if (std::string left = LeftInKernel(faults, kernel, ultravisor); !left.empty())
    return {Ending::kWrong, result.struck, absl::StrCat("left: ", left, result.text)};
  return result;
}

LifeResult LiveAndLeaveNothing(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                               const kvm::Fault* fault, std::vector<kvm::KernelCall>* calls) {
  const Footprint before = Footprint::Take();
  LifeResult result = LiveOn(kind, files, key, fault, calls);
  if (const std::string left = Footprint::LeftSince(before); !left.empty())
    return {Ending::kWrong, result.struck, absl::StrCat("left: ", left, result.text)};
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
  return absl::StrCat(static_cast<int>(ending), " ", struck, " ", text);
}

LifeResult LifeResult::Parse(const std::string& text) {
  int ending = 0;
  unsigned struck = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%d %u %n", &ending, &struck, &end) != 2) return Wrong("no result");
  return {static_cast<Ending>(ending), struck, text.substr(static_cast<std::size_t>(end))};
}

LifeResult Live(const LifeKind& kind, const GuestFiles& files, const HostKey& key,
                const kvm::Fault& fault) {
  return LiveAndLeaveNothing(kind, files, key, &fault, nullptr);
}

std::vector<kvm::KernelCall> RecordLife(const LifeKind& kind, const GuestFiles& files,
                                        const HostKey& key, std::string& error) {
  std::vector<kvm::KernelCall> calls;
  const LifeResult result = LiveAndLeaveNothing(kind, files, key, nullptr, &calls);
  if (result.ending == Ending::kGoesOn) return calls;
  error = absl::StrCat(EndingName(result.ending), ": ", result.text);
  return {};
}

}  // namespace lethe::fault
