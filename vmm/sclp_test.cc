#include "vmm/sclp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>

#include "vmm/ebcdic.h"
#include "vmm/guest_console.h"
#include "vmm/quiesce_signal.h"

namespace lethe::vmm {
namespace {

constexpr std::uint32_t kReadScpInfo = 0x00020001;
constexpr std::uint32_t kReadCpuInfo = 0x00010001;
constexpr std::uint32_t kWriteEventMask = 0x00780005;
constexpr std::uint32_t kReadEventData = 0x00770005;
constexpr std::uint32_t kWriteEventData = 0x00760005;

class SclpTest : public ::testing::Test {
 protected:
  // Executes a command on a block of this length; `body` follows the header.
  unsigned Execute(std::uint32_t command, std::size_t length, const Bytes& body = {},
                   std::uint8_t function_code = 0) {
    block.assign(length, 0);
    StoreBigEndian(block.data(), static_cast<std::uint16_t>(length));
    block[2] = function_code;
    std::copy(body.begin(), body.end(), block.begin() + 8);
    sclp.Execute(command, absl::MakeSpan(block));
    return LoadBigEndian<std::uint16_t>(block.data() + 6);
  }
  // The guest asks for these types, with masks of `width` bytes.
  unsigned Listen(std::uint64_t receive, std::size_t width = 4) {
    Bytes body(4 + 4 * width);
    StoreBigEndian(body.data() + 2, static_cast<std::uint16_t>(width));
    Bytes wide(8);
    StoreBigEndian(wide.data(), receive);
    std::copy_n(wide.begin(), std::min<std::size_t>(width, 8), body.begin() + 4);
    return Execute(kWriteEventMask, 8 + body.size(), body);
  }
  static Bytes EventBuffer(std::uint8_t type, const Bytes& content) {
    Bytes buffer(6);
    StoreBigEndian(buffer.data(), static_cast<std::uint16_t>(6 + content.size()));
    buffer[2] = type;
    buffer.insert(buffer.end(), content.begin(), content.end());
    return buffer;
  }
  static Bytes Text(absl::string_view text) { return Bytes(text.begin(), text.end()); }

  std::string output;
  GuestConsole console{[this](absl::string_view text) { output.append(text.data(), text.size()); }};
  QuiesceSignal quiesce;
  SclpEventFacility events{{
      {0x01, "operator command", &console.line_mode(), nullptr},
      {0x02, "message", nullptr, &console.line_mode()},
      {0x1a, "VT220", &console.vt220(), &console.vt220()},
      {0x1d, "quiesce", &quiesce, nullptr},
  }};
  Sclp sclp{{std::uint64_t{5} << 30, {0, 1, 2}}, events};
  Bytes block;
};

constexpr std::uint64_t kOperatorCommand = std::uint64_t{1} << 63;
constexpr std::uint64_t kVt220 = std::uint64_t{1} << (64 - 0x1a);
constexpr std::uint64_t kQuiesce = std::uint64_t{1} << (64 - 0x1d);

TEST_F(SclpTest, TellsMemoryAndCpus) {
  ASSERT_EQ(Execute(kReadScpInfo, 4096), 0x0010u);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[8]), 5 * 1024);
  EXPECT_EQ(block[10], 1);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[16]), 3);
  const std::size_t offset = LoadBigEndian<std::uint16_t>(&block[18]);
  EXPECT_EQ(block[offset], 0);
  EXPECT_EQ(block[offset + 32], 2);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(&block[48]) >> 59, 1u);  // can read CPU info
}

TEST_F(SclpTest, TellsLargeMemoryInTheLongFields) {
  Sclp large({std::uint64_t{1} << 40, {0}}, events);
  block.assign(4096, 0);
  block[0] = 0x10;
  large.Execute(kReadScpInfo, absl::MakeSpan(block));
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[8]), 0);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(&block[104]), std::uint64_t{1} << 20);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(&block[100]), 1u);
}

TEST_F(SclpTest, WantsRoomForAllCpus) {
  EXPECT_EQ(Execute(kReadScpInfo, 128 + 3 * 16), 0x0010u);
  EXPECT_EQ(Execute(kReadScpInfo, 128 + 3 * 16 - 1), 0x0300u);
  EXPECT_EQ(Execute(kReadCpuInfo, 24 + 3 * 16), 0x0010u);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[8]), 3);
  EXPECT_EQ(block[24 + 16], 1);
  EXPECT_EQ(Execute(kReadCpuInfo, 24 + 3 * 16 - 1), 0x0300u);
}

TEST_F(SclpTest, HasRoomForAsManyCpusAsAMachineMayHave) {
  std::vector<std::uint8_t> cpus(248);
  std::iota(cpus.begin(), cpus.end(), std::uint8_t{0});
  Sclp large({std::uint64_t{1} << 30, cpus}, events);
  block.assign(4096, 0);
  block[0] = 0x10;
  large.Execute(kReadScpInfo, absl::MakeSpan(block));
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[6]), 0x0010);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[120]), 247);
}

TEST_F(SclpTest, RefusesUnknownCommands) {
  EXPECT_EQ(Execute(0x00040001, 4096), 0x01f0u);
  EXPECT_FALSE(Sclp::Serves(0x00040001));
  EXPECT_TRUE(Sclp::Serves(kReadScpInfo));
}

TEST_F(SclpTest, ExchangesMasksOfAnyLength) {
  ASSERT_EQ(Listen(kVt220), 0x0020u);
  // What the machine takes from the guest, and what it has for the guest.
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(&block[20]), 0x40000040u);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(&block[24]), 0x80000048u);
  EXPECT_TRUE(events.Listening(0x1a));
  EXPECT_FALSE(events.Listening(0x01));
  ASSERT_EQ(Listen(kQuiesce, 8), 0x0020u);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(&block[28]), 0x4000004000000000u);
  EXPECT_TRUE(events.Listening(0x1d));
  EXPECT_EQ(Listen(kVt220, 0), 0x74f0u);
  EXPECT_EQ(Listen(kVt220, 1022), 0x74f0u);
  EXPECT_EQ(Execute(kWriteEventMask, 27, {0, 0, 0, 4}), 0x0300u);
}

TEST_F(SclpTest, TakesConsoleOutputOfBothKinds) {
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6 + 5, EventBuffer(0x1a, Text("hello"))), 0x0020u);
  EXPECT_EQ(output, "hello");
  EXPECT_EQ(block[8 + 3] & 0x80, 0x80);  // the buffer is marked as processed

  output.clear();
  Bytes message(12 + 10);
  StoreBigEndian<std::uint16_t>(&message[0], 12 + 10 + 4);
  StoreBigEndian<std::uint16_t>(&message[2], 1);
  StoreBigEndian<std::uint32_t>(&message[4], 0xd4c4c240);
  StoreBigEndian<std::uint16_t>(&message[12], 10 + 4);
  StoreBigEndian<std::uint16_t>(&message[14], 4);
  const std::string line = ToEbcdic("Line");
  message.insert(message.end(), line.begin(), line.end());
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6 + message.size(), EventBuffer(0x02, message)), 0x0020u);
  EXPECT_EQ(output, "Line\n");
}

TEST_F(SclpTest, RefusesMalformedEventBuffers) {
  EXPECT_EQ(Execute(kWriteEventData, 8), 0x0300u);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 5, {0, 5, 0x1a}), 0x72f0u);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6, {0, 5, 0x1a}), 0x73f0u);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6, {0, 7, 0x1a}), 0x72f0u);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6, {0, 6, 0x1d}), 0x40f0u);
  EXPECT_EQ(output, "");
}

TEST_F(SclpTest, IgnoresLiesInsideLineModeMessages) {
  Bytes message(12 + 4);
  StoreBigEndian<std::uint16_t>(&message[0], 0xffff);
  StoreBigEndian<std::uint16_t>(&message[2], 1);
  StoreBigEndian<std::uint32_t>(&message[4], 0xd4c4c240);
  StoreBigEndian<std::uint16_t>(&message[12], 0xffff);
  StoreBigEndian<std::uint16_t>(&message[14], 4);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6 + message.size(), EventBuffer(0x02, message)), 0x0020u);
  StoreBigEndian<std::uint16_t>(&message[12], 0);
  EXPECT_EQ(Execute(kWriteEventData, 8 + 6 + message.size(), EventBuffer(0x02, message)), 0x0020u);
  EXPECT_EQ(output, "");
}

TEST_F(SclpTest, HandsTypedBytesToTheVt220Console) {
  Listen(kVt220);
  EXPECT_EQ(Execute(kReadEventData, 4096), 0x60f0u);
  EXPECT_EQ(console.Input("ls\r"), 3u);
  EXPECT_TRUE(events.EventPending());
  ASSERT_EQ(Execute(kReadEventData, 4096), 0x0020u);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[8]), 6 + 1 + 3);
  EXPECT_EQ(block[10], 0x1a);
  EXPECT_EQ(std::string(block.begin() + 15, block.begin() + 18), "ls\r");
  EXPECT_FALSE(events.EventPending());
}

TEST_F(SclpTest, ShortensTheBlockIfTheGuestAllows) {
  Listen(kVt220);
  console.Input("x");
  block.assign(4096, 0);
  block[0] = 0x10;
  block[5] = 0x80;
  sclp.Execute(kReadEventData, absl::MakeSpan(block));
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(&block[0]), 8 + 6 + 2);
  EXPECT_EQ(block[5], 0);
}

TEST_F(SclpTest, SplitsInputThatDoesNotFit) {
  Listen(kVt220);
  console.Input("abcdef");
  ASSERT_EQ(Execute(kReadEventData, 8 + 6 + 4), 0x0020u);
  EXPECT_EQ(std::string(block.begin() + 15, block.begin() + 18), "abc");
  ASSERT_EQ(Execute(kReadEventData, 8 + 6 + 4), 0x0020u);
  EXPECT_EQ(std::string(block.begin() + 15, block.begin() + 18), "def");
}

TEST_F(SclpTest, HandsLinesToTheLineModeConsoleWhenTheGuestWroteThereLast) {
  Listen(kOperatorCommand | kVt220);
  console.line_mode().Accept({});
  Bytes message(12 + 10);
  StoreBigEndian<std::uint16_t>(&message[0], 22);
  StoreBigEndian<std::uint16_t>(&message[2], 1);
  StoreBigEndian<std::uint32_t>(&message[4], 0xd4c4c240);
  StoreBigEndian<std::uint16_t>(&message[12], 10);
  StoreBigEndian<std::uint16_t>(&message[14], 4);
  Execute(kWriteEventData, 8 + 6 + message.size(), EventBuffer(0x02, message));
  console.Input("lx\b");
  EXPECT_FALSE(events.EventPending());  // the line is not complete
  console.Input("s\r");
  ASSERT_EQ(Execute(kReadEventData, 4096), 0x0020u);
  EXPECT_EQ(block[10], 0x01);
  const std::uint8_t* vector = &block[14];
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(vector), 0x00121310u);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(vector + 4), 0x000e1212u);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(vector + 8), 0x000a1320u);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(vector + 12), 0x06310430u);
  EXPECT_EQ(FromEbcdic(absl::string_view(reinterpret_cast<const char*>(vector + 16), 2)), "ls");
}

TEST_F(SclpTest, GivesOnlyWhatTheGuestSelects) {
  Listen(kVt220 | kQuiesce);
  console.Input("x");
  quiesce.Raise();
  EXPECT_EQ(Execute(kReadEventData, 4096, {0, 0, 0, 0x08}, 1), 0x0020u);
  EXPECT_EQ(block[10], 0x1d);
  EXPECT_EQ(Execute(kReadEventData, 4096, {0x80, 0, 0, 0}, 1), 0x70f0u);
  EXPECT_EQ(Execute(kReadEventData, 4096, {}, 2), 0x40f0u);
  EXPECT_TRUE(events.EventPending());
  events.Reset();
  EXPECT_FALSE(events.EventPending());
}

TEST_F(SclpTest, TakesNoMoreInputThanItHolds) {
  const std::string much(100 << 10, 'x');
  EXPECT_EQ(console.Input(much), 64u << 10);
  EXPECT_EQ(console.Input("y"), 0u);
}

}  // namespace
}  // namespace lethe::vmm
