#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/fake_kernel.h"
#include "accel/kvm-s390/fault_injecting_kernel.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"
#include "pv/event_recorder.h"
#include "pv/protection.h"

// Random walks through the life of a guest: whatever the kernel answers, and whenever, some things
// always hold. LETHE_WALKS sets how many, LETHE_WALK_SEED where to begin; a walk that fails prints
// its seed and what it did.

namespace lethe {
namespace {

using ::testing::IsEmpty;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// An oracle between Protection and the kernel: it replays what the kernel was asked, and what it
// answered, on the table of the life cycle, and notes what must not be.
class WatchingKernel final : public kvm::Kernel {
 public:
  explicit WatchingKernel(kvm::Kernel& wrapped) : wrapped_(wrapped) {}

  // Called before each PREPARE.
  std::function<void()> before_prepare = [] {};

  // The state that the answers lead to; kVerified and kProtected differ by no command.
  PvState state() const {
    std::lock_guard lock(mutex_);
    return state_;
  }
  int set_aside() const {
    std::lock_guard lock(mutex_);
    return set_aside_;
  }
  int performs() const {
    std::lock_guard lock(mutex_);
    return performs_;
  }
  // PERFORM that did not do what it should, because nothing was there or otherwise.
  int failed_performs() const {
    std::lock_guard lock(mutex_);
    return failed_performs_;
  }
  std::vector<std::string> violations() const {
    std::lock_guard lock(mutex_);
    return violations_;
  }
  void Violation(std::string what) {
    std::lock_guard lock(mutex_);
    violations_.push_back(std::move(what));
  }

  int Ioctl(int fd, unsigned long request, std::uintptr_t argument) override {
    if (request != abi::KVM_S390_PV_COMMAND) return wrapped_.Ioctl(fd, request, argument);
    auto& command = *reinterpret_cast<abi::kvm_pv_cmd*>(argument);
    if (command.cmd == abi::KVM_PV_ASYNC_CLEANUP_PREPARE) before_prepare();
    Begin(command.cmd);
    const int result = wrapped_.Ioctl(fd, request, argument);
    End(command, result);
    return result;
  }
  int Open(const char* path, int flags) override { return wrapped_.Open(path, flags); }
  std::intptr_t Map(int fd, std::size_t length) override { return wrapped_.Map(fd, length); }
  int Unmap(void* address, std::size_t length) override { return wrapped_.Unmap(address, length); }
  int Poll(pollfd* descriptors, std::size_t count, int timeout) override {
    return wrapped_.Poll(descriptors, count, timeout);
  }
  int Kick(int vcpu_fd, pthread_t thread) override { return wrapped_.Kick(vcpu_fd, thread); }
  int Close(int fd) override {
    std::lock_guard lock(mutex_);
    if (in_perform_ > 0) violations_.push_back("a descriptor is closed while PERFORM runs");
    return wrapped_.Close(fd);
  }
  std::unique_ptr<kvm::Survivor> MakeSurvivor(int fd, std::vector<kvm::RunArea> areas) override {
    return wrapped_.MakeSurvivor(fd, std::move(areas));
  }

 private:
  void Begin(std::uint32_t command) {
    std::lock_guard lock(mutex_);
    if (command != abi::KVM_PV_ASYNC_CLEANUP_PERFORM) return;
    ++in_perform_;
    if (++performs_ > set_aside_) violations_.push_back("PERFORM without PREPARE");
  }

  void End(const abi::kvm_pv_cmd& command, int result) {
    std::lock_guard lock(mutex_);
    const bool ok = result == 0;
    switch (command.cmd) {
      case abi::KVM_PV_ASYNC_CLEANUP_PERFORM:
        --in_perform_;
        if (!ok || command.rrc == 42) ++failed_performs_;
        return;
      case abi::KVM_PV_ENABLE:
        if (!Follow(state_, PvStep::kCreate)) violations_.push_back("ENABLE out of order");
        return ok ? Take(PvStep::kCreate) : void();
      case abi::KVM_PV_SET_SEC_PARMS:
        return ok ? Take(PvStep::kSetHeader) : void();
      case abi::KVM_PV_UNPACK:
        return ok ? Take(PvStep::kUnpack) : void();
      case abi::KVM_PV_VERIFY:
        return ok ? Take(PvStep::kVerify) : void();
      case abi::KVM_PV_UNSHARE_ALL:
      case abi::KVM_PV_PREP_RESET:
        TakeStart();
        return Take(PvStep::kReset);
      case abi::KVM_PV_ASYNC_CLEANUP_PREPARE:
        TakeStart();
        if (ok) ++set_aside_;
        return Take(ok ? PvStep::kSetAside : PvStep::kSetAsideFails);
      case abi::KVM_PV_DISABLE:
        return Take(ok ? PvStep::kDestroy : PvStep::kDestroyFails);
      default:
        violations_.push_back(absl::StrCat("command ", command.cmd));
    }
  }

  void TakeStart() {
    if (state_ == PvState::kVerified) state_ = PvState::kProtected;
  }

  void Take(PvStep step) {
    const std::optional<PvState> next = Follow(state_, step);
    if (next)
      state_ = *next;
    else
      violations_.push_back(
          absl::StrCat("step ", static_cast<int>(step), " from state ", PvStateName(state_)));
  }

  kvm::Kernel& wrapped_;
  mutable std::mutex mutex_;
  PvState state_ = PvState::kNormal;
  int set_aside_ = 0;
  int performs_ = 0;
  int failed_performs_ = 0;
  int in_perform_ = 0;
  std::vector<std::string> violations_;
};

// What a command answers when it fails.
struct Failure {
  unsigned long request;
  std::uint32_t command;  // of KVM_S390_PV_COMMAND
  std::vector<int> errors;
};
const std::vector<Failure> kFailures = {
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_ENABLE, {EINVAL, ENOMEM, EFAULT, EINTR, EIO}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_SET_SEC_PARMS, {EINVAL, EFAULT, ENOMEM}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_UNPACK, {EINVAL, EFAULT, EAGAIN}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_VERIFY, {EINVAL}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_UNSHARE_ALL, {EINVAL}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_PREP_RESET, {EINVAL}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_DISABLE, {EIO}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_ASYNC_CLEANUP_PREPARE, {EIO, EINVAL, ENOMEM}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_ASYNC_CLEANUP_PREPARE, {EIO, EINVAL, ENOMEM}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, {EIO}},
    {abi::KVM_S390_PV_COMMAND, abi::KVM_PV_ASYNC_CLEANUP_PERFORM, {0}},  // a fatal signal
    {abi::KVM_SET_MP_STATE, 0, {EINVAL, ENXIO, EIO}},
    {abi::KVM_S390_CLEAR_RESET, 0, {EINVAL}},
    {abi::KVM_S390_INITIAL_RESET, 0, {EINVAL}},
    {abi::KVM_S390_NORMAL_RESET, 0, {EINVAL}},
};
constexpr std::array<std::pair<std::uint16_t, std::uint16_t>, 8> kCodes = {{{0, 0},
                                                                            {0x3, 0},
                                                                            {0x102, 0x1b},
                                                                            {0x104, 0},
                                                                            {0x104, 9},
                                                                            {0x108, 5},
                                                                            {0x8003, 0},
                                                                            {0xffff, 1}}};

class Walk {
 public:
  explicit Walk(unsigned seed) : random_(seed) {
    fake_.before_perform = [this] { Dawdle(before_perform_us_); };
    fake_.during_perform = [this] { Dawdle(during_perform_us_); };
    watch_.before_prepare = [this] {
      if (protection_->cleaner().zombies().waiting > 0)
        watch_.Violation("PREPARE while a guest waits");
    };
    MakeVm();
  }

  // Everything that it did, for whoever looks for a mistake.
  std::string Script() const { return absl::StrJoin(script_, "; "); }
  std::vector<std::string> Violations() const {
    std::vector<std::string> all = watch_.violations();
    all.insert(all.end(), violations_.begin(), violations_.end());
    return all;
  }

  void Run() {
    const unsigned steps = 4 + Below(30);
    for (unsigned i = 0; i < steps && !over_; ++i) {
      Step();
      CheckState();
    }
    Shutdown();
    CheckState();
    Finish();
  }

  int reboots() const { return foregrounds_; }
  int set_aside() const { return watch_.set_aside(); }
  unsigned faults() const { return faults_.injected(); }

 private:
  unsigned Below(unsigned bound) { return static_cast<unsigned>(random_()) % bound; }
  bool OneIn(unsigned bound) { return Below(bound) == 0; }
  void Note(std::string what) { script_.push_back(std::move(what)); }
  void Expect(bool condition, absl::string_view what) {
    if (!condition) violations_.emplace_back(what);
  }
  static void Dawdle(int microseconds) {
    if (microseconds > 0) std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }
  DestroyMode AnyMode() { return static_cast<DestroyMode>(Below(3)); }

  void MakeVm() {
    system_.emplace(kvm::System::Open(watch_).value());
    vm_.emplace(system_->CreateVm().value());
    if (OneIn(20)) Expect(vm_->SetMemoryLimit(2 * kGiB).ok(), "no memory limit");
    for (unsigned address : {0u, 1u}) vcpus_.push_back(vm_->CreateVcpu(address).value());
    ProtectionOptions options;
    options.destroy = {AnyMode(), AnyMode()};
    options.kernel_can_set_aside = !OneIn(20);
    options.guest_memory = 4 * kGiB;
    options.patience = std::chrono::microseconds(OneIn(2) ? 0 : Below(2000));
    options.cleaner.concurrency = 1 + Below(2);
    options.cleaner.priority = OneIn(10) ? CleanerPriority::kAuto : CleanerPriority::kNormal;
    options.host_memory = [] { return HostMemory(); };
    options.cgroup_memory = [] { return CgroupMemory(); };
    options.reaper_alive = [alive = !OneIn(3)] { return alive; };
    options.on_teardown = [this](const TeardownOutcome& outcome) { Count(outcome); };
    protection_.emplace(*vm_, std::vector<kvm::Vcpu*>{vcpus_[0].get(), vcpus_[1].get()},
                        std::move(options), events_);
  }

  void Count(const TeardownOutcome& outcome) {
    if (outcome.part == TeardownOutcome::Part::kBackground) {
      reported_failures_ += outcome.ok ? 0 : 1;
      return;
    }
    ++foregrounds_;
    if (outcome.kind() == TeardownKind::kReboot)
      last_foreground_ = std::get<RebootStrategy>(outcome.strategy);
  }

  void Step() {
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        return protection_->state() == PvState::kNormal ? Protect() : Reboot();
      case 3:
      case 4:
        return Reboot();
      case 5:
        return SecureReset();
      case 6:
      case 7:
        return InjectFault();
      case 8:
        Note("policy");
        return protection_->SetPolicy({AnyMode(), AnyMode()});
      case 9:
        Note("pressure");
        return protection_->SetPressure(static_cast<PressureLevel>(Below(3)));
      case 10:
        Note("delays");
        before_perform_us_ = OneIn(2) ? 0 : static_cast<int>(Below(100));
        during_perform_us_ = OneIn(2) ? 0 : static_cast<int>(Below(200));
        return;
      case 11:
        Note("clear faults");
        return faults_.Clear();
    }
  }

  void InjectFault() {
    const Failure& failure = kFailures[Below(kFailures.size())];
    const int error = failure.errors[Below(failure.errors.size())];
    const auto [rc, rrc] =
        error == 0 ? std::pair<std::uint16_t, std::uint16_t>(1, 42) : kCodes[Below(kCodes.size())];
    const bool is_pv = failure.request == abi::KVM_S390_PV_COMMAND;
    kvm::Fault fault{.request = failure.request,
                     .occurrence = 1 + Below(2),
                     .error = error,
                     .rc = rc,
                     .rrc = rrc};
    if (is_pv) fault.pv_command = failure.command;
    Note(absl::StrFormat("fault %s call %u errno %d rc 0x%x rrc 0x%x",
                         is_pv ? kvm::PvCommandName(failure.command) : "of a CPU", fault.occurrence,
                         error, rc, rrc));
    faults_.Inject(fault);
  }

  // The host gives up: nothing but the end may follow.
  void GiveUp(const absl::Status& status) {
    Note(absl::StrCat("error: ", status.message()));
    Expect(!status.message().empty(), "an error without words");
    over_ = true;
  }

  void Protect() {
    Note("protect");
    const std::vector<std::uint8_t> header(640);
    const std::vector<ImageComponent> components = {{1, 0x10000, 0x3000}, {2, 0x20000, 0x1000}};
    const absl::StatusOr<ProtectOutcome> outcome =
        protection_->Protect(*vcpus_[Below(2)], header, components);
    if (!outcome.ok()) return GiveUp(outcome.status());
    Expect(outcome->is_protected == protection_->is_protected(), "protected or not?");
    Expect(outcome->is_protected == (outcome->guest_code == 0), "no answer for the guest");
  }

  void Reboot() {
    if (!protection_->is_protected()) return;
    Note("reboot");
    const int foregrounds = foregrounds_;
    const absl::Status status = protection_->Unprotect("reboot");
    Expect(foregrounds_ == foregrounds + 1, "a reboot that was not counted");
    Expect(protection_->last_decision(TeardownKind::kReboot).has_value(), "no decision kept");
    if (!status.ok()) {
      Expect(protection_->state() == PvState::kLost, "an error, but the guest is not lost");
      return GiveUp(status);
    }
    Expect(protection_->state() == PvState::kNormal, "not normal after a reboot");
    Expect(last_foreground_ == RebootStrategy::kSetAside ||
               protection_->cleaner().zombies().waiting == 0,
           "a guest waits that DISABLE has cleaned");
  }

  void SecureReset() {
    if (!protection_->is_protected()) return;
    Note("secure reset");
    const absl::Status status = protection_->SecureReset(
        OneIn(2) ? SecureResetKind::kModifiedClear : SecureResetKind::kLoadNormal, *vcpus_[0]);
    if (!status.ok()) GiveUp(status);
  }

  void Shutdown() {
    const DestroyDecision decision = protection_->DecideShutdown();
    Note(decision.ToString());
    const bool was_lost = protection_->state() == PvState::kLost;
    const absl::Status status = protection_->End("shutdown", decision);
    if (decision.shutdown() != ShutdownStrategy::kSync) {
      Expect(status.ok(), "nothing to do, and yet an error");
      return;
    }
    if (!status.ok()) {
      Note(std::string(status.message()));
      return Expect(protection_->state() == PvState::kLost, "an error, but the guest is not lost");
    }
    Expect(was_lost || protection_->state() == PvState::kNormal, "a synchronous end left a guest");
    Expect(protection_->cleaner().idle(), "a synchronous end left work");
  }

  void CheckState() {
    const PvState real = protection_->state();
    const PvState replayed = watch_.state();
    const bool same =
        real == replayed || (real == PvState::kProtected && replayed == PvState::kVerified);
    Expect(same, absl::StrCat("state ", PvStateName(real), ", but the kernel's answers lead to ",
                              PvStateName(replayed)));
    Expect(protection_->cleaner().zombies().waiting <= 1, "more than one set aside");
    Expect(Count("pv-enable") == 0 || real != PvState::kHalfDestroyed, "half destroyed");
  }

  int Count(const std::string& name) const {
    const std::vector<std::string> names = events_.Names();
    return static_cast<int>(std::count(names.begin(), names.end(), name));
  }

  void Finish() {
    // A process that ends at once leaves what waits to the kernel; one that does not, nothing.
    const bool at_once = OneIn(4);
    if (!at_once) {
      protection_->cleaner().WaitUntilIdle();
      const Zombies zombies = protection_->cleaner().zombies();
      const int own = protection_->state() == PvState::kNormal ? 0 : 1;
      Expect(fake_.secure_configurations() <= static_cast<int>(zombies.left) + own,
             "a guest is neither clean nor reported");
    }
    protection_.reset();
    Expect(Count("perform-begin") == watch_.performs(), "a PERFORM without an event");
    Expect(Count("perform-end") == watch_.performs(), "a PERFORM without an end");
    Expect(reported_failures_ + Count("already clean", events_) == watch_.failed_performs(),
           "a failed PERFORM that was not reported");
    vcpus_.clear();
    vm_.reset();
    system_.reset();
    Expect(fake_.open_descriptors() == 0, "a descriptor is left");
    Expect(fake_.mappings() == 0, "a mapping is left");
  }

  static int Count(absl::string_view reason, const EventRecorder& events) {
    int count = 0;
    for (const Event& event : events.Events())
      if (event.name == "perform-end" && event.reason == reason) ++count;
    return count;
  }

  std::mt19937 random_;
  kvm::FakeKernel fake_;
  kvm::FaultInjectingKernel faults_{fake_};
  WatchingKernel watch_{faults_};
  EventRecorder events_;
  std::atomic<int> before_perform_us_ = 0;
  std::atomic<int> during_perform_us_ = 0;
  std::atomic<int> foregrounds_ = 0;
  std::atomic<int> reported_failures_ = 0;
  RebootStrategy last_foreground_ = RebootStrategy::kDisable;
  std::optional<kvm::System> system_;
  std::optional<kvm::Vm> vm_;
  std::vector<std::unique_ptr<kvm::Vcpu>> vcpus_;
  std::optional<Protection> protection_;
  bool over_ = false;
  std::vector<std::string> script_;
  std::vector<std::string> violations_;
};

unsigned FromEnvironment(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  unsigned value;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(ProtectionProperty, HoldsOnEveryWalk) {
  const unsigned walks = FromEnvironment("LETHE_WALKS", 10'000);
  const unsigned first = FromEnvironment("LETHE_WALK_SEED", 1);
  std::uint64_t reboots = 0;
  std::uint64_t set_aside = 0;
  std::uint64_t faults = 0;
  for (unsigned seed = first; seed < first + walks; ++seed) {
    Walk walk(seed);
    walk.Run();
    ASSERT_THAT(walk.Violations(), IsEmpty())
        << "LETHE_WALK_SEED=" << seed << " LETHE_WALKS=1: " << walk.Script();
    reboots += static_cast<std::uint64_t>(walk.reboots());
    set_aside += static_cast<std::uint64_t>(walk.set_aside());
    faults += walk.faults();
  }
  std::cout << walks << " walks: " << reboots << " teardowns, " << set_aside << " set aside, "
            << faults << " faults\n";
  // The walks go where it is interesting.
  if (walks >= 1000) {
    EXPECT_GT(set_aside, walks / 4);
    EXPECT_GT(faults, walks / 4);
  }
}

}  // namespace
}  // namespace lethe
