#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/big_endian.h"
#include "emulated-host/ultravisor/properties_summary.h"
#include "emulated-host/ultravisor/test_machine.h"

// Guests that keep secrets in their pages, and a host that does everything it can to read or to
// change them, all at the same time: it touches, exports, pins, destroys, keeps copies and puts
// them back, here or there; guests share and unshare, end and are followed by others in the same
// memory, two at a time. Whatever anybody gets to see is searched for secrets that are not his, and
// a guest's page is what the guest left in it or is refused.
namespace lethe::emulated {
namespace {

constexpr std::size_t kPages = 12;
constexpr std::size_t kWords = kPageSize / 8;
// Marks a secret; the next word says whose.
constexpr std::uint64_t kMark = 0x7d3a'91c5'e824'6bf0;
constexpr int kGuests = 2;

class Secrecy : public ::testing::TestWithParam<bool> {
 protected:
  Secrecy() {
    UltravisorFeatures features;
    features.misc = GetParam();
    ultravisor_.set_features(features);
    region_ = &machine_.region();
  }

  // What a guest expects of one of its pages.
  struct Expectation {
    enum class Kind : std::uint8_t { kNever, kSecret, kAnything };
    Kind kind = Kind::kNever;  // never had, and thus zeros
    std::uint64_t id = 0;
  };
  struct Guest {
    std::shared_ptr<SecureConfiguration> configuration;
    std::unique_ptr<SecureCpu> cpu;
    std::uint64_t life = 0;
    std::array<Expectation, kPages> pages;
  };

  void Blame(const std::string& what) {
    const std::lock_guard lock(blame_mutex_);
    if (blame_.size() < 10) blame_.push_back(what);
    stop_ = true;
  }

  static std::uint64_t Word(const std::uint8_t* bytes, std::size_t index) {
    return LoadBigEndian<std::uint64_t>(bytes + 8 * index);
  }
  // A secret of anybody but `life` (0: of anybody at all).
  bool ShowsSecret(const std::uint8_t* bytes, std::uint64_t life) {
    looks_.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t i = 0; i + 1 < kWords; ++i) {
      if (Word(bytes, i) == kMark && (life == 0 || Word(bytes, i + 1) >> 32 != life)) return true;
    }
    return false;
  }
  static void FillSecret(std::uint8_t* bytes, std::uint64_t id) {
    for (std::size_t i = 0; i < kWords; i += 2) {
      StoreBigEndian(bytes + 8 * i, kMark);
      StoreBigEndian(bytes + 8 * i + 8, id);
    }
  }
  static bool Is(const std::uint8_t* bytes, const Expectation& expected) {
    for (std::size_t i = 0; i < kWords; i += 2) {
      const bool secret = expected.kind == Expectation::Kind::kSecret;
      if (Word(bytes, i) != (secret ? kMark : 0)) return false;
      if (Word(bytes, i + 1) != (secret ? expected.id : 0)) return false;
    }
    return true;
  }

  // --- a guest -----------------------------------------------------------------------------------

  // Its CPU runs into the page, and the kernel sees to it. False: refused.
  bool Reach(Guest& guest, std::size_t page) {
    const PageState state = machine_.state(page);
    if (state.kind() == PageKind::kSecure && state.owner() != guest.configuration->id()) {
      if (!ultravisor_.DestroyPage(*region_, page).ok()) {
        ultravisor_.ConvertFromSecure(*region_, page);
      }
    }
    if (!ultravisor_.features().misc) ultravisor_.ConvertFromSecure(*region_, page);
    return ultravisor_.ConvertToSecure(*guest.configuration, page * kPageSize).ok();
  }

  // The guest looks at a page and stores into it, as one access.
  void Access(Guest& guest, std::size_t page, bool store) {
    Expectation& expected = guest.pages[page];
    for (int tries = 0; tries < 4; ++tries) {
      const PageState state = region_->Lock(page);
      if (state.Admits(guest.configuration->id())) {
        std::uint8_t* const bytes = region_->bytes(page);
        const bool shared = state.kind() != PageKind::kSecure;
        if (shared) expected.kind = Expectation::Kind::kAnything;
        if (ShowsSecret(bytes, guest.life)) {
          Blame(absl::StrFormat("guest %u sees another's secret in page %u", guest.life, page));
        } else if (expected.kind != Expectation::Kind::kAnything && !Is(bytes, expected)) {
          Blame(absl::StrFormat("guest %u: page %u is not what it was", guest.life, page));
        }
        if (store && !shared) {
          expected = {Expectation::Kind::kSecret, guest.life << 32 | ++stores_};
          FillSecret(bytes, expected.id);
        }
        region_->Release(page, state);
        return;
      }
      region_->Release(page, state);
      if (!Reach(guest, page)) return;
    }
  }

  void ShareAndUnshare(Guest& guest, std::size_t page) {
    // It does not give away what is secret: its own secret goes first.
    PageState state = region_->Lock(page);
    const bool own = state.Admits(guest.configuration->id());
    if (own) std::memset(region_->bytes(page), 0x11, kPageSize);
    region_->Release(page, state);
    if (!own) return;
    guest.pages[page].kind = Expectation::Kind::kAnything;
    ultravisor_.Share(*guest.configuration, page * kPageSize);
    while (ultravisor_.Unshare(*guest.configuration, page * kPageSize).cc == 2) {
      ultravisor_.UnpinShared(*guest.configuration, page * kPageSize);
    }
  }

  Guest Begin(Cpu& cpu) {
    Guest guest;
    do {
      guest.configuration =
          ultravisor_.CreateConfiguration(machine_.storage(), machine_.mapping()).configuration;
    } while (guest.configuration == nullptr);
    guest.life = ++lives_;
    auto created = ultravisor_.CreateCpu(guest.configuration, cpu);
    if (!created.result.ok()) Blame("no CPU");
    guest.cpu = std::move(created.cpu);
    return guest;
  }
  // Its pages stay for who cleans, or who comes.
  void End(Guest& guest, bool fast) {
    ultravisor_.DestroyCpu(guest.cpu);
    const UvcResult ended = fast ? ultravisor_.DestroyConfigurationFast(*guest.configuration)
                                 : ultravisor_.DestroyConfiguration(*guest.configuration);
    if (!ended.ok()) Blame("the configuration stays");
  }

  void LiveOnAndOn(unsigned seed, std::size_t lives) {
    std::mt19937 random(seed);
    Cpu cpu(model_, static_cast<std::uint16_t>(seed), machine_.storage(), machine_.group(),
            machine_);
    for (std::size_t life = 0; life < lives && !stop_; ++life) {
      Guest guest = Begin(cpu);
      for (int step = 0; step < 60 && !stop_; ++step) {
        const std::size_t page = random() % kPages;
        if (random() % 8 == 0) {
          ShareAndUnshare(guest, page);
        } else {
          Access(guest, page, random() % 2 == 0);
        }
        if (random() % 40 == 0) ultravisor_.UnshareAll(*guest.configuration);
      }
      End(guest, random() % 2 == 0);
    }
  }

  // --- the host ----------------------------------------------------------------------------------

  // By calls.
  void Interfere(unsigned seed) {
    std::mt19937 random(seed);
    while (!stop_) {
      const std::size_t page = random() % kPages;
      switch (random() % 4) {
        case 0:
          ultravisor_.ConvertFromSecure(*region_, page);
          break;
        case 1:
          ultravisor_.PinShared(*region_, page);
          break;
        case 2:
          // A walk that destroys what is left of others.
          for (std::size_t i = 0; i < kPages; ++i) ultravisor_.DestroyPage(*region_, i);
          break;
        default:
          ultravisor_.MakeAccessible(*region_, page);
      }
      if (random() % 8 == 0) std::this_thread::yield();
    }
  }

  // Guests that come and go without ever doing anything: another machine of the same memory.
  void ComeAndGo() {
    while (!stop_) {
      const auto created = ultravisor_.CreateConfiguration(machine_.storage(), machine_.mapping());
      if (created.result.ok()) ultravisor_.DestroyConfiguration(*created.configuration);
      std::this_thread::yield();
    }
  }

  // As a device does, by what the page's state allows.
  void LookByState(unsigned seed) {
    std::mt19937 random(seed);
    std::array<Bytes, 8> kept;
    while (!stop_) {
      const std::size_t page = random() % kPages;
      const PageState state = region_->Lock(page);
      if (state.Admits(kNoConfiguration)) {
        std::uint8_t* const bytes = region_->bytes(page);
        if (ShowsSecret(bytes, 0)) Blame(absl::StrCat("the host may read page ", page));
        Bytes& copy = kept[random() % kept.size()];
        switch (random() % 8) {
          case 0:
            copy.assign(bytes, bytes + kPageSize);
            break;
          case 1:
            if (!copy.empty()) std::copy(copy.begin(), copy.end(), bytes);
            break;
          case 2:
            bytes[random() % kPageSize] ^= 1;
            break;
          default:
            break;
        }
      }
      region_->Release(page, state);
      std::this_thread::yield();
    }
  }

  // Through its own mapping: what is secure is exported when it is touched.
  void LookThroughMapping(unsigned seed) {
    if (machine_.mapping().concealment() == Concealment::kNone) return;
    std::mt19937 random(seed);
    Bytes seen(kPageSize);
    while (!stop_) {
      const std::size_t page = random() % kPages;
      volatile std::uint64_t* const words =
          reinterpret_cast<volatile std::uint64_t*>(machine_.client() + page * kPageSize);
      // Word by word: the page may change hands in between.
      for (std::size_t i = 0; i < kWords; ++i) {
        const std::uint64_t word = words[i];
        std::memcpy(seen.data() + 8 * i, &word, sizeof(word));
      }
      if (ShowsSecret(seen.data(), 0)) Blame(absl::StrCat("the host's mapping shows page ", page));
      if (random() % 16 == 0) words[random() % kWords] = random();
    }
  }

  void Run(std::size_t lives) {
    // The mapping is watched from the first configuration on.
    const auto first = machine_.Create();
    {
      std::vector<std::jthread> host;
      host.emplace_back([this] { Interfere(11); });
      host.emplace_back([this] { LookByState(12); });
      host.emplace_back([this] { LookThroughMapping(13); });
      host.emplace_back([this] { ComeAndGo(); });
      {
        std::vector<std::jthread> guests;
        for (unsigned i = 0; i < kGuests; ++i) {
          guests.emplace_back([this, i, lives] { LiveOnAndOn(i, lives); });
        }
      }
      stop_ = true;
    }
    EXPECT_TRUE(ultravisor_.DestroyConfiguration(*first).ok());
    for (const std::string& text : blame_) ADD_FAILURE() << text;
    PropertiesSummary::Of().looks += looks_;
  }

  const HostKey key_ = HostKey::Generate();
  Ultravisor ultravisor_{key_};
  TestMachine machine_{ultravisor_, kPages* kPageSize};
  HostRegion* region_ = nullptr;
  const CpuModel model_ = CpuModel::Default();
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> lives_{0};
  std::atomic<std::uint32_t> stores_{0};
  std::atomic<std::uint64_t> looks_{0};
  std::mutex blame_mutex_;
  std::vector<std::string> blame_;
};
INSTANTIATE_TEST_SUITE_P(WithoutAndWithMisc, Secrecy, ::testing::Bool());

// LETHE_UV_LIVES: guests, one after the other, in each of the two places.
TEST_P(Secrecy, NobodySeesWhatIsNotHis) { Run(NumberFromEnvironment("LETHE_UV_LIVES", 500)); }

// After the last guest and a walk over its memory nothing of anybody's is left anywhere.
TEST_P(Secrecy, NothingStaysBehind) {
  Run(10);
  for (std::size_t page = 0; page < kPages; ++page) {
    EXPECT_TRUE(ultravisor_.DestroyPage(*region_, page).ok());
    EXPECT_EQ(machine_.state(page).owner(), kNoConfiguration);
    EXPECT_FALSE(ShowsSecret(region_->bytes(page), 0)) << page;
  }
  EXPECT_EQ(ultravisor_.configurations(), 0u);
}

}  // namespace
}  // namespace lethe::emulated
