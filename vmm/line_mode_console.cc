#include "vmm/line_mode_console.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "vmm/ebcdic.h"

namespace lethe::vmm {
namespace {

// Message data block: header, then objects, each with length and type first.
struct MessageBlockHeader {
  Be16 length;  // of header and objects
  Be16 type;    // 1
  Be32 tag;     // "MDB " in EBCDIC
  Be32 revision;
};
static_assert(sizeof(MessageBlockHeader) == 12);
constexpr std::uint32_t kMessageBlockTag = 0xd4c4c240;
constexpr std::uint16_t kMessageBlockType = 1;

struct MessageObjectHeader {
  Be16 length;  // of the whole object
  Be16 type;
};
constexpr std::uint16_t kTextObject = 4;

struct TextObject {
  MessageObjectHeader header;
  Be16 line_flags;
  std::uint8_t alarm = 0;
  std::array<std::uint8_t, 3> reserved{};
  // Then the line, EBCDIC.
};
static_assert(sizeof(TextObject) == 10);

// An operator command: vectors nested around the text, each of which counts all it holds.
struct Vector {
  Be16 length;
  Be16 identifier;
};
struct Subvector {
  std::uint8_t length = 0;
  std::uint8_t key = 0;
};
struct OperatorCommand {
  Vector message_unit;   // MDS message unit
  Vector control_point;  // control point message unit
  Vector text_command;
  Subvector self_defining_text;
  Subvector text;
};
static_assert(sizeof(OperatorCommand) == 16);
constexpr std::uint16_t kMessageUnit = 0x1310;
constexpr std::uint16_t kControlPoint = 0x1212;
constexpr std::uint16_t kTextCommand = 0x1320;
constexpr std::uint8_t kSelfDefiningText = 0x31;
constexpr std::uint8_t kText = 0x30;

constexpr std::size_t kLineLimit = 255 - 2 * sizeof(Subvector);  // a subvector's length is a byte
constexpr std::size_t kWaitingLines = 64;

OperatorCommand CommandFor(std::size_t text_length) {
  OperatorCommand command;
  std::size_t length = text_length + sizeof(Subvector);
  command.text = {static_cast<std::uint8_t>(length), kText};
  length += sizeof(Subvector);
  command.self_defining_text = {static_cast<std::uint8_t>(length), kSelfDefiningText};
  length += sizeof(Vector);
  command.text_command = {static_cast<std::uint16_t>(length), kTextCommand};
  length += sizeof(Vector);
  command.control_point = {static_cast<std::uint16_t>(length), kControlPoint};
  length += sizeof(Vector);
  command.message_unit = {static_cast<std::uint16_t>(length), kMessageUnit};
  return command;
}

template <typename T>
T Load(absl::Span<const std::uint8_t> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

absl::string_view AsText(absl::Span<const std::uint8_t> bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

std::size_t LineModeConsole::Input(absl::string_view bytes) {
  std::lock_guard lock(mutex_);
  std::size_t taken = 0;
  for (const char c : bytes) {
    if (lines_.size() == kWaitingLines) break;
    ++taken;
    if (c == '\r' || c == '\n') {
      lines_.push_back(std::exchange(partial_, std::string()));
    } else if (c == '\b' || c == '\x7f') {
      if (!partial_.empty()) partial_.pop_back();
    } else if (partial_.size() < kLineLimit) {
      partial_.push_back(c);
    }
  }
  return taken;
}

bool LineModeConsole::Pending() const {
  std::lock_guard lock(mutex_);
  return !lines_.empty();
}

std::optional<Bytes> LineModeConsole::Take(std::size_t room) {
  std::lock_guard lock(mutex_);
  if (lines_.empty() || room < sizeof(OperatorCommand) + lines_.front().size()) return std::nullopt;
  const std::string text = ToEbcdic(lines_.front());
  lines_.pop_front();
  const OperatorCommand command = CommandFor(text.size());
  Bytes content(sizeof(command) + text.size());
  std::memcpy(content.data(), &command, sizeof(command));
  std::copy(text.begin(), text.end(), content.begin() + sizeof(command));
  return content;
}

void LineModeConsole::Accept(absl::Span<const std::uint8_t> content) {
  if (content.size() < sizeof(MessageBlockHeader)) return;
  const auto block = Load<MessageBlockHeader>(content);
  if (block.tag != kMessageBlockTag || block.type != kMessageBlockType ||
      block.length < sizeof(block))
    return;
  content = content.subspan(0, std::min<std::size_t>(block.length, content.size()));
  content.remove_prefix(sizeof(block));
  while (content.size() >= sizeof(MessageObjectHeader)) {
    const auto object = Load<MessageObjectHeader>(content);
    if (object.length < sizeof(object) || object.length > content.size()) return;
    if (object.type == kTextObject && object.length >= sizeof(TextObject)) {
      const auto text = content.subspan(sizeof(TextObject), object.length - sizeof(TextObject));
      output_(absl::StrCat(FromEbcdic(AsText(text)), "\n"));
    }
    content.remove_prefix(object.length);
  }
}

}  // namespace lethe::vmm
