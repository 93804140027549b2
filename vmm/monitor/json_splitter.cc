#include "vmm/monitor/json_splitter.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lethe::vmm {
namespace {

bool IsControl(char byte) { return static_cast<unsigned char>(byte) < 0x20; }

}  // namespace

void JsonSplitter::Add(absl::string_view bytes) {
  for (const char byte : bytes) AddByte(byte);
}

std::optional<JsonSplitter::Item> JsonSplitter::Take() {
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void JsonSplitter::AddByte(char byte) {
  if (state_ == State::kSkipping) {
    if (byte == '\n') state_ = State::kBetween;
    return;
  }
  if (state_ == State::kBetween) {
    if (absl::ascii_isspace(static_cast<unsigned char>(byte))) return;
    if (byte != '{' && byte != '[') return Fail(byte, "QMP input must be a JSON object");
    state_ = State::kInside;
  }
  if (value_.size() == limits_.bytes)
    return Fail(byte, absl::StrCat("QMP input is too long; at most ", limits_.bytes,
                                   " bytes are accepted"));
  value_ += byte;
  switch (state_) {
    case State::kInside:
      return Inside(byte);
    case State::kString:
      if (IsControl(byte)) return Fail(byte, "JSON parse error, control character in a string");
      if (byte == '\\') state_ = State::kEscape;
      if (byte == '"') state_ = State::kInside;
      return;
    case State::kEscape:
      if (IsControl(byte)) return Fail(byte, "JSON parse error, control character in a string");
      state_ = State::kString;
      return;
    case State::kBetween:
    case State::kSkipping:
      return;
  }
}

void JsonSplitter::Inside(char byte) {
  switch (byte) {
    case '{':
    case '[':
      return Open(byte);
    case '}':
    case ']':
      return Close(byte);
    case '"':
      state_ = State::kString;
      return;
    default:
      return;
  }
}

void JsonSplitter::Open(char byte) {
  if (brackets_.size() == limits_.depth)
    return Fail(byte, absl::StrCat("JSON parse error, more than ", limits_.depth,
                                   " brackets in each other"));
  brackets_ += byte;
}

void JsonSplitter::Close(char byte) {
  if (brackets_.back() != (byte == '}' ? '{' : '['))
    return Fail(byte, absl::StrCat("JSON parse error, '", std::string(1, byte), "' closes '",
                                   std::string(1, brackets_.back()), "'"));
  brackets_.pop_back();
  if (!brackets_.empty()) return;
  items_.push_back({std::exchange(value_, {}), {}});
  state_ = State::kBetween;
}

void JsonSplitter::Fail(char byte, std::string error) {
  items_.push_back({{}, std::move(error)});
  value_.clear();
  brackets_.clear();
  state_ = byte == '\n' ? State::kBetween : State::kSkipping;
}

}  // namespace lethe::vmm
