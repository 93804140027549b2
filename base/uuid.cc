#include "base/uuid.h"

#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace lethe {
namespace {

constexpr absl::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

// The 32 digits; empty if the text has another shape.
std::string DigitsOf(absl::string_view text) {
  std::string digits;
  if (text.size() != kShape.size()) return digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == '-' ? text[i] != '-' : !absl::ascii_isxdigit(text[i])) return "";
    if (kShape[i] != '-') digits += text[i];
  }
  return digits;
}

}  // namespace

absl::StatusOr<Uuid> ParseUuid(absl::string_view text) {
  const std::string bytes = absl::HexStringToBytes(DigitsOf(text));
  Uuid uuid;
  if (bytes.size() != uuid.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no UUID; write ", kShape, " with hexadecimal digits"));
  }
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::uint8_t>(bytes[i]);
  return uuid;
}

std::string FormatUuid(const Uuid& uuid) {
  std::string text;
  for (const std::uint8_t byte : uuid) {
    if (kShape[text.size()] == '-') text += '-';
    absl::StrAppend(&text, absl::Hex(byte, absl::kZeroPad2));
  }
  return text;
}

Uuid RandomUuid() {
  std::random_device random;
  Uuid uuid;
  for (std::uint8_t& byte : uuid) byte = static_cast<std::uint8_t>(random());
  uuid[6] = static_cast<std::uint8_t>(0x40 | (uuid[6] & 0x0f));
  uuid[8] = static_cast<std::uint8_t>(0x80 | (uuid[8] & 0x3f));
  return uuid;
}

}  // namespace lethe
