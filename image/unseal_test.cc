#include "image/unseal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/status_matchers.h"
#include "image/golden_images.h"
#include "image/image_reader.h"
#include "image/sealer.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// All components in plain text, as an Ultravisor would leave them in storage, digests checked.
std::vector<Bytes> Unseal(const Bytes& file, const HostKey& key) {
  const absl::StatusOr<ProtectedImage> image = ReadImage(file);
  EXPECT_THAT(image, IsOk());
  const auto opened = OpenHeader(image->header, key);
  EXPECT_TRUE(std::holds_alternative<OpenedHeader>(opened));
  if (!std::holds_alternative<OpenedHeader>(opened)) return {};
  const OpenedHeader& header = std::get<OpenedHeader>(opened);
  const AesXts cipher(header.secrets.component_key);
  RunningSha512 pages, addresses, tweaks;
  std::vector<Bytes> result;
  std::uint64_t count = 0;
  for (const ImageComponent& component : image->parameters.components) {
    Bytes content(component.size);
    for (std::uint64_t offset = 0; offset < component.size; offset += 4096, ++count) {
      const auto page = absl::MakeConstSpan(file).subspan(component.address + offset, 4096);
      const PageTweak tweak{component.tweak_prefix, offset};
      const Be64 address(component.address + offset);
      pages.Update(page);
      addresses.Update(ByteSpan(reinterpret_cast<const std::uint8_t*>(&address), 8));
      tweaks.Update(ByteSpan(reinterpret_cast<const std::uint8_t*>(&tweak), 16));
      const auto target = absl::MakeSpan(content).subspan(offset, 4096);
      if (header.encrypted()) {
        EXPECT_TRUE(cipher.Decrypt(tweak, page, target));
      } else {
        std::copy(page.begin(), page.end(), target.begin());
      }
    }
    result.push_back(std::move(content));
  }
  EXPECT_EQ(count, header.pages);
  EXPECT_EQ(pages.Value(), header.page_digest);
  EXPECT_EQ(addresses.Value(), header.address_digest);
  EXPECT_EQ(tweaks.Value(), header.tweak_digest);
  return result;
}

void ExpectPadded(const Bytes& component, const Bytes& content) {
  ASSERT_GE(component.size(), content.size());
  EXPECT_TRUE(std::equal(content.begin(), content.end(), component.begin()));
  EXPECT_TRUE(std::all_of(component.begin() + content.size(), component.end(),
                          [](std::uint8_t byte) { return byte == 0; }));
}

HeaderRefusal Refusal(ByteSpan header, const HostKey& key) {
  const auto opened = OpenHeader(header, key);
  EXPECT_TRUE(std::holds_alternative<HeaderRefusal>(opened));
  return std::holds_alternative<HeaderRefusal>(opened) ? std::get<HeaderRefusal>(opened)
                                                       : HeaderRefusal{0xff};
}

Bytes GoldenHeader() { return ReadImage(ReadGolden("g235-plain.pv"))->header; }

class GoldenImage : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenImage, UnsealsToItsInputs) {
  const std::vector<Bytes> parts = Unseal(ReadGolden(GetParam()), ReadGoldenKey("host.key"));
  ASSERT_THAT(parts, SizeIs(4));
  ExpectPadded(parts[0], ReadGolden("in/kernel.bin"));
  ExpectPadded(parts[1], ReadGolden("in/cmdline"));
  ExpectPadded(parts[2], ReadGolden("in/initrd.bin"));
}

INSTANTIATE_TEST_SUITE_P(All, GoldenImage,
                         ::testing::Values("g216-plain.pv", "g235-plain.pv", "g235-noenc.pv",
                                           "g235-2slots-dump.pv"));

TEST(Unseal, EitherHostOpensAnImageWithTwoSlots) {
  const Bytes file = ReadGolden("g235-2slots-dump.pv");
  EXPECT_EQ(Unseal(file, ReadGoldenKey("host.key")), Unseal(file, ReadGoldenKey("host2.key")));
  const auto opened = OpenHeader(ReadImage(file)->header, ReadGoldenKey("host2.key"));
  const Bytes key = ReadGolden("in/cck");
  const OpenedHeader& header = std::get<OpenedHeader>(opened);
  EXPECT_TRUE(
      std::equal(key.begin(), key.end(), header.secrets.customer_communication_key.begin()));
  EXPECT_NE(header.plaintext_flags & kDumpAllowed, 0);
}

TEST(Unseal, AnotherHostFindsNoSlot) {
  EXPECT_EQ(Refusal(GoldenHeader(), HostKey::Generate()), HeaderRefusal::kNoSlotForHost);
}

// Every bit of the header counts.
TEST(Unseal, OneFlippedBitIsNoticed) {
  const HostKey key = ReadGoldenKey("host.key");
  const Bytes good = GoldenHeader();
  ASSERT_TRUE(std::holds_alternative<OpenedHeader>(OpenHeader(good, key)));
  for (std::size_t byte = 0; byte < good.size(); byte += 3) {
    Bytes bad = good;
    bad[byte] ^= 1 << (byte % 8);
    EXPECT_TRUE(std::holds_alternative<HeaderRefusal>(OpenHeader(bad, key))) << byte;
  }
}

TEST(Unseal, SaysWhatIsWrong) {
  const HostKey key = ReadGoldenKey("host.key");
  const auto flipped = [&](std::size_t byte, int bit = 0) {
    Bytes header = GoldenHeader();
    header[byte] ^= 1 << bit;
    return Refusal(header, key);
  };
  EXPECT_EQ(flipped(0), HeaderRefusal::kMagic);
  EXPECT_EQ(flipped(10), HeaderRefusal::kVersion);
  EXPECT_EQ(flipped(15), HeaderRefusal::kLength);
  EXPECT_EQ(flipped(16), HeaderRefusal::kHeaderTag);  // IV
  EXPECT_EQ(flipped(39), HeaderRefusal::kNoKeySlots);
  EXPECT_EQ(flipped(38), HeaderRefusal::kTooManyKeySlots);
  EXPECT_EQ(flipped(46), HeaderRefusal::kEncryptedSize);
  EXPECT_EQ(flipped(56), HeaderRefusal::kPlaintextFlags);
  EXPECT_EQ(flipped(64 + 40), HeaderRefusal::kCustomerKey);
  EXPECT_EQ(flipped(230), HeaderRefusal::kHeaderTag);      // page digest
  EXPECT_EQ(flipped(416), HeaderRefusal::kNoSlotForHost);  // host key hash
  EXPECT_EQ(flipped(450), HeaderRefusal::kSlotTag);        // wrapped key
  EXPECT_EQ(flipped(495), HeaderRefusal::kSlotTag);
  EXPECT_EQ(flipped(500), HeaderRefusal::kHeaderTag);  // encrypted area
  EXPECT_EQ(flipped(639), HeaderRefusal::kHeaderTag);
  EXPECT_EQ(Refusal({}, key), HeaderRefusal::kLength);
}

SealRequest GoodRequest(const HostKey& key) {
  SealRequest request;
  request.kernel = ReadGolden("in/kernel.bin");
  request.initrd = ReadGolden("in/initrd.bin");
  request.command_line = "console=ttysclp0";
  request.host_keys = {key.key()};
  return request;
}

TEST(Sealer, MakesWhatTheUltravisorOpens) {
  const HostKey key = HostKey::Generate();
  const absl::StatusOr<Bytes> file = Seal(GoodRequest(key));
  ASSERT_THAT(file, IsOk());
  const std::vector<Bytes> parts = Unseal(*file, key);
  ASSERT_THAT(parts, SizeIs(4));
  ExpectPadded(parts[0], ReadGolden("in/kernel.bin"));
  ExpectPadded(parts[1], ReadGolden("in/initrd.bin"));
  const std::string line = "console=ttysclp0";
  ExpectPadded(parts[2], Bytes(line.begin(), line.end()));
  EXPECT_TRUE(LooksProtected(*file));
  // Nothing of the inputs is left in the file.
  const Bytes secret(parts[1].begin() + 512, parts[1].begin() + 544);
  EXPECT_EQ(std::search(file->begin(), file->end(), secret.begin(), secret.end()), file->end());
}

TEST(Sealer, TellsTheFirstStageWhereThePartsAre) {
  const HostKey key = HostKey::Generate();
  const absl::StatusOr<Bytes> file = Seal(GoodRequest(key));
  ASSERT_THAT(file, IsOk());
  const absl::StatusOr<ProtectedImage> image = ReadImage(*file);
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(file->data()), 0x0008000180011000);
  // The arguments are the last 24 bytes of the stage; offsets count from there.
  std::uint64_t at = 0;
  for (std::uint64_t i = kStage3aEntry; i + sizeof(Stage3aArguments) <= 0x14000; i += 8) {
    const std::uint8_t* arguments = file->data() + i;
    if (i + LoadBigEndian<std::uint64_t>(arguments) == image->parameters.header_address &&
        i + LoadBigEndian<std::uint64_t>(arguments + 16) == image->ipl_address) {
      at = i;
    }
  }
  ASSERT_NE(at, 0);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(file->data() + at + 8), image->parameters.header_size);
}

TEST(Sealer, TakesSeveralHostsAndNoInitrd) {
  const HostKey first = HostKey::Generate();
  const HostKey second = HostKey::Generate();
  SealRequest request = GoodRequest(first);
  request.host_keys.push_back(second.key());
  request.initrd.reset();
  request.command_line.clear();
  const absl::StatusOr<Bytes> file = Seal(request);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(Unseal(*file, first), SizeIs(2));
  EXPECT_THAT(Unseal(*file, second), SizeIs(2));
}

TEST(Sealer, RefusesWhatCannotRun) {
  const HostKey key = HostKey::Generate();
  SealRequest elf = GoodRequest(key);
  std::copy_n(
      "\x7f"
      "ELF",
      4, elf.kernel.begin());
  EXPECT_THAT(Seal(elf), FailsWith(HasSubstr("ELF")));
  SealRequest other = GoodRequest(key);
  other.kernel[0x10008] ^= 1;
  EXPECT_THAT(Seal(other), FailsWith(HasSubstr("not an s390x Linux image")));
  SealRequest small = GoodRequest(key);
  small.kernel.resize(100);
  EXPECT_THAT(Seal(small), FailsWith(HasSubstr("not an s390x Linux image")));
  SealRequest chatty = GoodRequest(key);
  chatty.command_line.assign(70000, 'x');
  EXPECT_THAT(Seal(chatty), FailsWith(HasSubstr("command line")));
  SealRequest homeless = GoodRequest(key);
  homeless.host_keys.clear();
  EXPECT_THAT(Seal(homeless), FailsWith(HasSubstr("host key document")));
}

}  // namespace
}  // namespace lethe
