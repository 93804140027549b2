#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "emulated-host/cpu/decimal_edit.h"
#include "emulated-host/cpu/decimal_number.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes FromHex(const std::string& hex) {
  const std::string bytes = absl::HexStringToBytes(hex);
  return Bytes(bytes.begin(), bytes.end());
}

std::string ToHex(const Bytes& bytes) {
  return absl::BytesToHexString(std::string(bytes.begin(), bytes.end()));
}

TEST(DecimalNumber, ParsesDigitsAndAllSignCodes) {
  for (const auto* const plus : {"1234567a", "1234567c", "1234567e", "1234567f"}) {
    const auto number = ParsePacked(FromHex(plus));
    ASSERT_TRUE(number) << plus;
    EXPECT_FALSE(number->negative);
    EXPECT_EQ(static_cast<std::uint64_t>(number->magnitude), 1234567u);
  }
  EXPECT_TRUE(ParsePacked(FromHex("1b"))->negative);
  EXPECT_TRUE(ParsePacked(FromHex("1d"))->negative);
}

TEST(DecimalNumber, RefusesBadCodes) {
  EXPECT_FALSE(ParsePacked(FromHex("12")));
  EXPECT_FALSE(ParsePacked(FromHex("ac")));
  EXPECT_FALSE(ParsePacked(FromHex("1b2c")));
  EXPECT_FALSE(ParsePacked(FromHex("b12c")));
}

TEST(DecimalNumber, FormatsTheRightmostDigits) {
  Bytes bytes(2);
  FormatPacked({.negative = true, .magnitude = 12345}, absl::MakeSpan(bytes));
  EXPECT_EQ(ToHex(bytes), "345d");
  Bytes longest(16);
  FormatPacked({.negative = false, .magnitude = PowerOfTen(31) - 1}, absl::MakeSpan(longest));
  EXPECT_EQ(ToHex(longest), std::string(31, '9') + "c");
}

class HexSource : public EditSource {
 public:
  explicit HexSource(const std::string& hex) : bytes_(FromHex(hex)) {}
  std::uint8_t NextByte() override { return bytes_.at(next_++); }
  std::size_t used() const { return next_; }

 private:
  Bytes bytes_;
  std::size_t next_ = 0;
};

struct Edited {
  std::string text;
  int condition_code;
  int mark;
  std::size_t used;
};
Edited EditHex(const std::string& pattern, const std::string& source) {
  Bytes bytes = FromHex(pattern);
  HexSource digits(source);
  const EditResult result = Edit(absl::MakeSpan(bytes), digits);
  if (!result.valid) return {"invalid", -1, -1, digits.used()};
  const int mark = result.first_significant ? static_cast<int>(*result.first_significant) : -1;
  return {ToHex(bytes), result.condition_code, mark, digits.used()};
}

// "bddbddbddsdCR" style: the examples of the manual's appendix, pattern
// 40 20 20 6B 20 20 21 4B 20 20 40 C3 D9 (blank ,  . CR).
constexpr char kPattern[] = "4020206b2020214b202040c3d9";

TEST(DecimalEdit, PositiveAmountDropsTheCreditSymbol) {
  const Edited edited = EditHex(kPattern, "0257426c");
  EXPECT_EQ(edited.text, "4040f26bf5f7f44bf2f6404040");  // "  2,574.26   "
  EXPECT_EQ(edited.condition_code, 2);
  EXPECT_EQ(edited.mark, 2);
  EXPECT_EQ(edited.used, 4u);
}

TEST(DecimalEdit, NegativeAmountKeepsTheCreditSymbol) {
  const Edited edited = EditHex(kPattern, "0000026d");
  EXPECT_EQ(edited.text,
            "40404040404040"
            "4bf2f640c3d9");  // "       .26 CR"
  EXPECT_EQ(edited.condition_code, 1);
  EXPECT_EQ(edited.mark, -1);  // the significance starter had forced it
}

TEST(DecimalEdit, ZeroAmountIsBlankUpToTheStarter) {
  const Edited edited = EditHex(kPattern, "0000000c");
  EXPECT_EQ(edited.text, "404040404040404bf0f0404040");
  EXPECT_EQ(edited.condition_code, 0);
}

TEST(DecimalEdit, FieldSeparatorStartsAnotherField) {
  EXPECT_EQ(EditHex("5c202020222020", "123d05").text, "5cf1f2f35c5cf5");
}

TEST(DecimalEdit, LastFieldDecidesTheConditionCode) {
  EXPECT_EQ(EditHex("5c202020222020", "123c00").condition_code, 0);
  EXPECT_EQ(EditHex("5c202020222020", "123c01").condition_code, 1);
  EXPECT_EQ(EditHex("5c20202022", "123d").condition_code, 0);
}

TEST(DecimalEdit, BadLeftDigitIsADataException) {
  EXPECT_EQ(EditHex("402020", "c0").text, "invalid");
}

}  // namespace
}  // namespace lethe::emulated
