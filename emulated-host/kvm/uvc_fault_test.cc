#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "emulated-host/kvm/protecting_user.h"

// What the kernel makes of an Ultravisor that refuses, is busy, or does a part only (Linux,
// arch/s390/kvm/pv.c and kernel/uv.c).
namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

constexpr UvcResult kRefused = UvcResult::Refused(0x1234, 0x56);

std::size_t CountOwned(EmulatedKernel& kernel) {
  std::size_t owned = 0;
  for (const HostRegion* region : kernel.memory().regions()) {
    for (std::size_t page = 0; page < region->pages(); ++page) {
      owned += PageState(region->states()[page].load()).owner() != kNoConfiguration;
    }
  }
  return owned;
}

// --- one call after the other --------------------------------------------------------------------

struct Step {
  Uvc call;
  int error;  // of the command, when the call is refused
  std::function<Result(ProtectingUser&, Vcpu&)> command;
};

Result ByNumber(ProtectingUser& host, std::uint32_t number) { return host.Command(number); }

// The life of a guest, in order: after a refusal the step is repeated, with success.
std::vector<Step> Life() {
  const auto command = [](std::uint32_t number) {
    return [number](ProtectingUser& host, Vcpu&) { return ByNumber(host, number); };
  };
  return {
      {Uvc::kCreateConfiguration, -EIO, command(abi::KVM_PV_ENABLE)},
      {Uvc::kSetParameters, -EINVAL, [](auto& host, Vcpu&) { return host.SetParameters(); }},
      {Uvc::kUnpack, -EINVAL, [](auto& host, Vcpu&) { return host.Unpack(); }},
      {Uvc::kVerify, -EINVAL, command(abi::KVM_PV_VERIFY)},
      {Uvc::kUnshareAll, -EINVAL, command(abi::KVM_PV_UNSHARE_ALL)},
      {Uvc::kPrepareReset, -EINVAL, command(abi::KVM_PV_PREP_RESET)},
      {Uvc::kDestroyConfigurationFast, -EIO, command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE)},
  };
}

TEST(RefusedCall, FailsTheCommandWithItsCodes) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  std::copy(host.file().begin(), host.file().end(), host->memory().bytes());
  for (const Step& step : Life()) {
    SCOPED_TRACE(NumberOf(step.call));
    host.ultravisor().Inject({step.call, kRefused});
    EXPECT_EQ(step.command(host, cpu), (Result{step.error, 0x1234, 0x56}));
    EXPECT_EQ(step.command(host, cpu).error, 0);
  }
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM).error, 0);
  EXPECT_EQ(host->kernel().configurations(), 0);
  EXPECT_EQ(CountOwned(host->kernel()), 0u);
}

TEST(BusyCall, IsRepeatedUntilItIsDone) {
  for (const bool fast : {false, true}) {
    UltravisorFeatures features;
    features.destroy_fast = fast;
    ProtectingUser host(features);
    Vcpu& cpu = host->AddCpu();
    for (const UvcNumber& row : kUvcNumbers) {
      host.ultravisor().Inject({row.call, UvcResult::Busy(), 0, 1, 1.0, 1, 3});
      host.ultravisor().Inject({row.call, UvcResult::Partial(), 2, 5, 0.5, row.number, 100});
    }
    for (int round = 0; round < 2; ++round) {
      host.Start(cpu);
      EXPECT_EQ(host->Run(cpu), 0);
      EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
      // Touched by the host: exported, however busy the Ultravisor is.
      EXPECT_NE(host->memory().bytes()[0x11000], 0xa7);
      host.Stop(cpu);
      if (round == 0) {
        EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
        EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM),
                  fast ? Refused(0) : ProtectingUser::kDone);
      } else {
        EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
      }
      EXPECT_EQ(host->kernel().configurations(), 0);
      EXPECT_EQ(CountOwned(host->kernel()), 0u);
      EXPECT_EQ(host->Call(cpu.fd, abi::KVM_S390_CLEAR_RESET), 0);
    }
    EXPECT_GT(host.ultravisor().faults().taken(), 20u);
  }
}

TEST(BusyCall, AFatalSignalEndsUnpack) {
  std::atomic<bool> fatal{true};
  EmulatedKernelOptions options;
  options.fatal_signal_pending = [&] { return fatal.load(); };
  ProtectingUser host({}, std::move(options));
  host->AddCpu();
  std::copy(host.file().begin(), host.file().end(), host->memory().bytes());
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
  EXPECT_EQ(host.SetParameters(), ProtectingUser::kDone);
  host.ultravisor().Inject({Uvc::kUnpack, UvcResult::Busy(), 0, 1, 1.0, 1, 1000});
  EXPECT_EQ(host.Unpack(), Refused(-EAGAIN));
  fatal = false;
  EXPECT_EQ(host.Unpack(), ProtectingUser::kDone);
}

TEST(RefusedCall, ACpuThatCannotBeMadeUndoesEnable) {
  ProtectingUser host;
  host->AddCpu(0);
  host->AddCpu(1);
  host.ultravisor().Inject({Uvc::kCreateCpu, kRefused, /*after=*/1});
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), (Result{-EIO, 0x1234, 0x56}));
  EXPECT_EQ(host.ultravisor().counters().of(Uvc::kDestroyCpu), 1u);
  EXPECT_EQ(host.ultravisor().configurations(), 0u);
  EXPECT_EQ(host->kernel().configurations(), 0);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), Refused(-EINVAL));
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
}

// (A refusal that leaves nothing behind: FailsTheCommandWithItsCodes.)
TEST(RefusedCall, AHalfMadeConfigurationIsDestroyed) {
  ProtectingUser host;
  host->AddCpu();
  constexpr std::uint16_t kCode = UvcResult::kMustDestroy | 0x123;
  host.ultravisor().Inject({Uvc::kCreateConfiguration, UvcResult::Refused(kCode, 4)});
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), (Result{-EIO, kCode, 4}));
  EXPECT_EQ(host.ultravisor().counters().of(Uvc::kDestroyConfiguration), 1u);
  EXPECT_EQ(host.ultravisor().configurations(), 0u);
  EXPECT_EQ(host->kernel().configurations(), 0);
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
}

// The kernel does not know the CPU any more, the Ultravisor does: the configuration is lost.
TEST(RefusedCall, ACpuThatStaysKeepsItsConfiguration) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu(0);
  host->AddCpu(1);
  host.Start(cpu);
  host.ultravisor().Inject({Uvc::kDestroyCpu, kRefused});
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), (Result{-EIO, 0x1234, 0x56}));
  EXPECT_EQ(host.ultravisor().counters().of(Uvc::kDestroyCpu), 2u);  // the other one as well
  EXPECT_EQ(host.ultravisor().counters().of(Uvc::kDestroyConfiguration), 0u);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE),
            (Result{-EIO, UvcResult::kInvalidState, kOwnerHasCpus}));
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), Refused(-EINVAL));
  EXPECT_EQ(host->kernel().configurations(), 1);
  EXPECT_EQ(host.ultravisor().configurations(), 1u);
}

TEST(RefusedCall, AConfigurationThatStaysIsLostAndItsPagesAreNot) {
  for (const std::uint32_t number : {abi::KVM_PV_DISABLE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM}) {
    UltravisorFeatures features;
    features.destroy_fast = false;
    ProtectingUser host(features);
    Vcpu& cpu = host->AddCpu();
    host.Start(cpu);
    if (number == abi::KVM_PV_ASYNC_CLEANUP_PERFORM) {
      EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
    }
    host.ultravisor().Inject({Uvc::kDestroyConfiguration, kRefused});
    EXPECT_EQ(host.Command(number), (Result{-EIO, 0x1234, 0x56}));
    EXPECT_EQ(host.Command(number), Refused(-EINVAL));
    EXPECT_EQ(CountOwned(host->kernel()), 0u);
    EXPECT_EQ(host->kernel().configurations(), 1);
    EXPECT_EQ(host.ultravisor().configurations(), 1u);
  }
}

TEST(RefusedCall, APageThatStaysIsLeftToTheNextWalk) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  // The image lies behind the first 17 pages.
  host.ultravisor().Inject({Uvc::kDestroyPage, kRefused, 17, 2, 1.0, 1, 5});
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_GT(CountOwned(host->kernel()), 0u);
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(CountOwned(host->kernel()), 0u);
}

TEST(RefusedCall, AnImportIsTheEndOfTheCpu) {
  std::atomic<int> ends{0};
  EmulatedKernelOptions options;
  options.on_refused_import = [&] { ++ends; };
  ProtectingUser host({}, std::move(options));
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  host.ultravisor().Inject({Uvc::kConvertToSecure, kRefused});
  (void)host->memory().bytes()[0x11000];
  volatile std::uint8_t seen = host->memory().bytes()[0x11000];  // exported
  (void)seen;
  EXPECT_EQ(host->Run(cpu), -EINTR);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(host->Run(cpu), 0);
}

// --- an interrupted PERFORM ----------------------------------------------------------------------

class InterruptedPerform : public ::testing::TestWithParam<bool> {
 protected:
  static EmulatedKernelOptions Options(std::atomic<int>& looks) {
    EmulatedKernelOptions options;
    options.fatal_signal_pending = [&looks] { return looks > 0 && --looks == 0; };
    return options;
  }
  static UltravisorFeatures Features() {
    UltravisorFeatures features;
    features.destroy_fast = GetParam();
    return features;
  }

  // The guest lies above 2 GiB as well, as seen from PREPARE: there is a gap in its slots.
  void SetUp() override {
    ASSERT_EQ(host_->SetSlot(1, 16 << 20, high_.size(), high_.address()), 0);
    host_.Start(cpu_);
    for (std::size_t page = 0; page < high_.size() / kPageSize; ++page) {
      high_.bytes()[page * kPageSize] = 1;  // present
    }
    ASSERT_EQ(host_->Run(cpu_), 0);
    ASSERT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
  }
  std::uint64_t Destroyed() { return host_.ultravisor().counters().of(Uvc::kDestroyPage); }

  std::atomic<int> looks_{0};
  SharedMemory high_{std::size_t{1} << 20};
  ProtectingUser host_{Features(), Options(looks_)};
  Vcpu& cpu_{host_->AddCpu()};
};
INSTANTIATE_TEST_SUITE_P(WithAndWithoutDestroyFast, InterruptedPerform, ::testing::Bool());

TEST_P(InterruptedPerform, StopsAfterTheBatchAndLeavesTheRest) {
  const std::uint64_t before = Destroyed();
  looks_ = 1;
  EXPECT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), ProtectingUser::kSetAside);
  EXPECT_EQ(Destroyed() - before, 32u);
  // Nobody can take it up again but DISABLE, which a machine that is not protected refuses.
  EXPECT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(-EINVAL));
  EXPECT_EQ(host_.Command(abi::KVM_PV_DISABLE), Refused(-EINVAL));
  EXPECT_EQ(host_->kernel().configurations(), 1);
  EXPECT_EQ(host_.ultravisor().counters().of(Uvc::kDestroyConfiguration), 0u);
}

TEST_P(InterruptedPerform, IsFinishedByDisable) {
  for (int count = 1; count <= 3; ++count) {  // there may be several
    looks_ = count;
    EXPECT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), ProtectingUser::kSetAside);
    EXPECT_EQ(host_->kernel().configurations(), count);
    host_->Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET);
    host_.Start(cpu_);
    if (count < 3) {
      EXPECT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
    }
  }
  EXPECT_EQ(host_.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(host_->kernel().configurations(), 0);
  EXPECT_EQ(host_.ultravisor().counters().of(Uvc::kDestroyConfiguration), GetParam() ? 1u : 4u);
  EXPECT_EQ(CountOwned(host_->kernel()), 0u);
}

TEST_P(InterruptedPerform, IsFinishedByTheEndOfTheMachine) {
  looks_ = 2;
  EXPECT_EQ(host_.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), ProtectingUser::kSetAside);
  const std::uint64_t before = Destroyed();
  host_->CloseAll();
  EXPECT_EQ(host_->kernel().configurations(), 0);
  EXPECT_EQ(host_.ultravisor().configurations(), 0u);
  EXPECT_GT(Destroyed(), before + 32);
}

// --- the last close ------------------------------------------------------------------------------

// Run pages and descriptors, in every order: what is secure is destroyed with the last one, in the
// call that lets it go.
TEST(LastClose, DestroysSynchronously) {
  constexpr int kHolders = 4;
  for (int last = 0; last < kHolders; ++last) {
    HostKey key = HostKey::Generate();
    Ultravisor ultravisor(key);
    EmulatedKernelOptions options;
    options.ultravisor = &ultravisor;
    EmulatedKernel kernel(options);
    const SharedMemory memory(1 << 20);
    const int system = kernel.Open("/dev/kvm", O_RDWR);
    const int vm = kernel.Ioctl(system, abi::KVM_CREATE_VM, 0);
    const auto pass = [&](int fd, unsigned long request, auto argument) {
      return kernel.Ioctl(fd, request, reinterpret_cast<std::uintptr_t>(&argument));
    };
    ASSERT_EQ(pass(vm, abi::KVM_SET_USER_MEMORY_REGION,
                   abi::kvm_userspace_memory_region{0, 0, 0, memory.size(), memory.address()}),
              0);
    const int vcpu = kernel.Ioctl(vm, abi::KVM_CREATE_VCPU, 0);
    void* const run = reinterpret_cast<void*>(kernel.Map(vcpu, 4096));
    abi::kvm_create_device flic{abi::KVM_DEV_TYPE_FLIC, 0, 0};
    ASSERT_EQ(kernel.Ioctl(vm, abi::KVM_CREATE_DEVICE, reinterpret_cast<std::uintptr_t>(&flic)), 0);
    ASSERT_EQ(pass(vm, abi::KVM_S390_PV_COMMAND, abi::kvm_pv_cmd{}), 0);
    const std::function<int()> close[kHolders] = {
        [&] { return kernel.Close(vm); },
        [&] { return kernel.Close(vcpu); },
        [&] { return kernel.Unmap(run, 4096); },
        [&] { return kernel.Close(static_cast<int>(flic.fd)); },
    };
    for (int i = 1; i < kHolders; ++i) EXPECT_EQ(close[(last + i) % kHolders](), 0);
    EXPECT_EQ(kernel.configurations(), 1) << last;
    EXPECT_EQ(ultravisor.counters().of(Uvc::kDestroyCpu), 0u);
    EXPECT_EQ(close[last](), 0);
    EXPECT_EQ(kernel.configurations(), 0) << last;
    EXPECT_EQ(ultravisor.counters().of(Uvc::kDestroyCpu), 1u);
    kernel.Close(system);
  }
}

}  // namespace
}  // namespace lethe::emulated
