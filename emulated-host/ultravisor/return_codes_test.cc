#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/big_endian.h"
#include "emulated-host/ultravisor/properties_summary.h"
#include "emulated-host/ultravisor/test_machine.h"
#include "emulated-host/ultravisor/tiny_image.h"

// Every return code that is known (docs/ultravisor.md), produced by its name.
namespace lethe::emulated {
namespace {

constexpr std::uint64_t kFree = 5 * kPageSize;  // an address no page of the image has
constexpr std::uint64_t kBlock = 6 * kPageSize;

// A guest with two pages of image and whatever state a row needs.
class Bench {
 public:
  Bench() : image_(key_, {kPageSize, 2 * kPageSize}, [](std::size_t n) { return n + 1; }) {
    configuration_ = machine_.Create();
  }
  ~Bench() {
    if (cpu_ != nullptr) uv_.DestroyCpu(cpu_);
  }

  Ultravisor& uv() { return uv_; }
  TestMachine& machine() { return machine_; }
  SecureConfiguration& guest() { return *configuration_; }
  const TinyImage& image() const { return image_; }
  std::shared_ptr<SecureConfiguration> MakeOther() {
    return uv_.CreateConfiguration(machine_.storage(), machine_.mapping()).configuration;
  }
  void Switch(const std::function<void(UltravisorFeatures&)>& change) {
    UltravisorFeatures features = uv_.features();
    change(features);
    uv_.set_features(features);
  }

  UvcResult SetParameters(const std::function<void(TinyImage::Parts&)>& change) {
    return uv_.SetParameters(guest(), image_.SealChanged(change));
  }
  UvcResult SetFlipped(std::size_t offset) {
    Bytes header = image_.header();
    header[offset < header.size() ? offset : header.size() - 1] ^= 1;
    return uv_.SetParameters(guest(), header);
  }
  UvcResult Unpack(std::size_t page, std::uint64_t absolute, std::uint64_t tweak_change = 0) {
    const TinyImage::Page& one = image_.pages()[page];
    std::copy(one.content.begin(), one.content.end(), machine_.region().bytes() + absolute);
    return uv_.Unpack(guest(), absolute, {one.tweak.prefix + tweak_change, one.tweak.offset});
  }
  UvcResult Start() {
    EXPECT_TRUE(uv_.SetParameters(guest(), image_.header()).ok());
    for (std::size_t n = 0; n < image_.pages().size(); ++n) {
      EXPECT_TRUE(Unpack(n, image_.pages()[n].absolute).ok());
    }
    return uv_.Verify(guest());
  }
  SecureCpu& MakeCpu() {
    auto created = uv_.CreateCpu(configuration_, plain_cpu_);
    EXPECT_TRUE(created.result.ok());
    cpu_ = std::move(created.cpu);
    return *cpu_;
  }
  UvcResult MakeCpuAt(std::uint16_t address) {
    Cpu cpu(model_, address, machine_.storage(), machine_.group(), machine_);
    auto created = uv_.CreateCpu(configuration_, cpu);
    const UvcResult result = created.result;
    if (created.cpu != nullptr) uv_.DestroyCpu(created.cpu);
    return result;
  }

  // The instruction, executed by the guest's CPU: the answer from its block and its condition code.
  UvcResult CallAsGuest(std::uint16_t command, std::uint16_t length, std::uint64_t address = 0) {
    if (cpu_ == nullptr) {
      EXPECT_TRUE(Start().ok());
      EXPECT_TRUE(uv_.SetCpuState(MakeCpu(), 5).ok());
    }
    EXPECT_TRUE(uv_.ConvertToSecure(guest(), kBlock).ok());
    std::uint8_t* const block = machine_.region().bytes() + kBlock;
    StoreBigEndian(block, length);
    StoreBigEndian(block + 2, command);
    StoreBigEndian<std::uint32_t>(block + 4, 0);
    StoreBigEndian(block + 0x20, address);
    plain_cpu_.registers().general[3] = kBlock;
    Exit exit;
    exit.reason = Exit::Reason::kInstruction;
    exit.ipa = 0xb9a4;
    exit.ipb = 0x00030000;
    exit.length = 4;
    cpu_->Take(exit);
    return {static_cast<std::uint8_t>(plain_cpu_.registers().psw.mask >> 44 & 3),
            LoadBigEndian<std::uint16_t>(block + 4), LoadBigEndian<std::uint16_t>(block + 6)};
  }

 private:
  const HostKey key_ = HostKey::Generate();
  Ultravisor uv_{key_};
  TinyImage image_;
  TestMachine machine_{uv_, 8 * kPageSize};
  std::shared_ptr<SecureConfiguration> configuration_;
  const CpuModel model_ = CpuModel::Default();
  Cpu plain_cpu_{model_, 0, machine_.storage(), machine_.group(), machine_};
  std::unique_ptr<SecureCpu> cpu_;
};

struct CodeRow {
  const char* name;
  UvcResult expected;
  std::function<UvcResult(Bench&)> produce;
};

constexpr UvcResult Refused(std::uint16_t rc, std::uint16_t rrc = 0) {
  return UvcResult::Refused(rc, rrc);
}

using Rows = std::vector<CodeRow>;
using Parts = TinyImage::Parts;

Rows GeneralRows() {
  return {
      {"executed", UvcResult::Done(),
       [](Bench& b) { return b.uv().ConvertToSecure(b.guest(), kFree); }},
      {"invalid command: destroy fast is not installed", Refused(0x0002),
       [](Bench& b) {
         b.Switch([](auto& features) { features.destroy_fast = false; });
         return b.uv().DestroyConfigurationFast(b.guest());
       }},
      {"invalid command: a host's call by a guest", Refused(0x0002),
       [](Bench& b) { return b.CallAsGuest(0x0202, 0x20); }},
      {"invalid state", Refused(0x0003), [](Bench& b) { return b.uv().Verify(b.guest()); }},
      {"invalid length: query", Refused(0x0005),
       [](Bench& b) {
         std::array<std::uint8_t, 0xa7> block{};
         return b.uv().Query(absl::MakeSpan(block));
       }},
      {"invalid length: share", Refused(0x0005),
       [](Bench& b) { return b.CallAsGuest(0x1000, 0x28, kFree); }},
      {"unknown handle", Refused(0x0020),
       [](Bench& b) {
         EXPECT_TRUE(b.uv().DestroyConfiguration(b.guest()).ok());
         return b.uv().DestroyConfiguration(b.guest());
       }},
      {"query has more data", Refused(0x0100),
       [](Bench& b) {
         std::array<std::uint8_t, 0xa8> block{};
         return b.uv().Query(absl::MakeSpan(block));
       }},
      {"query as a guest has more data", Refused(0x0100),
       [](Bench& b) { return b.CallAsGuest(0x0001, 0xa8); }},
      {"bad address: share", Refused(0x0101),
       [](Bench& b) { return b.CallAsGuest(0x1000, 0x30, 8 * kPageSize); }},
      {"bad address: unshare", Refused(0x0101),
       [](Bench& b) { return b.CallAsGuest(0x1001, 0x30, kFree + 8); }},
      {"busy: unshare of a page that the host has pinned", UvcResult::Busy(),
       [](Bench& b) {
         EXPECT_TRUE(b.uv().Share(b.guest(), kFree).ok());
         EXPECT_TRUE(b.uv().PinShared(b.machine().region(), kFree / kPageSize).ok());
         return b.uv().Unshare(b.guest(), kFree);
       }},
      {"partial (on demand)", UvcResult::Partial(),
       [](Bench& b) {
         b.uv().Inject({Uvc::kDestroyConfiguration, UvcResult::Partial()});
         return b.uv().DestroyConfiguration(b.guest());
       }},
      {"must be destroyed (on demand)", Refused(0x8003),
       [](Bench& b) {
         b.uv().Inject({Uvc::kCreateConfiguration, Refused(0x8003)});
         auto created = b.uv().CreateConfiguration(b.machine().storage(), b.machine().mapping());
         EXPECT_TRUE(b.uv().DestroyConfiguration(*created.configuration).ok());
         return created.result;
       }},
  };
}

Rows ImageRows() {
  const auto unpacked = [](Bench& b) {
    EXPECT_TRUE(b.uv().SetParameters(b.guest(), b.image().header()).ok());
    EXPECT_TRUE(b.Unpack(0, kPageSize).ok());
  };
  return {
      {"verify: page contents", Refused(0x0102, 0x1b),
       [=](Bench& b) {
         unpacked(b);
         b.machine().region().bytes(2)[0] = 1;
         const TinyImage::Page& page = b.image().pages()[1];
         EXPECT_TRUE(
             b.uv().Unpack(b.guest(), page.absolute, {page.tweak.prefix, page.tweak.offset}).ok());
         return b.uv().Verify(b.guest());
       }},
      {"verify: addresses", Refused(0x0102, 0x1a),
       [=](Bench& b) {
         unpacked(b);
         EXPECT_TRUE(b.Unpack(1, 3 * kPageSize).ok());
         return b.uv().Verify(b.guest());
       }},
      {"verify: tweaks", Refused(0x0102, 0x1c),
       [=](Bench& b) {
         unpacked(b);
         EXPECT_TRUE(b.Unpack(1, 2 * kPageSize, 1).ok());
         return b.uv().Verify(b.guest());
       }},
      {"verify: number of pages", Refused(0x0102, 0x1d),
       [=](Bench& b) {
         unpacked(b);
         return b.uv().Verify(b.guest());
       }},
      {"header version", Refused(0x0104, 0x01),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.header.version = 0x200; });
       }},
      {"plaintext flags", Refused(0x0106, 0x30),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.header.plaintext_flags = 1; });
       }},
      {"no key slot for this host", Refused(0x0108, 0x05),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.slots[0].host_key[0] ^= 1; });
       }},
      {"bad customer key", Refused(0x0108, 0x0b),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.header.customer_key.x[40] ^= 1; });
       }},
      {"secret flags", Refused(0x0109, 0x00),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.secrets.secret_flags = 1; });
       }},
      {"header length", Refused(0x010a, 0x31),
       [](Bench& b) {
         Bytes header = b.image().header();
         header.pop_back();
         return b.uv().SetParameters(b.guest(), header);
       }},
      {"size of the encrypted area", Refused(0x010a, 0x39),
       [](Bench& b) {
         return b.SetParameters([](Parts& parts) { parts.header.encrypted_size = 64; });
       }},
      {"no key slots", Refused(0x010a, 0x40),
       [](Bench& b) { return b.SetParameters([](Parts& parts) { parts.header.key_slots = 0; }); }},
      {"header magic", Refused(0x010a, kHeaderMagic), [](Bench& b) { return b.SetFlipped(0); }},
      {"tag of the key slot", Refused(0x010a, kSlotTag),
       [](Bench& b) { return b.SetParameters([](Parts& parts) { parts.slots[0].tag[0] ^= 1; }); }},
      {"tag of the header", Refused(0x010a, kHeaderTag),
       [](Bench& b) { return b.SetFlipped(~std::size_t{0}); }},
      {"unpack: bad address", Refused(0x0101),
       [=](Bench& b) {
         unpacked(b);
         return b.uv().Unpack(b.guest(), 8 * kPageSize, {});
       }},
  };
}

Rows PageAndCpuRows() {
  return {
      {"destroy fast: devices are bound", Refused(0x0104),
       [](Bench& b) {
         b.Switch([](auto& features) { features.devices_bound = true; });
         return b.uv().DestroyConfigurationFast(b.guest());
       }},
      {"destroy page: not secure (old firmware)", Refused(0x0107, 0x0d),
       [](Bench& b) {
         b.Switch([](auto& features) { features.old_firmware = true; });
         return b.uv().DestroyPage(b.machine().region(), 0);
       }},
      {"import: no storage there", Refused(0x010a),
       [](Bench& b) { return b.uv().ConvertToSecure(b.guest(), 8 * kPageSize); }},
      {"import: another's page", Refused(0x0003, kForeignPage),
       [](Bench& b) {
         EXPECT_TRUE(b.uv().ConvertToSecure(*b.MakeOther(), kFree).ok());
         return b.uv().ConvertToSecure(b.guest(), kFree);
       }},
      {"import: not what was exported", Refused(0x0003, kPageIntegrity),
       [](Bench& b) {
         EXPECT_TRUE(b.uv().ConvertToSecure(b.guest(), kFree).ok());
         EXPECT_TRUE(b.uv().ConvertFromSecure(b.machine().region(), kFree / kPageSize).ok());
         b.machine().region().bytes()[kFree + 17] ^= 4;
         return b.uv().ConvertToSecure(b.guest(), kFree);
       }},
      {"destroy page: the owner has CPUs", Refused(0x0003, kOwnerHasCpus),
       [](Bench& b) {
         b.MakeCpu();
         EXPECT_TRUE(b.uv().ConvertToSecure(b.guest(), kFree).ok());
         return b.uv().DestroyPage(b.machine().region(), kFree / kPageSize);
       }},
      {"destroy configuration: it has CPUs", Refused(0x0003, kOwnerHasCpus),
       [](Bench& b) {
         b.MakeCpu();
         return b.uv().DestroyConfiguration(b.guest());
       }},
      {"too many configurations", Refused(0x0003, kTooMany),
       [](Bench& b) {
         b.Switch([](auto& features) { features.max_configurations = 1; });
         return b.uv().CreateConfiguration(b.machine().storage(), b.machine().mapping()).result;
       }},
      {"CPU address too large", Refused(0x0003, kTooMany),
       [](Bench& b) {
         b.Switch([](auto& features) { features.max_cpu_id = 3; });
         return b.MakeCpuAt(4);
       }},
  };
}

// Known, and not to be had from this Ultravisor.
struct AbsentCode {
  const char* name;
  std::uint16_t rc;
  const char* reason;
};
constexpr AbsentCode kAbsentCodes[] = {
    {"no resume", 0x0007, "no call is ever resumed: each is done when it answers"},
    {"header not accessible", 0x0103, "the kernel hands the header over as a copy"},
    {"backup host key (0x0108, 0x34)", 0x0108, "a host has one key"},
};

TEST(ReturnCodes, AreAllProduced) {
  PropertiesSummary& summary = PropertiesSummary::Of();
  using Code = std::tuple<std::uint8_t, std::uint16_t, std::uint16_t>;
  std::set<Code> known, produced;  // rows that differ in how they come about share codes
  for (const Rows& rows : {GeneralRows(), ImageRows(), PageAndCpuRows()}) {
    for (const CodeRow& row : rows) {
      SCOPED_TRACE(row.name);
      Bench bench;
      const UvcResult got = row.produce(bench);
      EXPECT_EQ(got, row.expected)
          << absl::StrFormat("cc %u rc %#06x rrc %#x", got.cc, got.rc, got.rrc);
      const Code code(row.expected.cc, row.expected.rc, row.expected.rrc);
      known.insert(code);
      if (got == row.expected) produced.insert(code);
    }
  }
  for (const AbsentCode& code : kAbsentCodes) {
    std::printf("not produced: %s, rc %#06x: %s\n", code.name, code.rc, code.reason);
  }
  summary.codes_known = known.size();
  summary.codes_produced = produced.size();
  EXPECT_EQ(produced, known);
}

// A guest must not reach the host's calls, nor find calls that are not there.
TEST(MissingCalls, AreInvalidCommandsAndNotInTheLists) {
  Bench bench;
  const std::array<std::uint64_t, 4> host = bench.uv().installed_calls();
  EXPECT_TRUE(bench.CallAsGuest(0x0001, 0x120).ok());
  const auto guest = LoadBigEndian<std::uint64_t>(bench.machine().region().bytes() + kBlock + 0x10);
  for (const MissingUvc& call : kMissingUvcs) {
    SCOPED_TRACE(std::string(call.name));
    EXPECT_EQ(host[0] >> (63 - call.number) & 1, 0u);
    EXPECT_EQ(guest >> (63 - call.number) & 1, 0u);
    EXPECT_EQ(bench.CallAsGuest(call.command, 0x30), Refused(UvcResult::kInvalidCommand));
  }
  for (const UvcNumber& row : kUvcNumbers) {
    const bool of_guests = row.call == Uvc::kShare || row.call == Uvc::kUnshare;
    EXPECT_EQ(host[0] >> (63 - row.number) & 1, of_guests ? 0u : 1u) << row.name;
    if (of_guests || row.call == Uvc::kQuery) continue;
    EXPECT_EQ(bench.CallAsGuest(static_cast<std::uint16_t>(row.call), 0x48),
              Refused(UvcResult::kInvalidCommand))
        << row.name;
  }
  EXPECT_EQ(host[1] | host[2] | host[3], 0u);
}

}  // namespace
}  // namespace lethe::emulated
