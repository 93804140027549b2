#include "emulated-host/ultravisor/ultravisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/big_endian.h"
#include "emulated-host/ultravisor/test_machine.h"
#include "image/header.h"

namespace lethe::emulated {
namespace {

using Phase = SecureConfiguration::Phase;

const HostKey& GoldenKey() {
  static const HostKey* const key = new HostKey(ReadGoldenKey("host.key"));
  return *key;
}

UvcResult Refused(std::uint16_t rc, std::uint16_t rrc) { return UvcResult::Refused(rc, rrc); }

class UltravisorTest : public ::testing::Test {
 protected:
  // Starts an image after `change` was made to the file.
  template <typename Change>
  UvcResult StartChanged(const std::string& name, Change change) {
    TestMachine machine(ultravisor_);
    const auto configuration = machine.Create();
    Bytes file = ReadGolden(name);
    change(file);
    const UvcResult result = machine.Start(*configuration, file);
    EXPECT_TRUE(ultravisor_.DestroyConfiguration(*configuration).ok());
    return result;
  }

  Ultravisor ultravisor_{GoldenKey()};
};

// --- images --------------------------------------------------------------------------------------

TEST_F(UltravisorTest, GoldenImagesUnpackToTheirInputs) {
  for (const char* name : {"g216-plain.pv", "g235-plain.pv", "g235-noenc.pv", "g235-2slots-dump.pv",
                           "g235-kernelonly.pv"}) {
    SCOPED_TRACE(name);
    TestMachine machine(ultravisor_);
    const auto configuration = machine.Create();
    EXPECT_EQ(machine.Start(*configuration, ReadGolden(name)), UvcResult::Done());
    EXPECT_EQ(configuration->phase(), Phase::kVerified);
    const Bytes kernel = ReadGolden("in/kernel.bin");
    const auto parameters = ReadGoldenImage(name).parameters;
    EXPECT_TRUE(std::equal(kernel.begin(), kernel.end(),
                           machine.region().bytes() + parameters.components[0].address));
    EXPECT_EQ(configuration->DumpAllowed(), std::string(name) == "g235-2slots-dump.pv");
    ultravisor_.DestroyConfiguration(*configuration);
  }
}

TEST_F(UltravisorTest, AnImageForAnotherHostIsRefused) {
  const HostKey other = HostKey::Generate();
  Ultravisor stranger(other);
  TestMachine machine(stranger);
  const auto configuration = machine.Create();
  EXPECT_EQ(machine.Start(*configuration, ReadGolden("g235-plain.pv")), Refused(0x0108, 5));
}

TEST_F(UltravisorTest, OneFlippedBitGivesTheRightCode) {
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  const std::uint64_t header = image.parameters.header_address;
  const auto flip = [&](std::uint64_t at) {
    return StartChanged("g235-plain.pv", [at](Bytes& file) { file[at] ^= 1; });
  };
  EXPECT_EQ(flip(header + 10), Refused(0x0104, 0x01));         // version
  EXPECT_EQ(flip(header + 39), Refused(0x010a, 0x40));         // number of key slots
  EXPECT_EQ(flip(header + 46), Refused(0x010a, 0x39));         // size of the encrypted area
  EXPECT_EQ(flip(header + 56), Refused(0x0106, 0x30));         // plaintext flags
  EXPECT_EQ(flip(header + 100), Refused(0x0108, 0x0b));        // customer key
  EXPECT_EQ(flip(header + 420), Refused(0x0108, 0x05));        // key slot: host key hash
  EXPECT_EQ(flip(header + 460), Refused(0x010a, kSlotTag));    // key slot: wrapped key
  EXPECT_EQ(flip(header + 52), Refused(0x010a, kHeaderTag));   // plain part
  EXPECT_EQ(flip(header + 550), Refused(0x010a, kHeaderTag));  // encrypted area
  EXPECT_EQ(flip(header + 639), Refused(0x010a, kHeaderTag));  // tag
  for (const ImageComponent& part : image.parameters.components) {
    EXPECT_EQ(flip(part.address + 77), Refused(0x0102, kPageDigest));
  }
}

TEST_F(UltravisorTest, AChangedAddressListIsNoticed) {
  const Bytes file = ReadGolden("g235-plain.pv");
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  const auto start = [&](const IplParameters& parameters) {
    TestMachine machine(ultravisor_);
    const auto configuration = machine.Create();
    std::copy(file.begin(), file.end(), machine.client());
    // The same content at the address next to it.
    std::copy(file.begin() + image.parameters.components[3].address,
              file.begin() + image.parameters.components[3].address + kPageSize,
              machine.client() + image.parameters.components[3].address + 4 * kPageSize);
    const UvcResult result = machine.Start(*configuration, image.header, parameters);
    ultravisor_.DestroyConfiguration(*configuration);
    return result;
  };
  EXPECT_EQ(start(image.parameters), UvcResult::Done());
  IplParameters moved = image.parameters;
  moved.components[3].address += 4 * kPageSize;
  EXPECT_EQ(start(moved), Refused(0x0102, kAddressDigest));
  IplParameters tweaked = image.parameters;
  tweaked.components[3].tweak_prefix ^= 1;
  EXPECT_EQ(start(tweaked), Refused(0x0102, kTweakDigest));
  IplParameters shorter = image.parameters;
  shorter.components.pop_back();
  EXPECT_EQ(start(shorter), Refused(0x0102, kPageCount));
}

TEST_F(UltravisorTest, StepsComeInOrder) {
  TestMachine machine(ultravisor_);
  const auto configuration = machine.Create();
  EXPECT_EQ(ultravisor_.Verify(*configuration).rc, UvcResult::kInvalidState);
  EXPECT_EQ(ultravisor_.Unpack(*configuration, 0, {}).rc, UvcResult::kInvalidState);
  const Bytes file = ReadGolden("g235-plain.pv");
  ASSERT_TRUE(machine.Start(*configuration, file).ok());
  EXPECT_EQ(ultravisor_.SetParameters(*configuration, ReadGoldenImage("g235-plain.pv").header).rc,
            UvcResult::kInvalidState);
  EXPECT_EQ(ultravisor_.Unpack(*configuration, 0, {}).rc, UvcResult::kInvalidState);
  EXPECT_TRUE(ultravisor_.DestroyConfiguration(*configuration).ok());
  EXPECT_FALSE(ultravisor_.DestroyConfiguration(*configuration).ok());
  EXPECT_FALSE(ultravisor_.ConvertToSecure(*configuration, 0).ok());
}

// --- pages ---------------------------------------------------------------------------------------

// A started guest.
class Guest : public UltravisorTest {
 protected:
  Guest() {
    configuration_ = machine_.Create();
    LETHE_CHECK(machine_.Start(*configuration_, ReadGolden("g235-plain.pv")).ok());
  }

  std::uint8_t* inside(std::size_t page) { return machine_.region().bytes(page); }
  bool Import(std::size_t page) {
    return ultravisor_.ConvertToSecure(*configuration_, page * kPageSize).ok();
  }
  void Export(std::size_t page) {
    EXPECT_TRUE(ultravisor_.ConvertFromSecure(machine_.region(), page).ok());
  }
  bool IsFilled(std::size_t page, std::uint8_t value) {
    const std::uint8_t* bytes = inside(page);
    return std::all_of(bytes, bytes + kPageSize, [=](std::uint8_t byte) { return byte == value; });
  }
  void Fill(std::size_t page, std::uint8_t value) { std::fill_n(inside(page), kPageSize, value); }

  static constexpr std::size_t kFree = 100;  // a page no component uses

  TestMachine machine_{ultravisor_};
  std::shared_ptr<SecureConfiguration> configuration_;
  CpuModel model_ = CpuModel::Default();
  Cpu cpu_{model_, 0, machine_.storage(), machine_.group(), machine_};
};

TEST_F(Guest, FreshPagesAreZero) {
  std::fill_n(machine_.client() + kFree * kPageSize, kPageSize, std::uint8_t{0xab});
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kNonSecure);
  ASSERT_TRUE(Import(kFree));
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kSecure);
  EXPECT_TRUE(IsFilled(kFree, 0));
}

TEST_F(Guest, ExportedPagesComeBack) {
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 0x5a);
  Export(kFree);
  EXPECT_FALSE(IsFilled(kFree, 0x5a));
  EXPECT_GT(machine_.purges, 0);
  ASSERT_TRUE(Import(kFree));
  EXPECT_TRUE(IsFilled(kFree, 0x5a));
}

TEST_F(Guest, TamperingIsNoticed) {
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 0x5a);
  Export(kFree);
  machine_.client()[kFree * kPageSize + 1234] ^= 0x10;
  EXPECT_FALSE(Import(kFree));
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kNonSecure);
  machine_.client()[kFree * kPageSize + 1234] ^= 0x10;
  EXPECT_TRUE(Import(kFree));
}

TEST_F(Guest, ReplayIsNoticed) {
  std::uint8_t* const client = machine_.client() + kFree * kPageSize;
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 1);
  Export(kFree);
  const std::vector<std::uint8_t> old(client, client + kPageSize);
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 2);
  Export(kFree);
  std::copy(old.begin(), old.end(), client);
  EXPECT_FALSE(Import(kFree));
}

TEST_F(Guest, APageCannotStandForAnother) {
  for (const std::size_t page : {kFree, kFree + 1}) {
    ASSERT_TRUE(Import(page));
    Fill(page, 7);
    Export(page);
  }
  std::uint8_t* const client = machine_.client() + kFree * kPageSize;
  std::copy(client, client + kPageSize, client + kPageSize);
  EXPECT_FALSE(Import(kFree + 1));
}

TEST_F(Guest, PagesAreNotDestroyedUnderACpu) {
  ASSERT_TRUE(Import(kFree));
  auto created = ultravisor_.CreateCpu(configuration_, cpu_);
  ASSERT_TRUE(created.result.ok());
  EXPECT_EQ(ultravisor_.DestroyPage(machine_.region(), kFree).rrc, kOwnerHasCpus);
  EXPECT_FALSE(ultravisor_.DestroyConfiguration(*configuration_).ok());
  Fill(kFree, 9);
  ASSERT_TRUE(ultravisor_.DestroyCpu(created.cpu).ok());
  EXPECT_EQ(cpu_.configuration(), kNoConfiguration);
  EXPECT_TRUE(ultravisor_.DestroyPage(machine_.region(), kFree).ok());
  EXPECT_TRUE(IsFilled(kFree, 0));
  EXPECT_TRUE(ultravisor_.DestroyPage(machine_.region(), kFree).ok());  // nothing to do
}

TEST_F(Guest, PagesOutliveTheirConfigurationInSecret) {
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 0x77);
  ASSERT_TRUE(ultravisor_.DestroyConfigurationFast(*configuration_).ok());
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kSecure);
  Export(kFree);
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kNonSecure);
  EXPECT_FALSE(IsFilled(kFree, 0x77));
}

TEST_F(Guest, ASecondConfigurationMustDestroyFirst) {
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 0x77);
  ASSERT_TRUE(ultravisor_.DestroyConfiguration(*configuration_).ok());
  const auto second = machine_.Create();
  EXPECT_NE(second->id(), configuration_->id());
  EXPECT_EQ(ultravisor_.ConvertToSecure(*second, kFree * kPageSize).rrc, kForeignPage);
  EXPECT_TRUE(ultravisor_.DestroyPage(machine_.region(), kFree).ok());
  EXPECT_TRUE(ultravisor_.ConvertToSecure(*second, kFree * kPageSize).ok());
  EXPECT_TRUE(IsFilled(kFree, 0));
}

TEST_F(Guest, PagesThatWereOnceInPlainAreNotTrusted) {
  // The host writes a page the guest has never had: the guest gets zeros, not the host's bytes.
  Fill(kFree, 3);
  ASSERT_TRUE(Import(kFree));
  EXPECT_TRUE(IsFilled(kFree, 0));
}

TEST_F(Guest, AddressesOutsideOfStorageAreNotPresent) {
  EXPECT_EQ(ultravisor_.ConvertToSecure(*configuration_, machine_.pages() * kPageSize).rc,
            UvcResult::kPageNotPresent);
}

TEST_F(Guest, OnlySharedPagesArePinned) {
  ASSERT_TRUE(Import(kFree));
  EXPECT_FALSE(ultravisor_.PinShared(machine_.region(), kFree).ok());
  EXPECT_FALSE(ultravisor_.UnpinShared(*configuration_, kFree * kPageSize).ok());
}

// A page that was destroyed under a guest that lives must not pass for one it never had.
TEST_F(Guest, ADestroyedPageDoesNotComeBackAsZeros) {
  ASSERT_TRUE(Import(kFree));
  Fill(kFree, 0x5a);
  ASSERT_TRUE(ultravisor_.DestroyPage(machine_.region(), kFree).ok());  // no CPU yet
  EXPECT_EQ(ultravisor_.ConvertToSecure(*configuration_, kFree * kPageSize),
            Refused(UvcResult::kInvalidState, kPageIntegrity));
  // Nor does one of the image.
  const std::uint64_t kernel = ReadGoldenImage("g235-plain.pv").parameters.components[0].address;
  ASSERT_TRUE(ultravisor_.DestroyPage(machine_.region(), kernel / kPageSize).ok());
  EXPECT_EQ(ultravisor_.ConvertToSecure(*configuration_, kernel).rrc, kPageIntegrity);
}

TEST_F(Guest, ASharedPageLeavesAndComesBackShared) {
  const std::uint64_t absolute = kFree * kPageSize;
  ASSERT_TRUE(ultravisor_.Share(*configuration_, absolute).ok());
  Fill(kFree, 0x33);
  ASSERT_TRUE(ultravisor_.PinShared(machine_.region(), kFree).ok());
  Export(kFree);
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kNonSecure);
  EXPECT_TRUE(IsFilled(kFree, 0x33));
  Fill(kFree, 0x44);  // the host, as it may
  ASSERT_TRUE(Import(kFree));
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kShared);
  EXPECT_TRUE(IsFilled(kFree, 0x44));
  // What is outside when all is unshared is the guest's alone as well.
  Export(kFree);
  ASSERT_TRUE(ultravisor_.UnshareAll(*configuration_).ok());
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kSecure);
}

// What KVM does on a machine without the feature, when two configurations are there.
TEST_F(Guest, ForeignSharedPagesChangeHands) {
  for (const bool misc : {false, true}) {
    SCOPED_TRACE(misc);
    UltravisorFeatures features;
    features.misc = misc;
    ultravisor_.set_features(features);
    const std::uint64_t absolute = (kFree + (misc ? 1 : 0)) * kPageSize;
    const std::size_t page = absolute / kPageSize;
    ASSERT_TRUE(ultravisor_.Share(*configuration_, absolute).ok());
    const auto second =
        ultravisor_.CreateConfiguration(machine_.storage(), machine_.mapping()).configuration;
    const UvcResult taken = ultravisor_.ConvertToSecure(*second, absolute);
    EXPECT_EQ(taken, misc ? UvcResult::Done() : Refused(UvcResult::kInvalidState, kForeignPage));
    if (!misc) {
      Export(page);
      EXPECT_TRUE(ultravisor_.ConvertToSecure(*second, absolute).ok());
    }
    EXPECT_EQ(machine_.state(page).owner(), second->id());
    EXPECT_EQ(machine_.state(page).kind(), PageKind::kSecure);
    EXPECT_TRUE(ultravisor_.DestroyConfiguration(*second).ok());
  }
}

TEST_F(Guest, AHandleThatEndedIsKnownToNoCall) {
  const std::uint64_t absolute = kFree * kPageSize;
  ASSERT_TRUE(ultravisor_.DestroyConfiguration(*configuration_).ok());
  const UvcResult unknown = UvcResult::Refused(UvcResult::kInvalidHandle);
  EXPECT_EQ(ultravisor_.DestroyConfiguration(*configuration_), unknown);
  EXPECT_EQ(ultravisor_.DestroyConfigurationFast(*configuration_), unknown);
  EXPECT_EQ(ultravisor_.SetParameters(*configuration_, {}), unknown);
  EXPECT_EQ(ultravisor_.Unpack(*configuration_, 0, {}), unknown);
  EXPECT_EQ(ultravisor_.Verify(*configuration_), unknown);
  EXPECT_EQ(ultravisor_.PrepareReset(*configuration_), unknown);
  EXPECT_EQ(ultravisor_.UnshareAll(*configuration_), unknown);
  EXPECT_EQ(ultravisor_.CreateCpu(configuration_, cpu_).result, unknown);
  EXPECT_EQ(ultravisor_.ConvertToSecure(*configuration_, absolute), unknown);
  EXPECT_EQ(ultravisor_.UnpinShared(*configuration_, absolute), unknown);
  EXPECT_EQ(ultravisor_.Share(*configuration_, absolute), unknown);
  EXPECT_EQ(ultravisor_.Unshare(*configuration_, absolute), unknown);
}

TEST_F(Guest, EveryCallIsCounted) {
  const auto& counters = ultravisor_.counters();
  EXPECT_EQ(counters.of(Uvc::kCreateConfiguration), 1);
  EXPECT_EQ(counters.of(Uvc::kSetParameters), 1);
  EXPECT_EQ(counters.of(Uvc::kVerify), 1);
  const std::uint64_t before = counters.of(Uvc::kConvertToSecure);
  Import(kFree);
  Export(kFree);
  EXPECT_EQ(counters.of(Uvc::kConvertToSecure), before + 1);
  EXPECT_EQ(counters.of(Uvc::kConvertFromSecure), 1);
}

TEST_F(Guest, CostIsTimeSpent) {
  using Clock = std::chrono::steady_clock;
  ultravisor_.SetCost(Uvc::kConvertFromSecure, std::chrono::milliseconds(3));
  const auto start = Clock::now();
  Export(kFree);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(3));  // a promise, not a measurement
}

TEST_F(Guest, SwitchedOffFeaturesAreGone) {
  UltravisorFeatures features;
  features.destroy_fast = false;
  ultravisor_.set_features(features);
  EXPECT_EQ(ultravisor_.installed_calls()[0] >> (63 - 23) & 1, 0);
  EXPECT_EQ(ultravisor_.DestroyConfigurationFast(*configuration_).rc, UvcResult::kInvalidCommand);
  features.destroy_fast = true;
  features.devices_bound = true;
  ultravisor_.set_features(features);
  EXPECT_EQ(ultravisor_.DestroyConfigurationFast(*configuration_).rc, UvcResult::kDevicesBound);
}

TEST_F(Guest, QueryTellsWhatIsThere) {
  std::array<std::uint8_t, 0x120> block{};
  EXPECT_EQ(ultravisor_.Query(absl::MakeSpan(block)), UvcResult::Done());
  const auto calls = LoadBigEndian<std::uint64_t>(block.data() + 0x10);
  EXPECT_EQ(calls, ultravisor_.installed_calls()[0]);
  EXPECT_EQ(calls >> (63 - 8) & 1, 0);  // share is a guest's
  EXPECT_EQ(ultravisor_.Query(absl::MakeSpan(block).first(0xa8)).rc, UvcResult::kMoreData);
  EXPECT_EQ(ultravisor_.Query(absl::MakeSpan(block).first(0xa7)).rc, UvcResult::kInvalidLength);
}

// Threads import, export and look at the same pages; the content of a page, when it is the guest's,
// is always what the guest wrote, and nobody else ever sees it.
TEST_F(Guest, RandomWalksKeepContentAndSecret) {
  constexpr std::size_t kPages = 24;
  constexpr std::uint8_t kSecret = 0xc5;
  std::atomic<bool> stop{false};
  std::atomic<int> leaks{0};
  for (std::size_t page = kFree; page < kFree + kPages; ++page) {
    ASSERT_TRUE(Import(page));
    Fill(page, kSecret);
  }
  std::vector<std::jthread> threads;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    threads.emplace_back([&, seed] {
      std::minstd_rand random(seed);
      while (!stop) {
        const std::size_t page = kFree + random() % kPages;
        if (random() % 2 == 0) {
          Export(page);
        } else if (!Import(page)) {
          ++leaks;
        }
      }
    });
  }
  threads.emplace_back([&] {
    std::minstd_rand random(7);
    for (int i = 0; i < 3000; ++i) {
      // The client looks: it must find ciphertext.
      const std::size_t page = kFree + random() % kPages;
      const volatile std::uint8_t* seen = machine_.client() + page * kPageSize;
      int equal = 0;
      for (std::size_t at = 0; at < 64; ++at) equal += seen[at] == kSecret;
      if (equal > 16) ++leaks;
    }
    stop = true;
  });
  threads.clear();
  if (machine_.mapping().concealment() != Concealment::kNone) {
    EXPECT_EQ(leaks, 0);
  }
  for (std::size_t page = kFree; page < kFree + kPages; ++page) {
    ASSERT_TRUE(Import(page));
    EXPECT_TRUE(IsFilled(page, kSecret));
  }
}

// --- a thread that is killed in the middle -------------------------------------------------------

// What a page's state was when somebody stored into the page for the first time.
struct FirstStore {
  std::uint8_t* page = nullptr;
  const std::atomic<std::uint32_t>* state = nullptr;
  std::uint32_t found = 0;
};
FirstStore first_store;  // a signal handler has no other way to know

void OnStore(int, siginfo_t* info, void*) {
  if (first_store.page == nullptr) abort();
  const auto offset = static_cast<std::uint8_t*>(info->si_addr) - first_store.page;
  if (offset < 0 || offset >= static_cast<std::ptrdiff_t>(kPageSize)) abort();
  first_store.found = first_store.state->load();
  mprotect(first_store.page, kPageSize, PROT_READ | PROT_WRITE);
}

class KilledThread : public Guest {
 protected:
  KilledThread() {
    struct sigaction action {};
    action.sa_sigaction = &OnStore;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &before_);
  }
  ~KilledThread() override {
    sigaction(SIGSEGV, &before_, nullptr);
    first_store = {};
  }

  // The state that is left if the thread dies when it has begun to change the page.
  template <typename Call>
  PageState StateAtFirstStore(std::size_t page, Call call) {
    first_store = {inside(page), &machine_.region().states()[page], 0};
    LETHE_CHECK(mprotect(inside(page), kPageSize, PROT_READ) == 0);
    EXPECT_TRUE(call().ok());
    return PageState(first_store.found);
  }

 private:
  struct sigaction before_ {};
};

// Plain text that nobody has released yet must not pass for the host's when the lock is broken.
TEST_F(KilledThread, LeavesAPageSecureBeforeThePlainTextIsThere) {
  const auto import = [&] {
    return ultravisor_.ConvertToSecure(*configuration_, kFree * kPageSize);
  };
  const auto expect_secure = [&](PageState state) {
    EXPECT_TRUE(state.locked());
    EXPECT_EQ(state.kind(), PageKind::kSecure);
    EXPECT_EQ(state.owner(), configuration_->id());
  };
  expect_secure(StateAtFirstStore(kFree, import));  // zeros
  Fill(kFree, 0x5a);
  // On its way out it is secure until nothing of it can be read.
  expect_secure(StateAtFirstStore(
      kFree, [&] { return ultravisor_.ConvertFromSecure(machine_.region(), kFree); }));
  expect_secure(StateAtFirstStore(kFree, import));  // decrypted
  EXPECT_TRUE(IsFilled(kFree, 0x5a));
}

TEST_F(KilledThread, LeavesAPageOfTheImageSecure) {
  const auto fresh = machine_.Create();
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  ASSERT_TRUE(ultravisor_.SetParameters(*fresh, image.header).ok());
  const std::uint64_t absolute = (kFree + 1) * kPageSize;
  const PageState state = StateAtFirstStore(kFree + 1, [&] {
    return ultravisor_.Unpack(*fresh, absolute, {1, 2});
  });
  EXPECT_EQ(state.kind(), PageKind::kSecure);
  EXPECT_EQ(state.owner(), fresh->id());
}

// What has been told ahead counts when the lock is broken.
TEST_F(KilledThread, IsCleanedUpAfterByWhatItForetold) {
  HostRegion* const region = &machine_.region();
  const PageState state = region->Lock(kFree);
  region->Foretell(kFree, PageState(PageKind::kSecure, configuration_->id(), state.exposed()));
  ultravisor_.BreakLocks({&region, 1});
  EXPECT_FALSE(machine_.state(kFree).locked());
  EXPECT_EQ(machine_.state(kFree).kind(), PageKind::kSecure);
  Fill(kFree, 0x5a);
  EXPECT_TRUE(ultravisor_.DestroyPage(*region, kFree).ok());
  EXPECT_TRUE(IsFilled(kFree, 0));
}

TEST_F(UltravisorTest, NumbersRestWhilePagesNameThem) {
  TestMachine machine(ultravisor_);
  const auto first = machine.Create();
  ASSERT_TRUE(ultravisor_.ConvertToSecure(*first, 0).ok());
  ASSERT_TRUE(ultravisor_.DestroyConfiguration(*first).ok());
  for (int i = 0; i < 5000; ++i) {
    const auto next = ultravisor_.CreateConfiguration(machine.storage(), machine.mapping());
    ASSERT_TRUE(next.result.ok());
    ASSERT_NE(next.configuration->id(), first->id());
    ASSERT_TRUE(ultravisor_.DestroyConfiguration(*next.configuration).ok());
  }
}

TEST_F(UltravisorTest, ThereIsALimitToConfigurations) {
  UltravisorFeatures features;
  features.max_configurations = 2;
  ultravisor_.set_features(features);
  TestMachine machine(ultravisor_);
  const auto first = machine.Create();
  const auto second = machine.Create();
  EXPECT_FALSE(ultravisor_.CreateConfiguration(machine.storage(), machine.mapping()).result.ok());
  ultravisor_.DestroyConfiguration(*first);
  EXPECT_TRUE(ultravisor_.CreateConfiguration(machine.storage(), machine.mapping()).result.ok());
}

TEST_F(UltravisorTest, PrivateMemoryWorksWithoutHiding) {
  TestMachine machine(ultravisor_, std::size_t{1} << 20, TestMachine::Memory::kPrivate);
  EXPECT_FALSE(machine.region().concealable());
  const auto configuration = machine.Create();
  EXPECT_TRUE(machine.Start(*configuration, ReadGolden("g235-plain.pv")).ok());
}

}  // namespace
}  // namespace lethe::emulated
